import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { type ChannelWorker, forAnyMessage } from "../channels/channel.ts"
import { slackChannel } from "../channels/slack.ts"
import { telegramChannel } from "../channels/telegram.ts"
import { DEFAULT_RETRY, type Outcome } from "../domain/delivery.ts"
import { Secret } from "../domain/secret.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { systemClock } from "../runtime/clock.ts"
import type { Tree } from "../runtime/supervisor.ts"
import type { Database } from "../store/database.ts"
import { type DeliveryWorld, startDeliveryWorld } from "../testing/delivery-world.ts"
import { eventually } from "../testing/eventually.ts"
import type { Behaviour, FakeProviders } from "../testing/fake-providers.ts"
import type { Heard } from "../testing/heard.ts"
import { type Seed, seedDeliveries, someMessage } from "../testing/seed-deliveries.ts"
import type { DeliveryOptions } from "./tree.ts"

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

/** Retries come so soon that only the breaker holds anything back. */
const SOON = { ...DEFAULT_RETRY, firstDelayMs: 50, maxDelayMs: 50 }
const run = (workers: readonly ChannelWorker[], options: Partial<DeliveryOptions> = {}): Promise<Tree> =>
  world.run(workers, { policyOf: () => SOON, random: () => 0.01, ...options })
const telegram = (): ChannelWorker =>
  forAnyMessage(telegramChannel({ token: new Secret("1:x"), apiRoot: fake.url, deadlineMs: 300 }))
const many = (count: number, seed: Seed = {}): readonly Seed[] => Array.from({ length: count }, () => seed)
const tries = async () =>
  (
    await db.query<{ most: number; all: number; delivered: number }>(
      `select max(attempt)::int as most, sum(attempt)::int as all,
         count(*) filter (where status = 'delivered')::int as delivered from deliveries`,
    )
  )[0] ?? { most: 0, all: 0, delivered: 0 }

const AWAY: readonly (readonly [string, string, Behaviour])[] = [
  ["answers with 503", "provider_error", { kind: "answer", status: 503, body: "<html>bad gateway</html>" }],
  ["closes every connection", "connection_lost", { kind: "reset" }],
  ["never answers", "timeout", { kind: "hang" }],
]

describe("a provider that is away", () => {
  for (const [how, reason, behaviour] of AWAY)
    test(`and ${how} costs few tries, and everything is delivered when it is back`, async () => {
      fake.always("telegram", behaviour)
      await seedDeliveries(db, many(100))
      await run([telegram()])
      const opened = await told.waitFor("breaker_opened", 1)
      expect(opened[0]).toMatchObject({ channel: "telegram", reason })
      fake.always("telegram", { kind: "ok" })
      await told.waitFor("breaker_closed", 1)
      await told.waitFor("delivery_settled", 100, ({ status }) => status === "delivered")
      // Besides the one that worked: what was under way when it opened, and a probe or two.
      const { most, all, delivered } = await tries()
      expect(delivered).toBe(100)
      expect(all - 100).toBeLessThanOrEqual(2 * 32 + 2)
      expect(most).toBeLessThanOrEqual(4)
    }, 30_000)

  test("is asked by one delivery at a time, and no more often than the pauses say", async () => {
    const begun: number[] = []
    let now = 0
    let most = 0
    const worker: ChannelWorker = {
      channel: "telegram",
      async send() {
        begun.push(systemClock.now())
        most = Math.max(most, ++now)
        await Promise.resolve()
        now -= 1
        return { kind: "retry", reason: "unreachable", detail: "refused", retryAfterMs: null }
      },
    }
    await seedDeliveries(db, many(100))
    await run([worker])
    await told.waitFor("breaker_opened", 1)
    await told.waitFor("delivery_settled", begun.length)
    most = 0
    const before = begun.length
    const opened = await told.waitFor("breaker_opened", 3)
    expect(most).toBe(1)
    expect(begun.length).toBe(before + 2)
    const gaps = begun.slice(before - 1).map((at, index, all) => at - (all[index - 1] ?? at))
    expect(gaps[1]).toBeGreaterThanOrEqual((opened[0]?.forMs ?? 0) - 1)
    expect(gaps[2]).toBeGreaterThanOrEqual((opened[1]?.forMs ?? 0) - 1)
  }, 20_000)

  test("is not met with everything at once when it is back", async () => {
    let back = false
    let now = 0
    let worked = 0
    const widths: { readonly width: number; readonly worked: number }[] = []
    const worker: ChannelWorker = {
      channel: "telegram",
      async send(): Promise<Outcome> {
        if (!back) return { kind: "unknown", reason: "timeout", detail: "" }
        now += 1
        widths.push({ width: now, worked })
        await Bun.sleep(5)
        now -= 1
        worked += 1
        return { kind: "delivered", providerMessageId: null }
      },
    }
    await seedDeliveries(db, many(200))
    await run([worker])
    await told.waitFor("breaker_opened", 1)
    back = true
    await told.waitFor("delivery_settled", 200, ({ status }) => status === "delivered")
    for (const { width, worked } of widths) expect(width).toBeLessThanOrEqual(Math.min(32, 1 + worked))
    expect(Math.max(...widths.map(({ width }) => width))).toBeGreaterThan(16)
  }, 20_000)

  test("and one that throttles everything, is left alone for as long as it wishes and then asked by one", async () => {
    let begun = 0
    const worker: ChannelWorker = {
      channel: "telegram",
      async send() {
        begun += 1
        return { kind: "retry", reason: "rate_limited", detail: "slowly", retryAfterMs: 1_000 }
      },
    }
    await seedDeliveries(db, many(200))
    await run([worker])
    const [first] = await told.waitFor("breaker_opened", 1)
    expect(first).toMatchObject({ channel: "telegram", reason: "rate_limited" })
    expect(first?.forMs).toBeGreaterThanOrEqual(1_000)
    await told.waitFor("breaker_opened", 2)
    expect(begun).toBeLessThanOrEqual(2 * 32 + 1)
  }, 20_000)

  test("is not taken for one that is throttled, or that refuses what it is given", async () => {
    fake.script(
      "telegram",
      ...Array.from(
        { length: 40 },
        (_, n): Behaviour =>
          n % 2 === 0
            ? { kind: "answer", status: 429, headers: { "retry-after": "1" }, body: "slowly" }
            : { kind: "answer", status: 400, body: { ok: false, description: "Bad Request: message is empty" } },
      ),
    )
    await seedDeliveries(db, many(60))
    await run([telegram()])
    await told.waitFor("delivery_settled", 40, ({ status }) => status === "delivered")
    expect(told.of("breaker_opened")).toEqual([])
  }, 20_000)
})

