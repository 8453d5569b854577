import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import type { SendingChannel } from "../domain/channel.ts"
import { DEFAULT_RETRY, type Outcome, type RetryPolicy, settle } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { type Database, openDatabase } from "./database.ts"
import { claimDue, type Lease, nextDue, releaseClaimed, renewLeases, type Settling, settleMany } from "./deliveries.ts"
import { rescueExpired } from "./rescue.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 8 })
})
beforeEach(() => db.execute("truncate deliveries, messages, attempts"))
afterAll(async () => {
  await db.close()
  await server.drop()
})

const OK: Outcome = { kind: "delivered", providerMessageId: "42" }
const BUSY: Outcome = { kind: "retry", reason: "rate_limited", detail: "later", retryAfterMs: 60_000 }
const BROKEN: Outcome = { kind: "retry", reason: "provider_error", detail: "502", retryAfterMs: null }
const OURS: Outcome = { kind: "unusable", reason: "bad_credential", detail: "401" }
const SILENT: Outcome = { kind: "unknown", reason: "timeout", detail: "no answer" }
const HOLD: RetryPolicy = { ...DEFAULT_RETRY, onUnknown: "hold" }

const claim = (owner: string, limit = 10, channel: SendingChannel = "telegram") =>
  claimDue(db, { channel, limit, owner, leaseMs: 15_000 })
const settling = (lease: Lease & { tries: number; ageMs: number }, outcome: Outcome): Settling => ({
  id: lease.id,
  attempt: lease.attempt,
  outcome,
  settlement: settle({ attempt: lease.tries, ageMs: lease.ageMs }, outcome, DEFAULT_RETRY, 0.5),
})
const rescue = (policy: RetryPolicy = DEFAULT_RETRY) => rescueExpired(db, 100, () => policy)
/** Time is the database's, so a test moves it there. */
const pass = (ms: number) =>
  db.execute(
    `update deliveries set next_attempt_at = next_attempt_at - $1 * interval '1 millisecond',
    lease_until = lease_until - $1 * interval '1 millisecond', created_at = created_at - $1 * interval '1 millisecond',
    replayed_at = replayed_at - $1 * interval '1 millisecond'`,
    [ms],
  )
const row = async (id: DeliveryId) => {
  const [found] = await db.query<{
    status: string
    reason: string | null
    attempt: number
    forgiven: number
    maybe_duplicate: boolean
    owner: string | null
    settled: boolean
    due_in: number | null
  }>(
    `select status, reason, attempt, forgiven, maybe_duplicate, owner, settled_at is not null as settled,
    round(extract(epoch from next_attempt_at - now()))::int as due_in from deliveries where id = $1`,
    [id],
  )
  if (found === undefined) throw new Error("no such delivery")
  return found
}
const outcomes = async (id: DeliveryId) =>
  (
    await db.query<{ number: number; outcome: string }>(
      "select number, outcome from attempts where delivery_id = $1 order by finished_at, number",
      [id],
    )
  ).map(({ number, outcome }) => `${number} ${outcome}`)
const one = async (channel: SendingChannel = "telegram"): Promise<DeliveryId> => {
  const [id] = await seedDeliveries(db, [{ channel }])
  if (id === undefined) throw new Error("nothing seeded")
  return id
}
const claimOne = async (owner: string) => {
  const [claimed] = await claim(owner)
  if (claimed === undefined) throw new Error("nothing to claim")
  return claimed
}

