import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { type ChannelWorker, forAnyMessage } from "../channels/channel.ts"
import { slackChannel } from "../channels/slack.ts"
import { telegramChannel } from "../channels/telegram.ts"
import { type DeliveryId, type EventId, newDeliveryId, newEventId } from "../domain/ids.ts"
import type { SlackMessage, TelegramMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { type DeliveryWorld, startDeliveryWorld } from "../testing/delivery-world.ts"
import type { Behaviour } from "../testing/fake-providers.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { inPlace } from "./in-place.ts"

let world: DeliveryWorld
beforeAll(async () => {
  world = await startDeliveryWorld()
})
beforeEach(async () => {
  await world.begin()
  await world.db.execute("truncate message_places")
})
afterEach(() => world.end())
afterAll(() => world.stop())

const telegram = (): ChannelWorker =>
  inPlace(forAnyMessage(telegramChannel({ token: new Secret("1:x"), apiRoot: world.fake.url })), world.db)
const slack = (): ChannelWorker => {
  const bot = { token: new Secret("xoxb-1"), apiRoot: world.fake.url }
  return inPlace(forAnyMessage(slackChannel({ webhookUrl: null, bot, loopback: true })), world.db)
}

type Placed = TelegramMessage | SlackMessage
const linked = { actionUrl: null, actionLabel: null }
const chat = (text: string, event: EventId, key = "k1"): TelegramMessage => ({
  channel: "telegram",
  chatId: "991",
  html: text,
  inPlace: { key, event },
  ...linked,
})
const dm = (text: string, event: EventId): SlackMessage => ({
  channel: "slack",
  webhookUrl: null,
  botTo: "U1",
  text,
  inPlace: { key: "of Slack", event },
  ...linked,
})
const queue = async (...messages: readonly Placed[]): Promise<readonly DeliveryId[]> => {
  const ids = await seedDeliveries(
    world.db,
    messages.map((message) => ({ channel: message.channel, message })),
  )
  world.pubsub.publish([{ kind: "deliveries_due", channels: ["telegram", "slack"] }])
  return ids
}
const settled = async (message: Placed): Promise<DeliveryId> => {
  const [id] = await queue(message)
  if (id === undefined) throw new Error("nothing was queued")
  await world.told.waitFor("delivery_settled", 1, (event) => event.deliveryId === id)
  return id
}
const calls = () =>
  world.fake.calls.map(({ path, text, body }) => [
    path.split("/").at(-1),
    text,
    body["message_id"] ?? body["ts"] ?? null,
  ])
const refused = (description: string): Behaviour => ({ kind: "answer", status: 400, body: { ok: false, description } })
const said = (error: string): Behaviour => ({ kind: "answer", status: 200, body: { ok: false, error } })
const placeOf = (key = "k1") =>
  world.db.query<{ held_by: string | null }>("select held_by from message_places where key = $1", [key])

/** In the order of their making. */
const [one, two, three] = [newEventId(1), newEventId(2), newEventId(3)]

describe("later news", () => {
  test("changes the earlier Telegram message, and of another thing is a message of its own", async () => {
    await world.run([telegram()])
    await settled(chat("low", one))
    await settled(chat("lower", two))
    await settled(chat("another", two, "k2"))
    expect(calls()).toEqual([
      ["sendMessage", "low", null],
      ["editMessageText", "lower", expect.any(Number)],
      ["sendMessage", "another", null],
    ])
    expect(await placeOf()).toEqual([{ held_by: null }])
  })

  test("changes the earlier message of Slack's bot, in the conversation where it was posted", async () => {
    await world.run([slack()])
    await settled(dm("low", one))
    await settled(dm("lower", two))
    const [posted, changed] = world.fake.calls
    expect(posted).toMatchObject({ path: "/chat.postMessage", to: "U1", text: "low" })
    expect(changed).toMatchObject({ path: "/chat.update", to: "D1", text: "lower" })
    expect(String(changed?.body["ts"])).toMatch(/^\d+\.000100$/)
  })

  test("is a new message where the earlier one was deleted or is too old, and what follows changes that one", async () => {
    await world.run([telegram(), slack()])
    for (const make of [chat, dm]) await settled(make("low", one))
    world.fake.script("telegram", refused("Bad Request: message to edit not found"))
    world.fake.script("slack", said("edit_window_closed"))
    for (const make of [chat, dm]) await settled(make("lower", two))
    for (const make of [chat, dm]) await settled(make("lowest", three))
    const ofTelegram = calls().filter(([path]) => /Message/.test(String(path)) && !String(path).startsWith("chat."))
    expect(ofTelegram.map(([path, text]) => `${path} ${text}`)).toEqual([
      "sendMessage low",
      "editMessageText lower",
      "sendMessage lower",
      "editMessageText lowest",
    ])
    expect(ofTelegram[3]?.[2]).not.toBe(ofTelegram[1]?.[2])
    expect(world.fake.callsOf("slack").map(({ path }) => path)).toEqual([
      "/chat.postMessage",
      "/chat.update",
      "/chat.postMessage",
      "/chat.update",
    ])
  })

  test("in the same words is delivered", async () => {
    await world.run([telegram()])
    await settled(chat("low", one))
    world.fake.script("telegram", refused("Bad Request: message is not modified: specified new message content …"))
    const id = await settled(chat("low", two))
    expect(await getDelivery(world.db, id, null)).toMatchObject({ status: "delivered" })
  })

  test("is not undone by older news that comes late: that is suppressed, and tells of it", async () => {
    await world.run([telegram()])
    await settled(chat("lower", two))
    const [late] = await queue(chat("low", one))
    await world.told.waitFor("delivery_settled", 1, (event) => event.deliveryId === late)
    expect(late && (await getDelivery(world.db, late, null))).toMatchObject({
      status: "suppressed",
      reason: "superseded",
    })
    expect(calls()).toHaveLength(1)
  })

  test("of the same event again, by an escalation, stands beneath the message and leaves its place to it", async () => {
    await world.run([telegram(), slack()])
    for (const make of [chat, dm]) await settled(make("low", one))
    for (const make of [chat, dm]) await settled(make("nobody has it", one))
    for (const make of [chat, dm]) await settled(make("lower", two))
    const [first, again, last] = world.fake.callsOf("telegram")
    expect(again?.body["reply_parameters"]).toMatchObject({ allow_sending_without_reply: true })
    expect(last).toMatchObject({ text: "lower", body: { message_id: expect.any(Number) } })
    expect(first?.text).toBe("low")
    const slacks = world.fake.callsOf("slack")
    expect(slacks[1]?.body["thread_ts"]).toBe(slacks[2]?.body["ts"])
  })

  test("that is sent by two nodes at once is one message and one change of it", async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    world.fake.script("telegram", { kind: "wait", released })
    for (const _ of [1, 2]) await world.run([telegram()])
    const ids = await queue(chat("low", one), chat("lower", two))
    await world.fake.waitFor(1, "telegram")
    await world.told.waitFor("delivery_attempted", 1, ({ reason }) => reason === "place_taken")
    release()
    const ends = ["delivered", "suppressed"]
    for (const id of ids)
      await world.told.waitFor("delivery_settled", 1, (event) => event.deliveryId === id && ends.includes(event.status))
    expect(calls().filter(([path]) => path === "sendMessage")).toHaveLength(1)
    expect(calls().at(-1)?.[1]).toBe("lower")
  })

  test("of a holder that died goes on when its time is over; the delivery itself goes on at once", async () => {
    const sent = telegram()
    const id = newDeliveryId(3)
    const request = { id, message: chat("low", one), signal: new AbortController().signal }
    await world.db.execute(
      "insert into message_places (key, held_by, held_until) values ('k1', $1, now() + interval '1 hour')",
      [id],
    )
    const other = { ...request, id: newDeliveryId(4) }
    expect(await sent.send(other)).toMatchObject({ kind: "retry", reason: "place_taken" })
    expect(await sent.send(request)).toMatchObject({ kind: "delivered" })
    await world.db.execute("update message_places set held_by = 'dlv_gone', held_until = now()")
    expect(await sent.send({ ...other, message: chat("lower", two) })).toMatchObject({ kind: "delivered" })
    expect(calls().map(([path]) => path)).toEqual(["sendMessage", "editMessageText"])
  })
})
