import { afterAll, beforeAll, expect, test } from "bun:test"
import fc from "fast-check"
import { type Channel, Socket } from "phoenix"
import type { BusinessId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import { jsonOf, tokenFor } from "../testing/front.ts"
import { marginCall, putTrader, TRADER } from "../testing/margin-call.ts"
import { person, RawClient, startRoom } from "../testing/realtime-room.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"
import { inboxPush } from "./inbox-pushes.ts"

let hub: TestHub
const sockets: Socket[] = []
beforeAll(async () => {
  hub = await startTestHub()
})
afterAll(async () => {
  for (const socket of sockets) socket.disconnect()
  await hub.remove()
})

type Answer = readonly [status: string, response: JsonObject]
interface Screen {
  readonly channel: Channel
  push(event: string, payload: object): Promise<Answer>
  next(event: string): Promise<JsonObject>
}
/** A person's screen, by the stock client. */
async function screen(sub: string, business_id = "desk"): Promise<Screen> {
  const socket = new Socket(`ws://127.0.0.1:${hub.port}/socket`, {
    params: { token: await tokenFor({ sub, business_id }) },
  })
  sockets.push(socket)
  socket.connect()
  const channel = socket.channel(`notifications:${sub}`)
  await new Promise((done, fail) => channel.join().receive("ok", done).receive("error", fail))
  return {
    channel,
    push: (event, payload) =>
      new Promise((done) => {
        const sent = channel.push(event, payload)
        for (const status of ["ok", "error"] as const) {
          sent.receive(status, (response: JsonObject) => done([status, response]))
        }
      }),
    next: (event) =>
      new Promise((done) => {
        const ref = channel.on(event, (payload: JsonObject) => {
          channel.off(event, ref)
          done(payload)
        })
      }),
  }
}
let events = 0
/** A notification for that person, as a rule makes it: its id, when their screen has heard of it. */
async function notify(on: Screen, sub: string): Promise<string> {
  const told = on.next("notification")
  const { payload, ...event } = marginCall(++events)
  const answer = await hub.call("/v1/events", { json: { ...event, payload: { ...payload, trader_id: sub } } })
  expect(answer.status).toBe(201)
  return String((await told)["id"])
}

test("read and seen do what they do over HTTP: the answer is the items, and every screen hears of them and of the counts", async () => {
  const [phone, desk] = [await screen("ann"), await screen("ann")]
  const ids = [await notify(phone, "ann"), await notify(phone, "ann"), await notify(phone, "ann")]
  const heard = [desk.next("notification_changed"), phone.next("notification_changed")]
  const [status, response] = await phone.push("seen", { ids: ids.slice(0, 2) })
  expect([status, response["not_found"]]).toEqual(["ok", []])
  const seen = response["notifications"] as unknown as readonly JsonObject[] // a list of items
  const stateOf = new Map(seen.map(({ id, seen_at, read_at }) => [id, [seen_at !== null, read_at !== null]]))
  expect(stateOf).toEqual(new Map(ids.slice(0, 2).map((id) => [id, [true, false]])))
  for (const item of await Promise.all(heard)) expect(ids).toContain(String(item["id"]))
  const told = new Promise<void>((done) => {
    desk.channel.on("counts", (now: JsonObject) => {
      if (now["unread_count"] === 2 && now["unseen_count"] === 1) done()
    })
  })
  expect((await phone.push("read", { id: ids[0] ?? "" }))[0]).toBe("ok")
  await told
  const list = await jsonOf<{ data: readonly JsonObject[] }>(hub.call("/v1/notifications?status=read&recipient_id=ann"))
  expect(list.data.map(({ id }) => id)).toEqual(ids.slice(0, 1))
})

test("ack stops an escalation, as the button and the link do", async () => {
  await putTrader(hub.port)
  const trader = await screen(TRADER)
  const id = await notify(trader, TRADER)
  const escalations = () =>
    hub.db.query(
      `select t.outcome from timers t join notifications n on n.event_id = t.event_id and n.rule = t.rule
       where t.kind = 'escalate' and n.id = $1`,
      [id],
    )
  expect(await escalations()).toEqual([{ outcome: null }])
  const [status, { notifications }] = await trader.push("ack", { notification_id: id })
  expect(status).toBe("ok")
  expect(notifications).toEqual([expect.objectContaining({ id, acknowledged_at: expect.any(String) })])
  expect(await escalations()).toEqual([{ outcome: "acknowledged" }])
})

test("another person's items, another business's and none at all are the same: not found, and untouched", async () => {
  const [cleo, dora, elsewhere] = [await screen("cleo"), await screen("dora"), await screen("dora", "b2")]
  const [foreign, own] = [await notify(cleo, "cleo"), await notify(dora, "dora")]
  const none = ["error", { reason: "not_found" }] as const
  for (const event of ["ack", "read", "seen"]) {
    expect(await dora.push(event, { ids: [foreign] })).toEqual([...none])
    expect(await elsewhere.push(event, { ids: [own] })).toEqual([...none])
    expect(await dora.push(event, { ids: ["ntf_x", "'; drop table notifications"] })).toEqual([...none])
  }
  const [status, response] = await dora.push("read", { ids: [own, foreign, "ntf_x"] })
  expect([status, response["not_found"]]).toEqual(["ok", [foreign, "ntf_x"]])
  const left = await hub.db.query("select id from notifications where recipient_id = 'cleo' and seen_at is null")
  expect(left).toHaveLength(1)
})

test.each([
  ["nothing", null],
  ["a list", []],
  ["a word", "ntf_1"],
  ["empty", {}],
  ["no ids", { ids: [] }],
  ["one id as ids", { ids: "ntf_1" }],
  ["numbers", { ids: [1] }],
  ["holes", { ids: [null] }],
  ["101 ids", { ids: Array(101).fill("ntf_1") }],
  ["an object as id", { id: {} }],
  ["an endless id", { id: "x".repeat(65) }],
] as [string, Json][])("a payload that is %s is answered invalid_ids", async (_, payload) => {
  const principal = person("ann", "*")
  const never = () => Promise.reject(new Error("asked"))
  expect(await inboxPush({ event: "read", payload, principal }, never)).toEqual({
    kind: "reply",
    status: "error",
    response: { reason: "invalid_ids" },
  })
})

test("events that nobody knows, bytes and names of every object are answered, and the socket lives on", async () => {
  const dora = await screen("dora")
  for (const event of ["frobnicate", "__proto__", "constructor", "notification", "counts", "presence_state", ""]) {
    expect(await dora.push(event, { ids: [] })).toEqual(["error", { reason: "unknown event" }])
  }
  const bytes = new Uint8Array([1, 2, 3]).buffer
  expect(await dora.push("read", bytes)).toEqual(["error", { reason: "invalid_ids" }])
  expect(await dora.push("read", { ids: ["ntf_x"] })).toEqual(["error", { reason: "not_found" }])
})

test("whatever is pushed gets exactly one reply, in order, and the socket lives on", async () => {
  const room = await startRoom({
    people: { t: person("ann", [{ business: "b1" as BusinessId, locations: null }]) },
    limits: { pushBurst: 1_000, frameBurst: 2_000 },
    markInbox: async () => [],
  })
  const client = await RawClient.open(room.url("vsn=2.0.0&token=t"))
  const topics = ["notifications:ann", "resources:b1:l1"]
  for (const topic of topics) client.send(["j", "j", topic, "phx_join", {}])
  for (const _ of topics) expect((await client.frame())[4]).toMatchObject({ status: "ok" })
  const event = fc.oneof(fc.constantFrom("ack", "read", "seen", "presence_update"), fc.string())
  const payload = fc.oneof(
    fc.jsonValue() as fc.Arbitrary<Json>,
    fc.record({ ids: fc.array(fc.string()) }),
    fc.record({ id: fc.jsonValue() as fc.Arbitrary<Json> }),
  )
  const push = fc.tuple(fc.constantFrom(...topics), event, payload)
  for (const [n, [topic, name, body]] of fc.sample(push, { numRuns: 400, seed: 11 }).entries()) {
    if (name.startsWith("phx_")) continue
    client.send(["j", `p${n}`, topic, name, body])
    const [joinRef, ref, on, said, answer] = await client.frame()
    expect([joinRef, ref, on, said]).toEqual(["j", `p${n}`, topic, "phx_reply"])
    expect(answer).toEqual({ status: "error", response: { reason: expect.any(String) } })
  }
  expect(await client.settled()).toEqual([])
  expect(room.events.filter(({ kind }) => kind === "bug_found")).toEqual([])
  await room.stop()
})

test("pushes beyond a socket's rate are answered so, and cost nothing", async () => {
  let marked = 0
  const room = await startRoom({
    people: { t: person("ann", [{ business: "b1" as BusinessId, locations: null }]) },
    limits: { pushBurst: 5, pushesPerSecond: 0 },
    markInbox: async () => {
      marked += 1
      return []
    },
  })
  const client = await RawClient.open(room.url("vsn=2.0.0&token=t"))
  await client.join("notifications:ann")
  const answers: Json[] = []
  for (let n = 0; n < 8; n++) {
    client.send(["1", `p${n}`, "notifications:ann", "read", { id: `ntf_${"0".repeat(26)}` }])
    answers.push((await client.frame())[4])
  }
  const error = (reason: string) => ({ status: "error", response: { reason } })
  expect(answers).toEqual([...Array(5).fill(error("not_found")), ...Array(3).fill(error("too many pushes"))])
  expect(marked).toBe(5)
  await room.stop()
})
