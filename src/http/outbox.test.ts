import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { failureSwitch } from "../channels/failing.ts"
import type { JsonObject } from "../domain/json.ts"
import { type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { outboxRoutes } from "./outbox.ts"

let front: Front
const failures = failureSwitch()
beforeAll(async () => {
  const broken = (channel: string) => (channel === "telegram" ? "bad_credential" : undefined)
  front = await startFront(({ db }) => [outboxRoutes({ db, captured: ["email", "telegram"], failures, broken })])
})
afterAll(() => front.stop())

const get = async (
  path: string,
  key?: string,
): Promise<{ status: number; body: JsonObject & { data: JsonObject[] } }> => {
  const answer = await front.call(path, key === undefined ? {} : { key })
  return { status: answer.status, body: await jsonOf<JsonObject & { data: JsonObject[] }>(answer) }
}
const plan = (json: unknown, key?: string) =>
  front.call("/admin/outbox/failures", { json, ...(key === undefined ? {} : { key }) })
const become = (id: string, status: string): Promise<number> =>
  front.db.execute("update deliveries set status = $2, next_attempt_at = null where id = $1", [id, status])

describe("the outbox", () => {
  test("shows captured messages as their reader would see them, to operators only", async () => {
    const link = { actionUrl: null, actionLabel: null }
    const mail = {
      channel: "email",
      to: "a@example.com",
      subject: "Hi",
      html: "<b>Hi</b>",
      text: "Hi",
      ...link,
    } as const
    const [id] = await seedDeliveries(front.db, [{ channel: "email", message: mail }, { channel: "sms" }])
    await become(id ?? "", "captured")
    const { body } = await get("/v1/outbox?channel=email")
    expect(body.data).toMatchObject([
      { id, status: "captured", message: { to: "a@example.com", subject: "Hi", html: "<b>Hi</b>" } },
    ])
    expect((await get("/v1/outbox", SERVICE_KEY)).status).toBe(403)
    expect((await get("/v1/outbox?channel=pigeon")).status).toBe(422)
    expect((await get("/v1/outbox?every=yes")).status).toBe(422)
  })

  test("shows where asked, of a captured channel, also what is on its way, given up or sent without an account, and of others neither", async () => {
    const channels = ["telegram", "telegram", "telegram", "telegram", "slack"] as const
    const ids = await seedDeliveries(
      front.db,
      channels.map((channel) => ({ channel, business: "way" })),
    )
    const statuses = ["retrying", "dead", "delivered", "suppressed", "retrying"]
    for (const [index, id] of ids.entries()) await become(id, statuses[index] ?? "")
    const key = await tokenFor({ sub: "op", roles: ["admin"], tenants: [{ business: "way" }] })
    expect((await get("/v1/outbox?every=true", key)).body.data.map(({ status }) => status)).toEqual([
      "delivered",
      "dead",
      "retrying",
    ])
    expect((await get("/v1/outbox", key)).body.data).toEqual([])
  })
})

describe("the switch of a captured channel's provider", () => {
  test("lets it fail so often, says so, and makes it well again", async () => {
    const answer = await plan({ channel: "telegram", failure: "rate_limited", times: 3, retry_after: 5 })
    expect(answer.status).toBe(200)
    const failing = { failure: "rate_limited", left: 3, retry_after: 5 }
    expect(await answer.json()).toEqual({ channel: "telegram", failing, paused: "bad_credential" })
    expect(failures.of("telegram")).toEqual({ failure: "rate_limited", left: 3, retryAfterMs: 5_000 })
    expect((await get("/admin/outbox")).body).toEqual({
      channels: [
        { channel: "email", failing: null, paused: null },
        { channel: "telegram", failing, paused: "bad_credential" },
      ],
    } as unknown as JsonObject & { data: JsonObject[] })
    expect(await jsonOf<JsonObject>(plan({ channel: "telegram", failure: null }))).toMatchObject({ failing: null })
    expect(failures.of("telegram")).toBeNull()
  })

  test("refuses what it does not know with pointers, and a channel that is not captured", async () => {
    const wrong = await plan({ channel: "pigeon", failure: "tired", times: 0, retry_after: -1 })
    expect(wrong.status).toBe(422)
    const pointers = ["/channel", "/failure", "/times", "/retry_after"].map((pointer) => ({ pointer }))
    expect(await wrong.json()).toMatchObject({ errors: pointers })
    expect((await plan({ channel: "sms", failure: "gone" })).status).toBe(409)
  })

  test("is for admins of all businesses", async () => {
    expect((await plan({ channel: "email", failure: "gone" }, SERVICE_KEY)).status).toBe(403)
    const confined = await tokenFor({ sub: "op", roles: ["admin"], tenants: [{ business: "b1" }] })
    expect((await plan({ channel: "email", failure: "gone" }, confined)).status).toBe(403)
    expect(failures.of("email")).toBeNull()
  })
})