test("a server that recipients named themselves is not the channel's provider: being away, it pauses nobody", async () => {
  fake.always("slack", { kind: "answer", status: 503, body: "away" })
  const own = someMessage("slack", "own")
  if (own.channel !== "slack") throw new Error("not for Slack")
  await seedDeliveries(db, many(60, { channel: "slack", message: { ...own, webhookUrl: fake.slackWebhook("theirs") } }))
  await run([forAnyMessage(slackChannel({ webhookUrl: new Secret(fake.slackWebhook()), loopback: true }))])
  await told.waitFor("delivery_settled", 60)
  expect(told.of("breaker_opened")).toEqual([])
  // Ours is.
  await seedDeliveries(db, many(60, { channel: "slack" }))
  await told.waitFor("breaker_opened", 1)
}, 20_000)

/** Refuses what `broken` picks, as the database refuses a statement that we got wrong: a bug, and so a crash. */
const refusing = (broken: (text: string, values: readonly unknown[]) => boolean): Database => ({
  ...db,
  query: (text, values = []) =>
    broken(text, values)
      ? Promise.reject(Object.assign(new Error("a bug"), { code: "42703", severity: "ERROR" }))
      : db.query(text, values),
})

describe("a dispatcher that crashes", () => {
  test("begins again with one delivery, and widens with each that works", async () => {
    const limits: unknown[] = []
    const watched = refusing((text, values) => {
      if (!text.includes("claimed as") || values[0] !== "telegram") return false
      limits.push(values[1])
      return limits.length === 1
    })
    await seedDeliveries(db, many(20))
    await run([{ channel: "telegram", send: async () => ({ kind: "delivered", providerMessageId: null }) }], {
      db: watched,
    })
    await told.waitFor("delivery_settled", 20)
    expect(limits.slice(0, 2)).toEqual([32, 1])
    expect(told.of("breaker_closed")).toEqual([])
  })

  test("again and again is put to rest with its channel, and the others send as before", async () => {
    let broken = true
    const workers = (["slack", "telegram"] as const).map(
      (channel): ChannelWorker => ({
        channel,
        send: async () => ({ kind: "delivered", providerMessageId: null }),
      }),
    )
    const tree = await run(workers, {
      db: refusing((text, values) => broken && text.includes("claimed as") && values[0] === "slack"),
    })
    await eventually(
      async () => tree.whereis("channel:slack"),
      (channel) => channel?.state === "backoff" && channel.restarts >= 2,
      { withinMs: 10_000, what: "the channel that rests" },
    )
    expect(tree.whereis("deliveries")).toMatchObject({ state: "running", restarts: 0 })
    expect(tree.whereis("dispatcher:telegram")).toMatchObject({ state: "running", restarts: 0 })
    await seedDeliveries(db, [...many(20, { channel: "telegram" }), ...many(5, { channel: "slack" })])
    pubsub.publish([{ kind: "deliveries_due", channels: ["slack", "telegram"] }])
    await told.waitFor("delivery_settled", 20, ({ channel }) => channel === "telegram")
    expect(told.of("delivery_settled").filter(({ channel }) => channel === "slack")).toEqual([])
    // Nobody has to start it again once it is mended.
    broken = false
    await told.waitFor("delivery_settled", 5, ({ channel }) => channel === "slack")
  }, 30_000)
})