describe("a claim", () => {
  test("counts the attempt before the work, and opens the message", async () => {
    const id = await one()
    const claimed = await claimOne("a")
    expect(claimed).toMatchObject({ id, attempt: 1, tries: 1, maybeDuplicate: false, channel: "telegram" })
    expect(claimed.message).toMatchObject({ channel: "telegram", html: "message 0" })
    expect(await row(id)).toMatchObject({ status: "sending", attempt: 1, owner: "a" })
  })

  test("leaves a message that cannot be opened to its lease, and gives the others", async () => {
    const [spoiled, sound] = await seedDeliveries(db, [{ channel: "telegram" }, { channel: "telegram" }])
    await db.execute("update messages set message = '\\x6363' where delivery_id = $1", [spoiled ?? ""])
    const unreadable: string[] = []
    const onUnreadable = (id: string): void => void unreadable.push(id)
    const ask = { channel: "telegram", limit: 10, owner: "me", leaseMs: 15_000, onUnreadable } as const
    expect((await claimDue(db, ask)).map(({ id }) => id)).toEqual(sound === undefined ? [] : [sound])
    expect(unreadable).toEqual([spoiled ?? ""])
  })

  test("takes only its channel, and only what is due", async () => {
    const id = await one("sms")
    await db.execute("update deliveries set next_attempt_at = now() + interval '1 hour'")
    expect(await claim("a")).toHaveLength(0)
    expect(await claim("a", 10, "sms")).toHaveLength(0)
    await pass(3_600_000)
    expect(await claim("a", 10, "sms")).toMatchObject([{ id }])
  })

  test("takes the highest priority first, and the longest due within one", async () => {
    const ids = await seedDeliveries(db, [{ priority: 0 }, { priority: 1 }, { priority: 1 }, { priority: 2 }])
    await db.execute("update deliveries set next_attempt_at = now() - interval '1 minute' where id = $1", [
      ids[2] ?? "",
    ])
    const order: (DeliveryId | undefined)[] = []
    for (let left = 4; left > 0; left--) order.push((await claim("a", 1))[0]?.id)
    expect(order).toEqual([ids[3], ids[2], ids[1], ids[0]])
  })

  test("by many racing owners gives every delivery to exactly one of them", async () => {
    const ids = await seedDeliveries(
      db,
      Array.from({ length: 300 }, () => ({})),
    )
    const taken = (
      await Promise.all(
        ["a", "b", "c", "d", "e", "f"].map(async (owner) => {
          const mine: DeliveryId[] = []
          for (let got = await claim(owner, 7); got.length > 0; got = await claim(owner, 7)) {
            mine.push(...got.map(({ id }) => id))
            expect(got.length).toBeLessThanOrEqual(7)
          }
          return mine
        }),
      )
    ).flat()
    expect(taken).toHaveLength(300)
    expect(new Set(taken)).toEqual(new Set(ids))
  })
})

