import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Database, openDatabase } from "../store/database.ts"
import { type Front, startFront } from "../testing/front.ts"
import { type AcceptResult, createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"

let front: Front
let shedding: Front
let gone: Database
let answer: AcceptResult = "overloaded"
beforeAll(async () => {
  gone = openDatabase({ url: "postgres://postgres@127.0.0.1:9/none" })
  front = await startFront((parts) => [ingestRoutes({ ...parts, accept: createAccept({ ...parts, db: gone }) })])
  shedding = await startFront((parts) => [ingestRoutes({ ...parts, accept: () => Promise.resolve(answer) })])
})
afterAll(async () => {
  await front.stop()
  await shedding.stop()
  await gone.close()
})

const event = { type: "t", source: "s" }
const ways: readonly [string, unknown][] = [
  ["/v1/events", event],
  ["/v1/events/batch", [event, event]],
  ["/api/notifications", { type: "resource_created", resourceType: "r", businessId: "b", resourceId: "1" }],
]

describe("an event that cannot be stored now", () => {
  for (const [path, json] of ways) {
    test(`is 503 with Retry-After at ${path} while the database is away`, async () => {
      const response = await front.call(path, { json })
      expect(response.status).toBe(503)
      expect(response.headers.get("retry-after")).toMatch(/^\d+$/)
      expect(await response.json()).toMatchObject({ code: "unavailable", status: 503 })
    })

    for (const why of ["overloaded", "late"] as const)
      test(`is 503 with Retry-After at ${path} when the hub is ${why}`, async () => {
        answer = why
        const response = await shedding.call(path, { json })
        expect(response.status).toBe(503)
        expect(response.headers.get("retry-after")).toMatch(/^\d+$/)
        expect(await response.json()).toMatchObject({ code: "unavailable" })
        expect(shedding.emitted.findLast((some) => some.kind === "event_rejected")).toMatchObject({
          code: "unavailable",
        })
      })
  }

  test("is 422 when PostgreSQL itself cannot hold it", async () => {
    answer = [{ kind: "unstorable", sqlstate: "22P05" }]
    const response = await shedding.call("/v1/events", { json: event })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: "invalid", errors: [{ pointer: "" }] })
  })

  test("is refused before that when it is wrong, whatever the database does", async () => {
    expect((await front.call("/v1/events", { json: {} })).status).toBe(422)
  })
})
