import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import type { ChannelWorker } from "../channels/channel.ts"
import type { SendingChannel } from "../domain/channel.ts"
import { Secret } from "../domain/secret.ts"
import { addressOf, type SendLimit } from "../domain/send-limit.ts"
import type { Database } from "../store/database.ts"
import { claimDue } from "../store/deliveries.ts"
import { putOff } from "../store/put-off.ts"
import { type DeliveryWorld, startDeliveryWorld } from "../testing/delivery-world.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import type { Heard } from "../testing/heard.ts"
import { type Seed, seedDeliveries } from "../testing/seed-deliveries.ts"
import { createSendLimits } from "./send-limits.ts"

let world: DeliveryWorld
let db: Database
let told: Heard
beforeAll(async () => {
  world = await startDeliveryWorld()
  ;({ db, told } = world)
})
beforeEach(async () => {
  await world.begin()
  await db.execute("truncate rate_buckets")
})
afterEach(() => world.end())
afterAll(() => world.stop())

const SECRET = new Secret("of the whole hub")
const NONE: SendLimit = { account: null, each: null }
const limits = (limit: Partial<SendLimit>, on: SendingChannel = "telegram") => ({
  sendLimits: { secret: SECRET, of: (channel: SendingChannel) => (channel === on ? { ...NONE, ...limit } : NONE) },
})
const to = (chatId: string, seed: Seed = {}): Seed => ({
  ...seed,
  message: { channel: "telegram", chatId, html: "words", actionUrl: null, actionLabel: null },
})
const many = (count: number, seed: (n: number) => Seed): readonly Seed[] =>
  Array.from({ length: count }, (_, n) => seed(n))

interface Sent {
  readonly address: string
  /** Monotonic milliseconds. */
  readonly at: number
}

/** A provider that takes everything, and what it took. */
function taking(channel: SendingChannel = "telegram"): { readonly worker: ChannelWorker; readonly sent: Sent[] } {
  const sent: Sent[] = []
  return {
    sent,
    worker: {
      channel,
      async send({ message }) {
        sent.push({ address: addressOf(message), at: performance.now() })
        return { kind: "delivered", providerMessageId: null }
      },
    },
  }
}

/** At no moment more than a second's worth and what the time since the start gave: however slow the machine is, that holds. */
function withinLimit(sent: readonly Sent[], perSecond: number, began: number): void {
  for (const [index, { at }] of sent.entries())
    expect(index + 1).toBeLessThanOrEqual(Math.max(1, perSecond) + (perSecond * (at - began)) / 1_000 + 0.01)
}
const delivered = (n: number) => told.waitFor("delivery_settled", n, ({ status }) => status === "delivered")
const sums = async () =>
  (
    await db.query<{ attempts: number; tries: number; logged: number }>(
      `select sum(attempt)::int as attempts, sum(attempt - forgiven)::int as tries,
         (select count(*)::int from attempts) as logged from deliveries`,
    )
  )[0]

describe("the limit of an account", () => {
  test("holds over two nodes, and what is over it waits without costing a try", async () => {
    const { worker, sent } = taking()
    await seedDeliveries(
      db,
      many(100, (n) => to(`chat-${n}`)),
    )
    const began = performance.now()
    await Promise.all([0, 1].map(() => world.run([worker], limits({ account: 50 }))))
    await delivered(100)
    withinLimit(sent, 50, began)
    expect(sent.length).toBe(100)
    expect(await sums()).toMatchObject({ tries: 100, logged: 100 })
  }, 20_000)

  test("of less than one a second lets one through and makes the next one wait for its turn", async () => {
    const { worker, sent } = taking()
    await seedDeliveries(db, [to("a"), to("b")])
    await world.run([worker], limits({ account: 1 / 60 }))
    await delivered(1)
    await told.waitFor("delivery_settled", 1)
    expect(sent.length).toBe(1)
    const [waiting] = await db.query("select attempt, forgiven from deliveries where status <> 'delivered'")
    expect(waiting).toEqual({ attempt: 0, forgiven: 0 })
  })

  test("is no other channel's", async () => {
    const [slow, free] = [taking(), taking("sms")]
    await seedDeliveries(db, [...many(40, () => to("a")), ...many(40, () => ({ channel: "sms" }))])
    await world.run([slow.worker, free.worker], limits({ account: 1 / 60 }))
    await told.waitFor("delivery_settled", 40, ({ channel, status }) => channel === "sms" && status === "delivered")
    expect(slow.sent.length).toBeLessThanOrEqual(2)
  })
})

