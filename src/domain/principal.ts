/**
 * Who is calling, and what that lets them see. Every answer about tenancy is given here, from the caller's own grants;
 * nothing that a caller sends (a topic, a filter, a body) is ever parsed to find out what it may reach.
 */
import { type BusinessId, DEFAULT_BUSINESS, type LocationId, type RecipientId } from "./ids.ts"

/** One business that a caller belongs to; `locations` null: all of them. */
export interface Grant {
  readonly business: BusinessId
  readonly locations: readonly LocationId[] | null
}

/** `*`: every business. */
export type Tenancy = "*" | readonly Grant[]

export interface Principal {
  readonly kind: "key" | "person" | "anonymous"
  /** Name for logs and audit: the key's id or `person`; never a secret. */
  readonly label: string
  /** The person, where the caller is one. */
  readonly recipient: RecipientId | null
  /** May publish events and manage recipients. */
  readonly service: boolean
  /** May use the operator endpoints of its businesses. */
  readonly admin: boolean
  readonly tenancy: Tenancy
  /** Milliseconds since the Unix epoch after which the credential is no longer good; null: never. */
  readonly expiresAt: number | null
}

/** The grant for a business, or null where the caller has nothing to do with it. */
export function grantFor(tenancy: Tenancy, business: BusinessId): Grant | null {
  if (tenancy === "*") return { business, locations: null }
  return tenancy.find((grant) => grant.business === business) ?? null
}

/** True where the caller may see things of this place; a null location is the whole business. */
export function maySee(tenancy: Tenancy, business: BusinessId, location: LocationId | null): boolean {
  const grant = grantFor(tenancy, business)
  if (grant === null) return false
  if (grant.locations === null) return true
  return location !== null && grant.locations.includes(location)
}

/** The businesses that a query must be confined to; null: no confinement. */
export const confinedTo = (tenancy: Tenancy): readonly BusinessId[] | null =>
  tenancy === "*" ? null : tenancy.map((grant) => grant.business)

/** The places that it must be confined to: `business`, or `business:location`, as no id holds a colon; null: no confinement. */
export const placesOf = (tenancy: Tenancy): readonly string[] | null =>
  tenancy === "*"
    ? null
    : tenancy.flatMap(({ business, locations }) => locations?.map((one) => `${business}:${one}`) ?? [business])

/** The business of an event that names none: the caller's only one, else `default`. */
export function defaultBusiness(tenancy: Tenancy): BusinessId {
  if (tenancy === "*") return DEFAULT_BUSINESS
  const [first, second] = tenancy
  return first !== undefined && second === undefined ? first.business : DEFAULT_BUSINESS
}

/** Who did it, for the audit log: a key's id, or `person:<recipient>`. */
export const actorOf = ({ label, recipient }: Pick<Principal, "label" | "recipient">): string =>
  recipient === null ? label : `person:${recipient}`
