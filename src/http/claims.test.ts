import { describe, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { readClaims } from "./claims.ts"

const NAMES = { rolesClaim: "roles", businessClaim: "business_id", locationsClaim: "location_ids" }
const read = (claims: JsonObject, names = NAMES): unknown => readClaims({ sub: "u1", exp: 1_000, ...claims }, names, 60)

const all = (business: string) => [{ business, locations: null }]

describe("claims become a principal", () => {
  const cases: readonly [string, JsonObject, object][] = [
    [
      "no tenancy is the default business",
      {},
      { recipient: "u1", tenancy: all("default"), service: false, admin: false },
    ],
    ["the end is `exp` and the tolerance", {}, { expiresAt: 1_060_000 }],
    [
      "tenants with and without locations",
      { tenants: [{ business: "b1", locations: ["l1", 2] }, { business: 7 }] },
      { tenancy: [{ business: "b1", locations: ["l1", "2"] }, ...all("7")] },
    ],
    [
      "a business named twice has the locations of both",
      {
        tenants: [
          { business: "b1", locations: ["l1"] },
          { business: "b1", locations: ["l2", "l1"] },
        ],
      },
      { tenancy: [{ business: "b1", locations: ["l1", "l2"] }] },
    ],
    [
      "a business named once without limits has none",
      { tenants: [{ business: "b1", locations: ["l1"] }, { business: "b1" }] },
      { tenancy: all("b1") },
    ],
    ["no tenants are no tenants", { tenants: [], business_id: "b1" }, { tenancy: [] }],
    ["the ERP's business", { business_id: "b1" }, { tenancy: all("b1") }],
    ["the ERP's user number is the recipient of that number", { sub: 4711 } as JsonObject, { recipient: "4711" }],
    ["the ERP's business as a number", { business_id: 12 }, { tenancy: all("12") }],
    [
      "the ERP's locations",
      { business_id: "b1", location_ids: ["l1"] },
      { tenancy: [{ business: "b1", locations: ["l1"] }] },
    ],
    ["the ERP's branches", { business_id: "b1", branch_ids: [3] }, { tenancy: [{ business: "b1", locations: ["3"] }] }],
    [
      "an empty list of locations is none of them",
      { business_id: "b1", location_ids: [] },
      { tenancy: [{ business: "b1", locations: [] }] },
    ],
    [
      "locations in one string",
      { business_id: "b1", location_ids: "l1,l2" },
      { tenancy: [{ business: "b1", locations: ["l1", "l2"] }] },
    ],
    ["roles as a list", { roles: ["x", "admin"] }, { admin: true, service: false }],
    ["a role as a word", { role: "service" }, { admin: false, service: true }],
    ["the system role publishes", { roles: ["system"] }, { service: true }],
    ["a role of two words is one role", { role: "branch admin" }, { admin: false }],
    ["an admin without limits", { roles: ["admin"], tenants: "*" }, { tenancy: "*", admin: true }],
    ["an admin of its own businesses", { roles: ["admin"], business_id: "b1" }, { tenancy: all("b1"), admin: true }],
  ]
  for (const [title, claims, expected] of cases) test(title, () => expect(read(claims)).toMatchObject(expected))

  test("other issuers' names are taken where they are configured", () => {
    const names = { rolesClaim: "cognito:groups", businessClaim: "custom:tenant", locationsClaim: "custom:branches" }
    const claims = { "cognito:groups": ["admin"], "custom:tenant": "b9", "custom:branches": "l1 l2", business_id: "b1" }
    expect(read(claims, names)).toMatchObject({ admin: true, tenancy: [{ business: "b9", locations: ["l1", "l2"] }] })
  })
})

describe("claims that cannot be understood refuse the token", () => {
  const cases: readonly [string, JsonObject][] = [
    ["a subject that is no recipient id", { sub: "a b" }],
    ["every tenant without the role admin", { tenants: "*" }],
    ["every tenant for a publisher", { tenants: "*", roles: ["service"] }],
    ["tenants that are no list", { tenants: { business: "b1" } }],
    ["a tenant that is a word", { tenants: ["b1"] }],
    ["a tenant with an odd business", { tenants: [{ business: "b:1" }] }],
    ["a tenant whose locations are no list", { tenants: [{ business: "b1", locations: 5 }] }],
    ["a tenant with an odd location", { tenants: [{ business: "b1", locations: ["*"] }] }],
    ["an odd business", { business_id: "b 1" }],
    ["an empty business", { business_id: "" }],
    ["a list of businesses", { business_id: ["b1"] }],
    ["an odd location", { business_id: "b1", location_ids: ["l1", null] }],
    ["locations that are an object", { business_id: "b1", location_ids: {} }],
    ["roles that are no words", { roles: [1] }],
    ["roles that are an object", { roles: { admin: true } }],
  ]
  for (const [title, claims] of cases) test(title, () => expect(read(claims)).toBeString())
})