describe("the limit of an address", () => {
  test("holds over two nodes; the others of the channel go by, and the crowd is not claimed again and again", async () => {
    const { worker, sent } = taking()
    await seedDeliveries(db, [...many(60, () => to("crowd")), ...many(60, (n) => to(`chat-${n}`))])
    const began = performance.now()
    await Promise.all([0, 1].map(() => world.run([worker], limits({ each: 30 }))))
    await delivered(120)
    const crowd = sent.filter(({ address }) => address === "crowd")
    expect(crowd.length).toBe(60)
    withinLimit(crowd, 30, began)
    const { attempts = 0, tries, logged } = (await sums()) ?? {}
    expect({ tries, logged }).toEqual({ tries: 120, logged: 120 })
    expect(attempts).toBeLessThan(3 * 120)
  }, 20_000)

  test("is told as the reason for which a delivery waits", async () => {
    const { worker } = taking()
    await seedDeliveries(db, [to("crowd"), to("crowd")])
    await world.run([worker], limits({ each: 1 / 60 }))
    await told.waitFor("delivery_settled", 1, ({ status }) => status === "scheduled")
    await delivered(1)
    const rows = await db.query(
      "select status, reason, owner, next_attempt_at > now() as later from deliveries where status <> 'delivered'",
    )
    expect(rows).toEqual([{ status: "scheduled", reason: "address_limit", owner: null, later: true }])
  })

  test("lets what is urgent go before the crowd that waits", async () => {
    const { worker } = taking()
    await seedDeliveries(
      db,
      many(20, () => to("crowd", { priority: 0 })),
    )
    await world.run([worker], limits({ each: 1 }))
    await told.waitFor("delivery_settled", 19, ({ status }) => status === "scheduled")
    const [urgent] = await seedDeliveries(db, [to("crowd", { priority: 2 })])
    await told.waitFor(
      "delivery_settled",
      1,
      ({ status, deliveryId }) => status === "delivered" && deliveryId === urgent,
    )
    expect(told.of("delivery_settled").filter(({ status }) => status === "delivered").length).toBeLessThan(20)
  }, 20_000)

  test("does not keep a message beyond its own time", async () => {
    const { worker } = taking()
    const [, late = ""] = await seedDeliveries(db, [to("crowd", { priority: 2 }), to("crowd")])
    await db.execute("update deliveries set expires_at = now() + interval '500 milliseconds' where id = $1", [late])
    await world.run([worker], limits({ each: 1 / 60 }))
    await told.waitFor("delivery_settled", 1, ({ status, deliveryId }) => status === "expired" && deliveryId === late)
  })

  test("knows addresses by a keyed hash alone", async () => {
    const { worker } = taking()
    await seedDeliveries(db, [to("chat-4711")])
    await world.run([worker], limits({ each: 5 }))
    await delivered(1)
    const rows = await db.query<{ key: string }>("select key from rate_buckets")
    expect(rows.length).toBe(1)
    expect(rows[0]?.key).toMatch(/^send:telegram:[\w-]{22}$/)
  })
})

test("without a limit nothing is asked", () => {
  expect(createSendLimits({ channel: "sms", limit: NONE, secret: SECRET, db, clock: fakeClock() })).toBeNull()
})

test("what is somebody else's by now is not put off", async () => {
  await seedDeliveries(db, [to("a")])
  const [claimed] = await claimDue(db, { channel: "telegram", limit: 1, owner: "a", leaseMs: 15_000 })
  if (claimed === undefined) throw new Error("nothing was claimed")
  const off = { id: claimed.id, attempt: claimed.attempt, reason: "address_limit", delayMs: 1_000 } as const
  expect(await putOff(db, "b", [off])).toBe(0)
  expect(await putOff(db, "a", [{ ...off, attempt: 2 }])).toBe(0)
  expect(await putOff(db, "a", [off])).toBe(1)
  expect(await putOff(db, "a", [off])).toBe(0)
})