describe("a settlement", () => {
  test("of many is one statement, answered in the order of the items", async () => {
    await seedDeliveries(db, [{}, {}, {}])
    const claimed = await claim("a")
    const [first, second, third] = claimed
    if (first === undefined || second === undefined || third === undefined) throw new Error("three were seeded")
    const items = [settling(third, OK), { ...settling(first, OK), attempt: 9 }, settling(second, BUSY)]
    expect((await settleMany(db, "a", items)).map(({ kind }) => kind)).toEqual(["settled", "lost", "settled"])
    expect(await row(third.id)).toMatchObject({ status: "delivered", owner: null, settled: true, due_in: null })
    expect(await row(second.id)).toMatchObject({
      status: "retrying",
      reason: "rate_limited",
      settled: false,
      due_in: 63,
    })
    expect(await row(first.id)).toMatchObject({ status: "sending" })
    expect(await outcomes(third.id)).toEqual(["1 delivered"])
    expect(await outcomes(first.id)).toEqual([])
  })

  test("by somebody else, or of another attempt, changes nothing", async () => {
    const id = await one()
    const claimed = await claimOne("a")
    expect(await settleMany(db, "b", [settling(claimed, OK)])).toEqual([{ kind: "lost" }])
    expect(await settleMany(db, "a", [{ ...settling(claimed, OK), attempt: 2 }])).toEqual([{ kind: "lost" }])
    expect(await row(id)).toMatchObject({ status: "sending", attempt: 1 })
    expect(await outcomes(id)).toEqual([])
  })

  test("offered twice is written once", async () => {
    const id = await one()
    const claimed = await claimOne("a")
    expect(await settleMany(db, "a", [settling(claimed, OK)])).toMatchObject([{ kind: "settled" }])
    expect(await settleMany(db, "a", [settling(claimed, OK)])).toEqual([{ kind: "lost" }])
    expect(await outcomes(id)).toEqual(["1 delivered"])
  })

  test("by a paused holder whose delivery was rescued and sent by another is lost", async () => {
    const id = await one()
    const paused = await claimOne("a")
    await pass(16_000)
    expect(await rescue()).toMatchObject([{ id, status: "retrying" }])
    const second = await claimOne("b")
    expect(second).toMatchObject({ attempt: 2, maybeDuplicate: true })
    expect(await settleMany(db, "a", [settling(paused, OK)])).toEqual([{ kind: "lost" }])
    expect(await settleMany(db, "b", [settling(second, OK)])).toMatchObject([{ kind: "settled" }])
    expect(await settleMany(db, "a", [settling(paused, OK)])).toEqual([{ kind: "lost" }])
    expect(await outcomes(id)).toEqual(["1 lost", "2 delivered"])
    expect(await row(id)).toMatchObject({ status: "delivered", maybe_duplicate: true })
  })

  test("as retrying is due when the database's clock says so, and not before", async () => {
    const id = await one()
    await settleMany(db, "a", [settling(await claimOne("a"), BUSY)])
    await pass(62_000)
    expect(await claim("a")).toHaveLength(0)
    await pass(1_000)
    expect(await claim("a")).toMatchObject([{ id, attempt: 2, tries: 1 }])
  })

  test("as the account's fault costs no try, while the attempts count on", async () => {
    const id = await one()
    for (let round = 0; round < 15; round++) {
      await settleMany(db, "a", [settling(await claimOne("a"), OURS)])
      expect(await row(id)).toMatchObject({ status: "queued", reason: "bad_credential", due_in: 30 })
      await pass(30_000)
    }
    expect(await claimOne("a")).toMatchObject({ attempt: 16, tries: 1, maybeDuplicate: false })
  })

  test("as an unknown end marks a possible duplicate for good", async () => {
    const id = await one()
    await settleMany(db, "a", [settling(await claimOne("a"), SILENT)])
    await pass(5_000)
    await settleMany(db, "a", [settling(await claimOne("a"), OK)])
    expect(await row(id)).toMatchObject({ status: "delivered", maybe_duplicate: true })
  })

  test("after the twelfth try is dead", async () => {
    const id = await one()
    for (let tries = 1; tries <= 12; tries++) {
      expect(await row(id)).toMatchObject({ status: tries === 1 ? "queued" : "retrying" })
      await settleMany(db, "a", [settling({ ...(await claimOne("a")), ageMs: 0 }, BROKEN)])
      await pass(3_600_000)
    }
    expect(await row(id)).toMatchObject({ status: "dead", reason: "attempts_exhausted", settled: true, due_in: null })
    expect(await claim("a")).toHaveLength(0)
    expect(await outcomes(id)).toHaveLength(12)
  })
})

describe("a delivery that ends with a try of which nobody knows", () => {
  test.each([
    ["its last", 12, 0],
    ["one too late for another", 1, 86_400_000],
  ])(
    "%s, is dead as what may have been sent: no other channel follows, and its replay says so",
    async (_, tries, ageMs) => {
      const id = await one()
      await db.execute("update deliveries set failover = true")
      await settleMany(db, "a", [settling({ ...(await claimOne("a")), tries, ageMs }, SILENT)])
      expect(await row(id)).toMatchObject({ status: "dead", maybe_duplicate: true })
      expect(await db.query("select id from timers")).toEqual([])
    },
  )
})

describe("a lease", () => {
  test("that is renewed outlives its first term; one that was lost is not among the answers", async () => {
    await seedDeliveries(db, [{}, {}])
    const claimed = await claim("a")
    await pass(14_000)
    const leases = claimed.map(({ id, attempt }) => ({ id, attempt }))
    expect(await renewLeases(db, "a", leases, 15_000)).toHaveLength(2)
    await pass(14_000)
    expect(await rescue()).toHaveLength(0)
    await pass(2_000)
    expect(await rescue()).toHaveLength(2)
    expect(await renewLeases(db, "a", leases, 15_000)).toHaveLength(0)
  })

  test("of an earlier attempt is lost even when the same owner claimed the delivery again", async () => {
    const id = await one()
    await claimOne("a")
    await pass(16_000)
    await rescue()
    await claimOne("a")
    const leases = [1, 2].map((attempt) => ({ id, attempt }))
    expect(await renewLeases(db, "a", leases, 15_000)).toEqual([{ id, attempt: 2 }])
  })

  test("whose settlement is under way is not called lost, and is not waited for", async () => {
    const id = await one()
    const { attempt } = await claimOne("a")
    await db.transaction(async (tx) => {
      await tx.execute("update deliveries set reason = 'busy' where id = $1", [id])
      expect(await renewLeases(db, "a", [{ id, attempt }], 15_000)).toEqual([{ id, attempt }])
    })
  })

  test("given back before the work costs no try", async () => {
    const id = await one()
    const held = await claimOne("a")
    expect(await releaseClaimed(db, "b", [held])).toBe(0)
    expect(await releaseClaimed(db, "a", [{ id, attempt: held.attempt + 1 }])).toBe(0)
    expect(await releaseClaimed(db, "a", [held])).toBe(1)
    expect(await row(id)).toMatchObject({ status: "queued", attempt: 1, owner: null, maybe_duplicate: false })
    expect(await claimOne("b")).toMatchObject({ attempt: 2, tries: 1 })
    expect(await outcomes(id)).toEqual([])
  })
})

