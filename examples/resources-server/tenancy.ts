// Who may touch which place. A place is the pair of business and location as the headers name it; the path spells the
// pair with a hyphen, which ids may hold too, so the path is compared whole and never taken apart.
import { jwtVerify } from "jose"

export interface Place {
  readonly businessId: string
  readonly locationId: string
}

/** A refusal that the caller is told. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

interface Tenant {
  readonly business: string
  /** Null: every location. */
  readonly locations: readonly string[] | null
}

export type Admit = (authorization: string | undefined, place: Place, path: string) => Promise<Place>

/** Checks the token, that the path spells the pair of the headers, and that the token's tenancy holds the pair. */
export function admitter(jwtSecret: string): Admit {
  const secret = new TextEncoder().encode(jwtSecret)
  return async (authorization, place, path) => {
    const token = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1]
    if (token === undefined) throw new Refusal(401, "expected Authorization: Bearer <JWT>")
    const tenants = await tenantsOf(token, secret)
    if (path !== `${place.businessId}-${place.locationId}`)
      throw new Refusal(400, "the path is not the X-Business-ID and X-Location-ID of this request")
    const allowed =
      tenants === "*" ||
      tenants.some(
        ({ business, locations }) =>
          business === place.businessId && (locations === null || locations.includes(place.locationId)),
      )
    if (!allowed) throw new Refusal(403, "this token is not for this business and location")
    return place
  }
}

async function tenantsOf(token: string, secret: Uint8Array): Promise<"*" | readonly Tenant[]> {
  const claims = await jwtVerify(token, secret, { algorithms: ["HS256"], requiredClaims: ["exp"] }).then(
    ({ payload }): Record<string, unknown> => payload,
    () => null,
  )
  if (claims === null) throw new Refusal(401, "the token is not valid, or no longer")
  const { tenants, business_id, location_ids, branch_ids } = claims
  if (tenants === "*") return "*"
  if (Array.isArray(tenants))
    return tenants.flatMap((entry: unknown) => {
      if (typeof entry !== "object" || entry === null) return []
      const business: unknown = Reflect.get(entry, "business")
      return typeof business === "string" ? [{ business, locations: words(Reflect.get(entry, "locations")) }] : []
    })
  const business = typeof business_id === "string" ? business_id : "default"
  return [{ business, locations: words(location_ids ?? branch_ids) }]
}

/** Null where the claim is absent; a claim of another shape opens nothing. */
function words(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return null
  return Array.isArray(value) ? value.map(String) : []
}
