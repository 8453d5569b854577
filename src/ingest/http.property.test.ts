import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Front, startFront } from "../testing/front.ts"
import { createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [ingestRoutes({ ...parts, accept: createAccept(parts) })])
})
afterAll(() => front.stop())

const NAMES = [
  "type",
  "source",
  "event_type",
  "source_module",
  "producer",
  "idempotency_key",
  "dedupe_key",
  "event_id",
  "severity",
  "occurred_at",
  "business_id",
  "location_id",
  "branch_id",
  "correlation_id",
  "payload",
  "specversion",
  "id",
  "time",
  "data",
  "data_base64",
  "businessid",
  "events",
  "resourceType",
  "businessId",
  "locationId",
  "resourceId",
  "timestamp",
  "__proto__",
  "constructor",
]
/** What comes near to an event, so that every branch of the readers is met. */
const nearly = fc.dictionary(
  fc.constantFrom(...NAMES),
  fc.oneof(
    fc.constantFrom("1.0", "high", "resource_updated", "2025-01-08T10:00:00Z", "b1", "\0", "\ud800", 1e308, -0, null),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.jsonValue({ maxDepth: 3 }),
  ),
)
const body = fc.oneof(
  nearly.map((value) => JSON.stringify(value)),
  fc.array(nearly, { maxLength: 5 }).map((value) => JSON.stringify(value)),
  nearly.map((value) => JSON.stringify({ events: [value] })),
  fc.json(),
  fc.string({ unit: "binary", maxLength: 60 }),
)
const type = fc.constantFrom(
  "application/json",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "application/json; charset=utf-16",
  "text/plain",
  "x",
)
const path = fc.constantFrom("/v1/events", "/v1/events/batch", "/api/notifications")
const headers = fc.dictionary(
  fc.constantFrom(
    "idempotency-key",
    "ce-id",
    "ce-specversion",
    "ce-type",
    "ce-source",
    "ce-time",
    "ce-x",
    "x-request-id",
  ),
  fc.stringMatching(/^[ -~]{0,20}$/),
  { maxKeys: 4 },
)

describe("whatever is sent", () => {
  test("is answered by 2xx or 4xx in the house's form, never by 5xx", async () => {
    await fc.assert(
      fc.asyncProperty(path, type, headers, body, async (where, contentType, extra, text) => {
        const response = await front.call(where, {
          body: text,
          headers: { ...extra, "content-type": contentType },
          method: "POST",
        })
        const answer = await response.json()
        expect(response.status).toBeLessThan(500)
        if (response.status >= 400) {
          expect(response.headers.get("content-type")).toBe("application/problem+json")
          expect(answer).toMatchObject({ status: response.status, code: expect.any(String) })
        }
      }),
      { numRuns: 1_500 },
    )
  }, 60_000)

  test("and its text never comes back in a refusal", async () => {
    const secret = "s3cr3t-of-the-payload"
    const bodies = [
      `{"type":"${secret}`,
      `"${secret}"`,
      `{"type":5,"source":"${secret}"}`,
      `{"type":"t","source":"s","severity":"${secret}"}`,
    ]
    for (const text of bodies) {
      const response = await front.call("/v1/events", { body: text, headers: { "content-type": "application/json" } })
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(await response.text()).not.toContain(secret)
    }
  })
})
