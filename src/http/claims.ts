/**
 * From a verified token's claims to a principal (contract §4). Pure. A claim that is there but cannot be understood
 * refuses the token: guessing would open a tenant.
 */
import type { JWTPayload } from "jose"
import type { Config } from "../config.ts"
import { asBusinessId, asLocationId, asRecipientId, DEFAULT_BUSINESS, type LocationId } from "../domain/ids.ts"
import type { Grant, Principal, Tenancy } from "../domain/principal.ts"

type ClaimNames = Pick<Config["jwt"], "rolesClaim" | "businessClaim" | "locationsClaim">

const MAX_GRANTS = 1_000
/** The last second that a Date can hold. */
const LAST_SECOND = 8.64e12

/** The principal, or why the claims cannot be taken. `exp` must be there: the verifier saw to it. */
export function readClaims(payload: JWTPayload, names: ClaimNames, toleranceSeconds: number): Principal | string {
  const recipient = asRecipientId(payload.sub)
  if (recipient === null) return "the token's `sub` is no recipient id"
  if (payload.exp === undefined) return "the token has no `exp`"
  // JSON reads 1e999 as infinity: a token that never ends.
  if (payload.exp > LAST_SECOND) return "the token's `exp` is no time"
  const roles = words(payload[names.rolesClaim] ?? payload["role"])
  if (roles === null) return `the token's \`${names.rolesClaim}\` is no list of roles`
  const admin = roles.includes("admin")
  const tenancy = tenancyOf(payload, names, admin)
  if (typeof tenancy === "object" && "wrong" in tenancy) return tenancy.wrong
  return {
    kind: "person",
    label: "person",
    recipient,
    service: roles.includes("service") || roles.includes("system"),
    admin,
    tenancy,
    expiresAt: (payload.exp + toleranceSeconds) * 1_000,
  }
}

interface Wrong {
  readonly wrong: string
}

function tenancyOf(payload: JWTPayload, names: ClaimNames, admin: boolean): Tenancy | Wrong {
  const tenants = payload["tenants"] ?? null
  if (tenants === "*") return admin ? "*" : { wrong: 'the token\'s `tenants: "*"` needs the role admin' }
  if (tenants !== null)
    return Array.isArray(tenants) ? grantsOf(tenants) : { wrong: "the token's `tenants` is no list" }
  const locations = locationsOf(payload[names.locationsClaim] ?? payload["branch_ids"])
  if (locations === "wrong") return { wrong: `the token's \`${names.locationsClaim}\` is no list of location ids` }
  const given = payload[names.businessClaim] ?? null
  const business = given === null ? DEFAULT_BUSINESS : asBusinessId(given)
  return business === null
    ? { wrong: `the token's \`${names.businessClaim}\` is no business id` }
    : [{ business, locations }]
}

/** `tenants: [{"business", "locations"}]`; a business that is named twice has the locations of both. */
function grantsOf(tenants: readonly unknown[]): readonly Grant[] | Wrong {
  const wrong = { wrong: "the token's `tenants` is no list of {business, locations}" }
  if (tenants.length > MAX_GRANTS) return { wrong: `the token names more than ${MAX_GRANTS} tenants` }
  const grants = new Map<string, Grant>()
  for (const tenant of tenants) {
    if (typeof tenant !== "object" || tenant === null || !("business" in tenant)) return wrong
    const business = asBusinessId(tenant.business)
    const locations = locationsOf("locations" in tenant ? tenant.locations : undefined)
    if (business === null || locations === "wrong") return wrong
    const before = grants.get(business)
    const merged =
      before === undefined
        ? locations
        : before.locations === null || locations === null
          ? null
          : [...new Set([...before.locations, ...locations])]
    grants.set(business, { business, locations: merged })
  }
  return [...grants.values()]
}

/** Null where the claim is missing (or null): all of them. */
function locationsOf(claim: unknown): readonly LocationId[] | null | "wrong" {
  if (claim === undefined || claim === null) return null
  const list = typeof claim === "string" ? claim.split(/[\s,]+/).filter((part) => part !== "") : claim
  if (!Array.isArray(list)) return "wrong"
  const locations: LocationId[] = []
  for (const entry of list) {
    const location = asLocationId(entry)
    if (location === null) return "wrong"
    locations.push(location)
  }
  return locations
}

/** A list of strings, also written as one string with commas ("branch admin" is one role); null where it is neither. */
function words(claim: unknown): readonly string[] | null {
  if (claim === undefined || claim === null) return []
  if (typeof claim === "string") return claim.split(",").map((part) => part.trim())
  return Array.isArray(claim) && claim.every((part) => typeof part === "string") ? claim : null
}
