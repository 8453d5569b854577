import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Webhook } from "standardwebhooks"
import { asEventId, type EventId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import type { Database } from "../store/database.ts"
import { getEvent } from "../store/events.ts"
import { rawBodyOf } from "../store/raw-bodies.ts"
import { listRejected } from "../store/rejected.ts"
import { type Front, startFront } from "../testing/front.ts"
import { createAccept } from "./accept.ts"
import { createRejections } from "./rejections.ts"
import { standardWebhookRoutes } from "./standard-webhook.ts"

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString("base64")}`
const [OLD, NEW, OTHER] = [secretOf(1), secretOf(2), secretOf(3)]

let front: Front
let secondNode: Front
const node = (db?: Database) =>
  startFront(
    (given) => {
      const parts = { ...given, db: db ?? given.db }
      const { webhookSources: sources } = given.config
      return [
        standardWebhookRoutes({ ...parts, accept: createAccept(parts), rejections: createRejections(parts), sources }),
      ]
    },
    { HUB_WEBHOOK_SOURCES: `crm:b1:${OLD},crm:b1:${NEW},shop:b2:${OTHER}` },
  )
beforeAll(async () => {
  front = await node()
  secondNode = await node(front.db)
})
afterAll(async () => {
  await secondNode.stop()
  await front.stop()
})

interface Message {
  readonly id: string
  readonly body: string
  readonly secret?: string
  readonly name?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly to?: Front
}
interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: JsonObject
}
const send = async ({ id, body, secret = OLD, name = "crm", headers = {}, to = front }: Message): Promise<Answered> => {
  const now = new Date()
  const answer = await to.call(`/v1/sources/webhook/${name}`, {
    method: "POST",
    key: null,
    body,
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
      "webhook-signature": new Webhook(secret).sign(id, now, body),
      ...headers,
    },
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as JsonObject }
}
const idOf = ({ body }: Answered): EventId => {
  const id = asEventId(String(body["id"]))
  if (id === null) throw new Error(`no event: ${JSON.stringify(body)}`)
  return id
}
const eventOf = async (answer: Answered) => {
  const event = await getEvent(front.db, idOf(answer))
  if (event === null) throw new Error("not stored")
  return event
}

describe("a Standard Webhook", () => {
  test("of the form that the specification advises is an event of its type, with its data", async () => {
    const body = '{"type": "contact.created", "timestamp": "2026-01-05T09:00:00.5Z", "data": {"id": "c-1"}}'
    const answer = await send({ id: "msg_1", body })
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({ id: expect.stringMatching(/^evt_/), status: "accepted" })
    expect(await eventOf(answer)).toMatchObject({
      type: "contact.created",
      source: "crm",
      business: "b1",
      severity: "info",
      occurredAt: Date.UTC(2026, 0, 5, 9, 0, 0, 500),
      idempotencyKey: "msg_1",
      payload: { id: "c-1" },
    })
    expect((await rawBodyOf(front.db, idOf(answer)))?.toString()).toBe(body)
  })

  test.each<[string, Json, string, JsonObject]>([
    ["a type without data", { type: "a.b", object: { x: 1 } }, "a.b", { type: "a.b", object: { x: 1 } }],
    ["data that is no object", { type: "a.b", data: [1, 2] }, "a.b", { data: [1, 2] }],
    ["no type", { data: { x: 1 }, note: "n" }, "webhook.received", { data: { x: 1 }, note: "n" }],
    ["a type that is none", { type: 5, data: {} }, "webhook.received", { type: 5, data: {} }],
    ["a type that is too long", { type: "x".repeat(257) }, "webhook.received", { type: "x".repeat(257) }],
    ["a list", [1], "webhook.received", { data: [1] }],
    ["a text", "hello", "webhook.received", { data: "hello" }],
    ["null", null, "webhook.received", { data: null }],
  ])("with %s", async (what, value, type, payload) => {
    const answer = await send({ id: `msg_form_${what}`.replaceAll(" ", "_"), body: JSON.stringify(value) })
    expect(answer.status).toBe(201)
    expect(await eventOf(answer)).toMatchObject({ type, payload })
  })

  test("that says no time happened when it was signed", async () => {
    const before = Math.floor(Date.now() / 1_000) * 1_000
    const { occurredAt } = await eventOf(await send({ id: "msg_time", body: '{"type":"a.b","timestamp":"soon"}' }))
    expect(occurredAt).toBeGreaterThanOrEqual(before)
    expect(occurredAt).toBeLessThanOrEqual(Date.now())
  })

  test("belongs to the business of its source", async () => {
    const answer = await send({ id: "msg_b2", name: "shop", secret: OTHER, body: '{"business_id":"b1"}' })
    expect(await eventOf(answer)).toMatchObject({ source: "shop", business: "b2" })
  })

  test("may be signed with either secret during a rotation, or with both", async () => {
    const at = new Date()
    const both = [NEW, OLD, OTHER].map((secret) => new Webhook(secret).sign("msg_both", at, "{}")).join(" ")
    const answers = [
      await send({ id: "msg_old", body: "{}", secret: OLD }),
      await send({ id: "msg_new", body: "{}", secret: NEW }),
      await send({
        id: "msg_both",
        body: "{}",
        headers: {
          "webhook-signature": `v1a,${Buffer.alloc(64).toString("base64")} ${both}`,
          "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
        },
      }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
  })
})

describe("a replay", () => {
  test("is answered as a duplicate, on whatever node, and is no second event", async () => {
    const message = { id: "msg_replay", body: '{"type":"a.b"}' }
    const first = await send(message)
    const answers = [
      await send(message),
      await send({ ...message, to: secondNode }),
      await send({ ...message, secret: NEW }),
    ]
    for (const { status, body, headers } of answers)
      expect([status, body, headers.get("idempotent-replayed")]).toEqual([
        200,
        { id: idOf(first), status: "duplicate" },
        "true",
      ])
  })

  test("by fifty at once on two nodes stores one event", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => send({ id: "msg_race", body: "{}", to: n % 2 === 0 ? front : secondNode })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49)
    expect(new Set(answers.map(idOf)).size).toBe(1)
  })

  test("of an id with another body is refused with the earlier event named, and kept", async () => {
    const first = await send({ id: "msg_reused", body: '{"n":1}' })
    const answer = await send({ id: "msg_reused", body: '{"n":2}' })
    expect([answer.status, answer.body["code"]]).toEqual([422, "idempotency_key_reused"])
    expect(answer.body["detail"]).toContain(idOf(first))
    const { rejected } = await listRejected(front.db, { businesses: null, via: "webhook", limit: 50 })
    expect(rejected).toMatchObject([
      { code: "idempotency_key_reused", business_id: "b1", origin: "crm", raw: '{"n":2}', count: 1 },
    ])
  })

  test("of an id at another source is another message", async () => {
    expect((await send({ id: "msg_race", name: "shop", secret: OTHER, body: "{}" })).status).toBe(201)
  })
})

describe("what is authentic and no event", () => {
  test.each<[string, Partial<Message>, number, string]>([
    ["no JSON", { body: "{" }, 400, "malformed"],
    ["an empty body", { body: "" }, 400, "malformed"],
    ["a NUL", { body: '{"a":"\\u0000"}' }, 422, "invalid"],
    ["a form", { headers: { "content-type": "application/x-www-form-urlencoded" } }, 415, "unsupported_media_type"],
    ["an id that is no key", { id: "x".repeat(256) }, 400, "malformed"],
  ])("%s is refused and kept for its business", async (what, changes, status, code) => {
    const body = JSON.stringify({ what })
    const answer = await send({ id: `msg_${Bun.hash(what)}`, body, ...changes })
    expect([answer.status, answer.body["code"]]).toEqual([status, code])
    const { rejected } = await listRejected(front.db, { businesses: null, via: "webhook", code, limit: 50 })
    const kept = rejected.filter(({ raw }) => raw === (changes.body ?? body))
    expect(kept).toMatchObject([{ business_id: "b1", origin: "crm", count: 1 }])
  })

  test("a body over the limit is 413", async () => {
    const answer = await send({ id: "msg_large", body: JSON.stringify("x".repeat(257 * 1024)) })
    expect([answer.status, answer.body["code"]]).toEqual([413, "too_large"])
  })
})
