import { afterEach, describe, expect, test } from "bun:test"
import { type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { zohoRequest } from "../testing/zoho-sender.ts"
import { createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"
import { createRateLimits } from "./rate-limit.ts"
import { createRejections } from "./rejections.ts"
import { zohoRoutes } from "./zoho.ts"

const ZOHO_SECRET = "mysecretkey12"
let front: Front
const start = async (limit: string | null): Promise<void> => {
  front = await startFront(
    (parts) => {
      const limits = createRateLimits({ ...parts, limits: parts.config.rateLimit })
      const accept = createAccept(parts)
      const rejections = createRejections(parts)
      return [
        ingestRoutes({ ...parts, accept, limits }),
        zohoRoutes({ ...parts, accept, rejections, limits, secret: parts.config.zoho.webhookSecret }),
      ]
    },
    { ZOHO_WEBHOOK_SECRET: ZOHO_SECRET, ...(limit === null ? {} : { HUB_RATE_LIMIT: limit }) },
  )
}
afterEach(() => front.stop())

const event = (changes: object = {}) => ({ type: "t", source: "s", ...changes })
const post = (json: unknown, key = SERVICE_KEY, headers: Record<string, string> = {}, path = "/v1/events") =>
  front.call(path, { json, key, headers })
/** The statuses of so many requests at once, counted. */
async function statuses(times: number, send: (n: number) => Promise<Response>): Promise<Record<number, number>> {
  const answers = await Promise.all(Array.from({ length: times }, (_, n) => send(n)))
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
const stored = async (): Promise<number> =>
  (await front.db.query<{ n: number }>("select count(*)::int as n from events"))[0]?.n ?? -1

describe("a rate limit over HTTP", () => {
  test("429 is a problem with Retry-After and RateLimit-*, and what passes says how much is left", async () => {
    await start("caller=3")
    const first = await post(event())
    expect(first.status).toBe(201)
    expect(first.headers.get("ratelimit-limit")).toBe("3")
    expect(first.headers.get("ratelimit-remaining")).toBe("2")
    expect(first.headers.get("ratelimit-reset")).toBe("1")
    expect(first.headers.get("ratelimit-policy")).toBe('3;w=1;comment="caller"')
    expect(first.headers.get("retry-after")).toBeNull()
    await statuses(10, () => post(event()))
    const refused = await post(event())
    expect(refused.status).toBe(429)
    expect(refused.headers.get("content-type")).toBe("application/problem+json")
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1)
    expect(refused.headers.get("ratelimit-remaining")).toBe("0")
    expect(refused.headers.get("ratelimit-limit")).toBe("3")
    expect(await jsonOf<object>(refused)).toMatchObject({
      code: "rate_limited",
      detail: "one caller may bring 3 events a second; nothing of this request was taken",
      request_id: expect.any(String),
    })
    expect(front.emitted).toContainEqual({ kind: "event_rejected", via: "http", code: "rate_limited", count: 1 })
  })

  test("a repeat after Retry-After is taken", async () => {
    await start("caller=2")
    await statuses(5, () => post(event()))
    const refused = await post(event())
    await Bun.sleep(Number(refused.headers.get("retry-after")) * 1_000)
    expect((await post(event())).status).toBe(201)
  })

  test("a batch that is over the limit is refused whole, so that it can be repeated as it is", async () => {
    await start("caller=1000,business=5")
    const batch = (count: number, business_id: string) =>
      post(
        Array.from({ length: count }, () => event({ business_id })),
        SERVICE_KEY,
        {},
        "/v1/events/batch",
      )
    expect((await batch(4, "b1")).status).toBe(200)
    const refused = await batch(4, "b1")
    expect(refused.status).toBe(429)
    expect(refused.headers.get("ratelimit-policy")).toBe('5;w=1;comment="business"')
    expect(await stored()).toBe(4)
    expect((await batch(5, "b2")).status).toBe(200)
  })

  test("callers are told apart by their credential alone: no header makes another one", async () => {
    await start("caller=5")
    const spoofed = await statuses(40, (n) =>
      post(event(), SERVICE_KEY, {
        "x-forwarded-for": `10.0.0.${n}`,
        "x-real-ip": `10.0.0.${n}`,
        forwarded: `for=10.0.0.${n}`,
        "user-agent": `agent-${n}`,
        "idempotency-key": `k-${n}`,
        "x-request-id": `r-${n}`,
      }),
    )
    expect(spoofed[201]).toBeLessThanOrEqual(8)
    expect(spoofed[429]).toBeGreaterThanOrEqual(32)
  })

  test("nor do two tokens of one subject; another subject has a bucket of its own", async () => {
    await start("caller=5")
    const token = (sub: string, n: number) => tokenFor({ sub, role: "service", business_id: "b1", jti: String(n) })
    const ann = await statuses(30, async (n) => post(event(), await token("ann@example.com", n)))
    expect(ann[201]).toBeLessThanOrEqual(8)
    expect(await statuses(5, async (n) => post(event(), await token("bob@example.com", n)))).toEqual({ 201: 5 })
    const rows = await front.db.query<{ key: string }>("select key from rate_buckets")
    expect(JSON.stringify(rows)).not.toContain("example.com")
  })

  test("events that cannot be taken cost their caller as others do", async () => {
    await start("caller=5")
    const invalid = await statuses(30, () => post({ type: "t" }))
    expect(invalid[422]).toBeLessThanOrEqual(8)
    expect(invalid[429]).toBeGreaterThanOrEqual(22)
  })

  test("resource messages are held to the same limits", async () => {
    await start("type=3")
    const message = (n: number) => ({
      type: "resource_updated",
      resourceType: "reservation",
      businessId: "b1",
      resourceId: `r-${n}`,
      timestamp: "2025-01-08T10:00:00.000Z",
    })
    const answers = await statuses(20, (n) => post(message(n), SERVICE_KEY, {}, "/api/notifications"))
    expect(answers[202]).toBeLessThanOrEqual(5)
    expect(answers[429]).toBeGreaterThanOrEqual(15)
  })

  test("signed webhooks are held to the limit of their business, and what came too fast is not kept as rejected", async () => {
    await start("business=3")
    const webhook = (n: number, business: string) => {
      const query = [
        ["entity", "invoice"],
        ["op", "updated"],
      ] as const
      const body = JSON.stringify({ invoice: { invoice_id: String(n), last_modified_time: "2025-01-08T10:00:00Z" } })
      const { path, ...request } = zohoRequest(business, { query, body }, ZOHO_SECRET)
      return front.call(path, request)
    }
    const answers = await statuses(20, (n) => webhook(n, "b1"))
    expect(answers[201]).toBeLessThanOrEqual(5)
    expect(answers[429]).toBeGreaterThanOrEqual(15)
    expect(await statuses(3, (n) => webhook(n, "b2"))).toEqual({ 201: 3 })
    expect(await front.db.query("select 1 from rejected")).toEqual([])
  })

  test("one who is known to be over the limit is refused before the body is read", async () => {
    await start("caller=1")
    await statuses(5, () => post(event()))
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(64 * 1024))
      },
    })
    const refused = await front.call("/v1/events/batch", {
      body: endless,
      key: SERVICE_KEY,
      headers: { "content-type": "application/json" },
    })
    expect(refused.status).toBe(429)
    // What the sockets hold; a body of 8 MiB would be 128.
    expect(pulled).toBeLessThan(100)
  })

  test("without the setting no answer speaks of limits, and no bucket is made", async () => {
    await start(null)
    const answer = await post(event())
    expect(answer.status).toBe(201)
    expect([...answer.headers.keys()].filter((name) => name.startsWith("ratelimit"))).toEqual([])
    expect(await front.db.query("select 1 from rate_buckets")).toEqual([])
  })
})
