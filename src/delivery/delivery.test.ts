import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { captureChannel } from "../channels/capture.ts"
import { type ChannelWorker, forAnyMessage } from "../channels/channel.ts"
import { emailChannel } from "../channels/email.ts"
import { pushChannel } from "../channels/push.ts"
import { slackChannel } from "../channels/slack.ts"
import { smsChannel } from "../channels/sms.ts"
import { telegramChannel } from "../channels/telegram.ts"
import { voiceChannel } from "../channels/voice.ts"
import { webhookChannel } from "../channels/webhook.ts"
import { PERSONAL_CHANNELS, SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { Secret } from "../domain/secret.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import { claimDue } from "../store/deliveries.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { type DeliveryWorld, startDeliveryWorld } from "../testing/delivery-world.ts"
import type { FakeProviders } from "../testing/fake-providers.ts"
import { googleAccount } from "../testing/google-account.ts"
import type { Heard } from "../testing/heard.ts"
import { type Seed, seedDeliveries } from "../testing/seed-deliveries.ts"

let world: DeliveryWorld
let db: Database
let fake: FakeProviders
let told: Heard
let pubsub: PubSub
beforeAll(async () => {
  world = await startDeliveryWorld()
  ;({ db, fake, told, pubsub } = world)
})
beforeEach(() => world.begin())
afterEach(() => world.end())
afterAll(() => world.stop())

const run: DeliveryWorld["run"] = (workers, options) => world.run(workers, options)
const wake = (...channels: readonly SendingChannel[]) => pubsub.publish([{ kind: "deliveries_due", channels }])
const queue = async (...seeds: readonly Seed[]): Promise<readonly DeliveryId[]> => {
  const ids = await seedDeliveries(db, seeds)
  wake(...SENDING_CHANNELS)
  return ids
}
const read = async (id: DeliveryId | undefined) => (id === undefined ? null : getDelivery(db, id, null))
const leased = async () =>
  (await db.query<{ n: number }>("select count(*)::int as n from deliveries where owner is not null"))[0]?.n

const twilio = (deadlineMs: number) => ({
  accountSid: "AC1",
  authToken: new Secret("x"),
  apiRoot: fake.url,
  deadlineMs,
})
const google = (deadlineMs: number) => ({
  serviceAccount: googleAccount(`${fake.url}/token`),
  apiRoot: fake.url,
  deadlineMs,
})

/** All channels, with their real SDKs where they have one, before the fake providers. */
const live = (deadlineMs = 5_000): readonly ChannelWorker[] => [
  forAnyMessage(telegramChannel({ token: new Secret("1:x"), apiRoot: fake.url, deadlineMs })),
  forAnyMessage(slackChannel({ webhookUrl: new Secret(fake.slackWebhook()), loopback: true, deadlineMs })),
  forAnyMessage(emailChannel({ apiKey: new Secret("re_x"), from: "a@b.example", baseUrl: fake.url, deadlineMs })),
  forAnyMessage(smsChannel({ ...twilio(deadlineMs), from: "+1" })),
  forAnyMessage(voiceChannel({ ...twilio(deadlineMs), from: "+1", keyPressed: null })),
  forAnyMessage(pushChannel({ web: null, fcm: google(deadlineMs), apns: null, capture: false })),
  forAnyMessage(webhookChannel({ secrets: new Map(), loopback: true, deadlineMs })),
]
/** A channel that does as told; `sent` is what it was given, in order, and `begun` waits until it was given so many. */
const pretend = (channel: SendingChannel, send: (n: number, signal: AbortSignal) => Promise<Outcome>) => {
  const sent: DeliveryId[] = []
  let waiting: { readonly n: number; readonly done: () => void }[] = []
  const worker: ChannelWorker = {
    channel,
    send: ({ id, signal }) => {
      const n = sent.push(id)
      for (const one of waiting) if (one.n <= n) one.done()
      waiting = waiting.filter((one) => one.n > n)
      return send(n, signal)
    },
  }
  const begun = (n: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (sent.length >= n) resolve()
    else waiting.push({ n, done: resolve })
    return promise
  }
  return { ...worker, sent, begun }
}
const DELIVERED: Outcome = { kind: "delivered", providerMessageId: null }
const UNUSABLE: Outcome = { kind: "unusable", reason: "bad_credential", detail: "401" }
/** Sees nothing until it is aborted. */
const untilAborted = (signal: AbortSignal): Promise<Outcome> => {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  signal.addEventListener("abort", () => resolve({ kind: "unknown", reason: "aborted", detail: "no answer" }))
  return promise
}

describe("a delivery", () => {
  test("goes out over each of the channels, and is settled with its history", async () => {
    await run(live())
    const toSystem = { channel: "webhook", url: fake.systemWebhook(), secret: null, body: "{}" } as const
    const ids = await queue(...PERSONAL_CHANNELS.map((channel) => ({ channel })), {
      channel: "webhook",
      message: toSystem,
    })
    const settled = await told.waitFor("delivery_settled", SENDING_CHANNELS.length)
    for (const id of ids)
      expect(await read(id)).toMatchObject({ status: "delivered", attempts: [{ number: 1, outcome: "delivered" }] })
    for (const channel of SENDING_CHANNELS) expect(fake.callsOf(channel)).toHaveLength(1)
    for (const { latencySeconds } of settled) expect(latencySeconds).toBeLessThan(10)
  })

  test("that the provider puts off is tried again when it is due", async () => {
    const [telegram] = live()
    if (telegram === undefined) throw new Error("no channel")
    fake.script("telegram", { kind: "answer", status: 429, headers: { "retry-after": "3600" }, body: "wait" })
    await run([telegram])
    const [id] = await queue({ channel: "telegram" })
    await told.waitFor("delivery_settled", 1)
    expect(await read(id)).toMatchObject({ status: "retrying", reason: "rate_limited" })
    await db.execute("update deliveries set next_attempt_at = now()")
    wake("telegram")
    await told.waitFor("delivery_settled", 2)
    expect(await read(id)).toMatchObject({
      status: "delivered",
      attempts: [{ outcome: "retry", detail: "429" }, { outcome: "delivered" }],
    })
  })

  test("whose day is over is not tried again, while one that never was is still sent", async () => {
    const worker = pretend("telegram", () => Promise.resolve(DELIVERED))
    const [tried, fresh] = await queue({ channel: "telegram" }, { channel: "telegram" })
    await db.execute("update deliveries set created_at = now() - interval '25 hours'")
    await db.execute("update deliveries set attempt = 1, status = 'retrying' where id = $1", [tried ?? ""])
    await run([worker])
    await told.waitFor("delivery_settled", 2)
    expect(worker.sent).toHaveLength(1)
    expect(await read(fresh)).toMatchObject({ status: "delivered" })
    expect(await read(tried)).toMatchObject({
      status: "dead",
      reason: "too_old",
      next: { again: false, code: "too_old" },
      attempts: [{ number: 2, outcome: "retry", reason: "not_tried" }],
    })
  })

  test("that becomes due without any news is found by the lookout, again and again", async () => {
    await run([pretend("telegram", () => Promise.resolve(DELIVERED))], { random: () => 0 })
    for (const round of [1, 2, 3]) {
      const [id] = await seedDeliveries(db, [{}])
      await told.waitFor("delivery_settled", round)
      expect(await read(id)).toMatchObject({ status: "delivered" })
    }
  })

  test("of a channel without credentials is captured", async () => {
    await run([captureChannel("email")])
    const [id] = await queue({ channel: "email" })
    await told.waitFor("delivery_settled", 1)
    expect(await read(id)).toMatchObject({ status: "captured", attempts: [{ outcome: "captured" }] })
  })

  test("is one of many: a backlog is worked off within the channel's limit, each exactly once", async () => {
    let now = 0
    let most = 0
    const worker = pretend("telegram", async () => {
      most = Math.max(most, ++now)
      await Promise.resolve()
      now -= 1
      return DELIVERED
    })
    const ids = await seedDeliveries(
      db,
      Array.from({ length: 500 }, () => ({})),
    )
    await run([worker], { inFlightOf: () => 20 })
    await told.waitFor("delivery_settled", 500)
    expect(new Set(worker.sent)).toEqual(new Set(ids))
    expect(worker.sent).toHaveLength(500)
    expect(most).toBeLessThanOrEqual(20)
  })
})

describe("a channel in trouble", () => {
  test("that hangs does not keep the others from sending", async () => {
    const stuck = pretend("slack", (_, signal) => untilAborted(signal))
    const fine = pretend("telegram", () => Promise.resolve(DELIVERED))
    await run([stuck, fine])
    await queue(...Array.from({ length: 40 }, () => ({ channel: "slack" as const })), { channel: "telegram" })
    await told.waitFor("delivery_settled", 1, ({ channel }) => channel === "telegram")
    expect(stuck.sent.length).toBeLessThanOrEqual(32)
  })

  test("that throws is a bug that is reported; its message is tried again, and the others go on", async () => {
    const broken = pretend("slack", (n) => {
      if (n === 1) throw new Error("a bug with canary@example.com inside")
      return Promise.resolve(DELIVERED)
    })
    const fine = pretend("telegram", () => Promise.resolve(DELIVERED))
    await run([broken, fine])
    const [id] = await queue({ channel: "slack" }, { channel: "telegram" })
    const [bug] = await told.waitFor("bug_found", 1)
    expect(bug).toMatchObject({ where: "channels/slack" })
    expect(JSON.stringify(bug)).not.toContain("canary")
    await told.waitFor("delivery_settled", 2)
    expect(await read(id)).toMatchObject({ status: "retrying", reason: "channel_crashed", maybe_duplicate: true })
  })

  test("with a bad credential stops asking, and no recipient pays for it", async () => {
    let account: Outcome = UNUSABLE
    const worker = pretend("telegram", () => Promise.resolve(account))
    await seedDeliveries(
      db,
      Array.from({ length: 100 }, () => ({})),
    )
    const tree = await run([worker], { inFlightOf: () => 5, random: () => 0 })
    expect(await told.waitFor("breaker_opened", 1)).toMatchObject([
      { channel: "telegram", reason: "bad_credential", forMs: 30_000 },
    ])
    await told.waitFor("delivery_settled", 5)
    expect(worker.sent).toHaveLength(5)
    const tries =
      "select coalesce(max(attempt - forgiven), 0)::int as spent, count(*)::int as n from deliveries where status = 'queued'"
    expect(await db.query(tries)).toMatchObject([{ spent: 0, n: 100 }])
    // A restart, after the credential was mended, asks again at once.
    account = DELIVERED
    await tree.restart("dispatcher:telegram")
    await told.waitFor("delivery_settled", 100)
    expect(await db.query("select count(*)::int as n from deliveries where status = 'delivered'")).toMatchObject([
      { n: 95 },
    ])
  })
})

describe("a lease", () => {
  test("is renewed while a slow provider takes its time", async () => {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const { promise: renewed, resolve: onRenewed } = Promise.withResolvers<void>()
    const watched: Database = {
      ...db,
      query: async (text, values) => {
        const rows = await db.query(text, values)
        if (text.includes("renewed as")) onRenewed()
        return rows as never // whatever the caller asked for
      },
    }
    await run([pretend("telegram", () => promise)], { db: watched, leaseMs: 300 })
    const [id] = await queue({})
    await renewed
    resolve(DELIVERED)
    await told.waitFor("delivery_settled", 1)
    expect(await read(id)).toMatchObject({ status: "delivered", maybe_duplicate: false, attempts: [{ number: 1 }] })
  })

  test("that is found lost aborts the send, and the late outcome is never written", async () => {
    const worker = pretend("telegram", (_, signal) => untilAborted(signal))
    await run([worker], { leaseMs: 600 })
    const [id] = await queue({})
    await worker.begun(1)
    // Another node rescued and claimed it, while this one was paused.
    await db.execute("update deliveries set owner = 'another', attempt = 2, lease_until = now() + interval '1 minute'")
    expect(await told.waitFor("lease_lost", 1)).toMatchObject([{ deliveryId: id }])
    expect(told.of("delivery_settled")).toEqual([])
    expect(await read(id)).toMatchObject({ status: "sending", attempts: [] })
  })

  test("of a killed holder is rescued and the message sent, marked as a possible duplicate", async () => {
    const [id] = await seedDeliveries(db, [{}])
    await claimDue(db, { channel: "telegram", limit: 1, owner: "killed", leaseMs: 1 })
    await db.execute("update deliveries set lease_until = now() - interval '1 second'")
    await run([pretend("telegram", () => Promise.resolve(DELIVERED))])
    await told.waitFor("delivery_settled", 1)
    expect(told.of("deliveries_rescued")).toMatchObject([{ count: 1 }])
    expect(await read(id)).toMatchObject({
      status: "delivered",
      maybe_duplicate: true,
      attempts: [
        { number: 1, outcome: "lost" },
        { number: 2, outcome: "delivered" },
      ],
    })
  })
})

describe("a stop", () => {
  test("lets what is in flight finish, takes nothing new, and leaves no lease", async () => {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const worker = pretend("telegram", (_, signal) => Promise.race([promise, untilAborted(signal)]))
    const tree = await run([worker], { inFlightOf: () => 2, drainMs: 5_000 })
    const ids = await queue({}, {}, {})
    await worker.begun(2)
    const stopped = tree.stop()
    wake("telegram")
    expect(await leased()).toBe(2)
    resolve(DELIVERED)
    await stopped
    expect(worker.sent).toHaveLength(2)
    const statuses = await Promise.all(ids.map(async (id) => (await read(id))?.["status"]))
    expect(statuses.sort()).toEqual(["delivered", "delivered", "queued"])
    expect(await leased()).toBe(0)
  })

  test("aborts what does not finish, and settles it as of unknown end", async () => {
    const channels = ["telegram", "slack"] as const
    const workers = channels.map((channel) => pretend(channel, (_, signal) => untilAborted(signal)))
    const tree = await run(workers, { drainMs: 50 })
    const ids = await queue(...channels.map((channel) => ({ channel })))
    await Promise.all(workers.map((worker) => worker.begun(1)))
    await tree.stop()
    for (const id of ids)
      expect(await read(id)).toMatchObject({ status: "retrying", reason: "aborted", maybe_duplicate: true })
    expect(await leased()).toBe(0)
  })

  test("ends all channels at the same time, not one after the other", async () => {
    const settledAtAbort: number[] = []
    const workers = SENDING_CHANNELS.map((channel) =>
      pretend(channel, (_, signal) => {
        signal.addEventListener("abort", () => settledAtAbort.push(told.of("delivery_settled").length))
        return untilAborted(signal)
      }),
    )
    const tree = await run(workers, { drainMs: 20 })
    await queue(...SENDING_CHANNELS.map((channel) => ({ channel })))
    await Promise.all(workers.map((worker) => worker.begun(1)))
    await tree.stop()
    expect(settledAtAbort).toEqual(SENDING_CHANNELS.map(() => 0))
    expect(await leased()).toBe(0)
  })

  test("gives back what was claimed but not begun, and no try is counted", async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>()
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const slow: Database = {
      ...db,
      query: async (text, values) => {
        const rows = await db.query(text, values)
        if (text.includes("claimed as") && rows.length > 0) {
          onAsked()
          await gate
        }
        return rows as never // whatever the caller asked for
      },
    }
    const worker = pretend("telegram", () => Promise.resolve(DELIVERED))
    const [id] = await seedDeliveries(db, [{}])
    const tree = await run([worker], { db: slow })
    await asked
    const stopped = tree.stop()
    open()
    await stopped
    expect(worker.sent).toEqual([])
    expect(await read(id)).toMatchObject({ status: "queued", attempts: [] })
    expect(await db.query("select attempt - forgiven as tries, owner from deliveries")).toEqual([
      { tries: 0, owner: null },
    ])
  })
})

describe("a database that goes away", () => {
  /** Fails statements that `broken` picks as a lost connection does. */
  const failing = (broken: (text: string) => boolean): Database => ({
    ...db,
    query: (text, values) =>
      broken(text)
        ? Promise.reject(Object.assign(new Error("Connection terminated"), { code: "ECONNRESET" }))
        : db.query(text, values),
  })

  test("before a settlement is waited for, and the message is not sent twice", async () => {
    let failures = 2
    const worker = pretend("telegram", () => Promise.resolve(DELIVERED))
    await run([worker], { db: failing((text) => text.includes("settled as") && failures-- > 0) })
    const [id] = await queue({})
    await told.waitFor("delivery_settled", 1)
    expect(worker.sent).toHaveLength(1)
    expect(await read(id)).toMatchObject({ status: "delivered", maybe_duplicate: false })
  })

  test("before a claim is asked again, without a restart", async () => {
    let failures = 1
    const tree = await run([pretend("telegram", () => Promise.resolve(DELIVERED))], {
      db: failing((text) => text.includes("claimed as") && failures-- > 0),
    })
    await queue({})
    await told.waitFor("delivery_settled", 1)
    expect(tree.whereis("dispatcher:telegram")).toMatchObject({ restarts: 0 })
  })
})