describe("a rescue", () => {
  test("leaves living leases alone, and makes a lost one due at once as a possible duplicate", async () => {
    const id = await one()
    await claimOne("a")
    expect(await rescue()).toEqual([])
    await pass(15_001)
    expect(await rescue()).toMatchObject([{ id, status: "retrying", reason: "lost", attempt: 1 }])
    expect(await row(id)).toMatchObject({ status: "retrying", maybe_duplicate: true, owner: null, due_in: 0 })
    expect(await outcomes(id)).toEqual(["1 lost"])
    expect(await rescue()).toEqual([])
  })

  test("by many at once takes each delivery once", async () => {
    await seedDeliveries(
      db,
      Array.from({ length: 50 }, () => ({})),
    )
    await claim("a", 50)
    await pass(16_000)
    const rescued = (await Promise.all([1, 2, 3, 4].map(() => rescue()))).flat()
    expect(new Set(rescued.map(({ id }) => id)).size).toBe(50)
    expect(rescued).toHaveLength(50)
  })

  test("ends a delivery that loses its twelfth holder: a message that kills its sender cannot do so for ever", async () => {
    const id = await one()
    for (let round = 0; round < 12; round++) {
      await claimOne("a")
      await pass(16_000)
      await rescue()
      await pass(1_000)
    }
    expect(await row(id)).toMatchObject({ status: "dead", reason: "attempts_exhausted", attempt: 12 })
  })

  test("tries what was lost twice in a row one a second: one of them may be what its holders die of", async () => {
    for (let n = 0; n < 3; n++) await one()
    await claim("a")
    await pass(16_000)
    expect(await rescue()).toHaveLength(3)
    expect(await claim("b")).toHaveLength(3)
    await pass(16_000)
    expect(await rescue()).toHaveLength(3)
    expect(await claim("c")).toHaveLength(0)
    for (let n = 0; n < 3; n++) {
      await pass(1_000)
      expect(await claim("c")).toHaveLength(1)
    }
  })

  test("ends a delivery that has become too old", async () => {
    const id = await one()
    await claimOne("a")
    await pass(86_400_000)
    expect(await rescue()).toMatchObject([{ id, status: "dead", reason: "too_old" }])
  })

  test("holds what may have been sent where that is the policy", async () => {
    const id = await one()
    await claimOne("a")
    await pass(16_000)
    expect(await rescue(HOLD)).toMatchObject([{ id, status: "unknown", reason: "lost" }])
    expect(await claim("a")).toHaveLength(0)
  })
})

test("the next due delivery of a channel is told in milliseconds", async () => {
  const next = async () => (await nextDue(db, ["slack", "telegram"])).get("telegram")
  expect(await nextDue(db, ["slack", "telegram"])).toEqual(new Map())
  await seedDeliveries(db, [{ priority: 0 }, { priority: 2 }])
  expect(await nextDue(db, ["slack", "telegram"])).toEqual(new Map([["telegram", 0]]))
  await db.execute("update deliveries set next_attempt_at = now() + interval '1 hour' where priority = 2")
  await db.execute("update deliveries set next_attempt_at = now() + interval '1 minute' where priority = 0")
  const ms = await next()
  expect(ms).toBeGreaterThan(50_000)
  expect(ms).toBeLessThanOrEqual(60_000)
})
