import { afterAll, beforeAll, expect, test } from "bun:test"
import { rejectedRoutes } from "../http/rejected.ts"
import { eventually } from "../testing/eventually.ts"
import { B1_KEY, type Front, jsonOf, startFront, tokenFor } from "../testing/front.ts"
import { createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"
import { createRejections } from "./rejections.ts"

interface Page {
  readonly data: readonly Record<string, unknown>[]
  readonly groups: readonly { via: string; code: string; count: number }[]
}

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [
    ingestRoutes({ ...parts, accept: createAccept(parts), rejections: createRejections(parts) }),
    rejectedRoutes(parts),
  ])
})
afterAll(() => front.stop())

const listed = (count: number, path = "/admin/rejected", key?: string): Promise<Page> =>
  eventually(
    () => jsonOf<Page>(front.call(path, key === undefined ? {} : { key })),
    ({ data }) => data.reduce((sum, row) => sum + Number(row["count"]), 0) >= count,
    { withinMs: 5_000, what: "what was refused" },
  )

test("what HTTP refuses is seen by its operator: body, errors and reason; what is shed or accepted is not", async () => {
  const post = (path: string, body: string, headers: Record<string, string> = {}, key = B1_KEY) =>
    front.call(path, { body, key, headers: { "content-type": "application/json", ...headers } })
  expect((await post("/v1/events", "{nonsense")).status).toBe(400)
  expect((await post("/v1/events", '{"type":"a"}')).status).toBe(422)
  expect((await post("/v1/events", '{"type":"a","source":"b"}')).status).toBe(201)
  expect((await post("/v1/events", "not ce", { "ce-id": "1", "ce-specversion": "1.0" })).status).toBe(400)
  const batch = [{ type: "a", source: "b", idempotency_key: "k" }, { type: "x" }, 7]
  expect((await post("/v1/events/batch", JSON.stringify(batch))).status).toBe(200)
  expect((await post("/v1/events", '{"type":"other","source":"b","idempotency_key":"k"}')).status).toBe(422)
  expect((await post("/api/notifications", '{"type":"moved"}', {}, "test-service-key-0123456789")).status).toBe(422)

  const { data, groups } = await listed(7)
  expect(groups).toEqual([
    { via: "http", code: "invalid", count: 3 },
    { via: "http", code: "malformed", count: 2 },
    { via: "http", code: "idempotency_key_reused", count: 1 },
    { via: "resources", code: "invalid", count: 1 },
  ])
  const seen = data.map(({ raw, business_id, origin }) => [raw, business_id, origin])
  expect(seen).toContainEqual(["{nonsense", "b1", "/v1/events"])
  expect(seen).toContainEqual(["not ce", "b1", "/v1/events"])
  expect(seen).toContainEqual(['{"type":"x"}', "b1", "/v1/events/batch"])
  expect(seen).toContainEqual(['{"type":"moved"}', null, "/api/notifications"])
  expect(data.find(({ raw }) => raw === '{"type":"a"}')).toMatchObject({ errors: [{ pointer: "/source" }] })

  const own = await tokenFor({ sub: "op", roles: ["admin"], tenants: [{ business: "b1" }] })
  expect((await listed(6, "/admin/rejected", own)).data.every(({ business_id }) => business_id === "b1")).toBe(true)
})
