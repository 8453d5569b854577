// What is stored while its dispatcher has room, without the queue between: what becomes of it, and when it is not so.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { type ChannelWorker, forAnyMessage } from "../channels/channel.ts"
import { smsChannel } from "../channels/sms.ts"
import type { NewDelivery, Outcome } from "../domain/delivery.ts"
import type { RuleName } from "../domain/ids.ts"
import { type DeliveryId, newDeliveryId, newEventId, newNotificationId } from "../domain/ids.ts"
import { Secret } from "../domain/secret.ts"
import { systemClock } from "../runtime/clock.ts"
import type { Database, Queryable } from "../store/database.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { noteDeparture } from "../store/departures.ts"
import { createHandoff, type Handing, type Handoff } from "../store/handoff.ts"
import { insertDeliveries } from "../store/new-deliveries.ts"
import { suppress } from "../store/suppressions.ts"
import { business, PLAIN_DELIVERY } from "../testing/builders.ts"
import { type DeliveryWorld, startDeliveryWorld } from "../testing/delivery-world.ts"

let world: DeliveryWorld
let db: Database
beforeAll(async () => {
  world = await startDeliveryWorld()
  ;({ db } = world)
})
beforeEach(() => world.begin())
afterEach(async () => {
  await world.end()
  await db.execute("truncate suppressions, rate_buckets, departures")
})
afterAll(() => world.stop())

const DELIVERED: Outcome = { kind: "delivered", providerMessageId: null }

const sms = (to: string, changes: Partial<NewDelivery> = {}): NewDelivery => ({
  ...PLAIN_DELIVERY,
  id: newDeliveryId(Date.now()),
  event: newEventId(Date.now()),
  notifications: [newNotificationId(Date.now())],
  rule: "a-rule" as RuleName, // matches the pattern
  rulesRevision: "r1",
  business: business("b1"),
  channel: "sms",
  priority: "normal",
  addressKey: to,
  start: { status: "queued", message: { channel: "sms", to, text: "hello", actionUrl: null, actionLabel: null } },
  ...changes,
})

/** A channel whose first send is done at once, and each of the others when it is let go. */
function gate() {
  const sent: DeliveryId[] = []
  const open: (() => void)[] = []
  let begun = Promise.withResolvers<void>()
  const worker: ChannelWorker = {
    channel: "sms",
    send({ id }) {
      sent.push(id)
      begun.resolve()
      begun = Promise.withResolvers<void>()
      if (sent.length === 1) return Promise.resolve(DELIVERED)
      const { promise, resolve } = Promise.withResolvers<Outcome>()
      open.push(() => resolve(DELIVERED))
      return promise
    },
  }
  const begunWith = async (n: number): Promise<void> => {
    while (sent.length < n) await begun.promise
  }
  /** The one that waits longest. */
  const release = (): void => open.shift()?.()
  return { worker, sent, begunWith, release }
}
const atOnce = (): { readonly worker: ChannelWorker; readonly sent: DeliveryId[] } => {
  const sent: DeliveryId[] = []
  const send: ChannelWorker["send"] = async ({ id }) => {
    sent.push(id)
    return DELIVERED
  }
  return { worker: { channel: "sms", send }, sent }
}

/** As the router stores them. */
async function store(handoff: Handoff, deliveries: readonly NewDelivery[]): Promise<void> {
  const handing = handoff.begin()
  await db.transaction((tx) => insertDeliveries(tx, deliveries, handing))
  await handing.committed(db)
  hint(handing, deliveries)
}
const hint = (handing: Handing, deliveries: readonly NewDelivery[]): void => {
  if (deliveries.some((one) => handing.placeOf(one) === null))
    world.pubsub.publish([{ kind: "deliveries_due", channels: ["sms"] }])
}

interface Row {
  readonly status: string
  readonly reason: string | null
  readonly attempt: number
  readonly forgiven: number
  readonly dup: boolean
  readonly owned: boolean
  readonly due: boolean
}

const rowOf = async (id: DeliveryId, of: Queryable = db) =>
  (
    await of.query<Row>(
      `select status, reason, attempt, forgiven, maybe_duplicate as dup, owner is not null as owned,
        exists (select from due where delivery_id = d.id) as due from deliveries d where id = $1`,
      [id],
    )
  )[0]
const SENDING = { status: "sending", reason: null, attempt: 1, forgiven: 0, dup: false, owned: true, due: false }
const WAITING = { status: "queued", reason: null, attempt: 0, forgiven: 0, dup: false, owned: false, due: true }
const SETTLED = { status: "delivered", reason: null, attempt: 1, forgiven: 0, dup: false, owned: false, due: false }

/** A room with a handoff, whose dispatcher has found the queue empty and done its first delivery. */
async function idle(worker: ChannelWorker, options: Parameters<DeliveryWorld["run"]>[1] = {}) {
  const handoff = createHandoff(systemClock)
  const tree = await world.run([worker], { handoff, ...options })
  const first = sms("first")
  await store(handoff, [first])
  await world.told.waitFor("delivery_settled", 1)
  return { handoff, tree, first }
}

describe("a delivery that is stored while its dispatcher has room", () => {
  test("is stored as claimed, under a lease, and sent at once", async () => {
    const { worker, begunWith, release } = gate()
    const { handoff } = await idle(worker)
    const one = sms("+1")
    await store(handoff, [one])
    expect(await rowOf(one.id)).toEqual(SENDING)
    const [lease] = await db.query<{ held: boolean }>(
      `select l.until = d.lease_until as held from deliveries d join leases l on d.id = any (l.delivery_ids) where d.id = $1`,
      [one.id],
    )
    expect(lease).toEqual({ held: true })
    await begunWith(2)
    release()
    await world.told.waitFor("delivery_settled", 2)
    expect(await rowOf(one.id)).toEqual(SETTLED)
    expect((await getDelivery(db, one.id, null))?.["attempts"]).toMatchObject([{ number: 1, outcome: "delivered" }])
  })

  test("never overtakes what waits, and of a batch all find room or none", async () => {
    const { worker, sent, begunWith, release } = gate()
    const { handoff, first } = await idle(worker, { inFlightOf: () => 2 })
    const one = sms("+1")
    await store(handoff, [one])
    const pair = [sms("+2"), sms("+3")] as const
    await store(handoff, pair)
    await begunWith(3)
    const urgent = sms("+4", { priority: "high" })
    await store(handoff, [urgent])
    expect(await rowOf(urgent.id)).toEqual(WAITING)
    release()
    await begunWith(4)
    release()
    await begunWith(5)
    expect(sent).toEqual([first.id, one.id, pair[0].id, urgent.id, pair[1].id])
    release()
    release()
    await world.told.waitFor("delivery_settled", 5)
  })

  test.each(["stop", "gone"] as const)("is not sent to an address that is suppressed: %s", async (reason) => {
    const { worker, sent } = atOnce()
    const { handoff } = await idle(worker)
    await db.transaction((tx) => suppress(tx, { channel: "sms", address: "+9647700000001" }, reason))
    const stopped = sms("+9647700000001")
    const other = sms("+9647700000002")
    await store(handoff, [stopped, other])
    await world.told.waitFor("delivery_settled", 3)
    expect(await rowOf(stopped.id)).toMatchObject({ status: "suppressed", reason, owned: false, due: false })
    expect(await rowOf(other.id)).toEqual(SETTLED)
    expect(sent).not.toContain(stopped.id)
  })

  test("is not sent where somebody has left meanwhile and nobody of its people is there", async () => {
    const { worker, sent } = atOnce()
    const { handoff } = await idle(worker)
    await noteDeparture(db)
    const one = sms("+1")
    await store(handoff, [one])
    await world.told.waitFor("delivery_settled", 2)
    expect(await rowOf(one.id)).toMatchObject({ status: "cancelled", reason: "recipient_gone", owned: false })
    expect(sent).not.toContain(one.id)
  })

  test("is not sent after its rule's end", async () => {
    const { worker, sent } = atOnce()
    const { handoff } = await idle(worker)
    const late = sms("+1", { expiresAt: Date.now() - 1_000 })
    await store(handoff, [late])
    await world.told.waitFor("delivery_settled", 2)
    expect(await rowOf(late.id)).toMatchObject({ status: "expired", owned: false })
    expect(sent).not.toContain(late.id)
  })

  test("is one that its event has for the address already: nobody is told twice", async () => {
    const { worker, sent } = atOnce()
    const { handoff, first } = await idle(worker)
    await store(handoff, [{ ...first, id: newDeliveryId(Date.now()) }, sms("+2")])
    await world.told.waitFor("delivery_settled", 2)
    await store(handoff, [sms("+3")])
    await world.told.waitFor("delivery_settled", 3)
    expect(sent).toHaveLength(3)
  })

  test("keeps within its account's limit: what is over it waits unmarked, and costs no try", async () => {
    const { worker, sent } = atOnce()
    const limits = { of: () => ({ account: 1, each: null }), secret: new Secret("s") }
    const { handoff } = await idle(worker, { sendLimits: limits })
    const over = sms("+2")
    await store(handoff, [over])
    expect(await rowOf(over.id)).toMatchObject({ dup: false, owned: false, due: true })
    await world.told.waitFor("delivery_settled", 2)
    const { attempt = 0, forgiven = 0 } = (await rowOf(over.id)) ?? {}
    expect(attempt - forgiven).toBe(1)
    expect(sent).toHaveLength(2)
  })

  test("goes out by the real SDK of its channel", async () => {
    const { fake } = world
    const account = { accountSid: "AC1", authToken: new Secret("x"), apiRoot: fake.url, deadlineMs: 5_000 }
    const { handoff } = await idle(forAnyMessage(smsChannel({ ...account, from: "+1" })))
    await store(handoff, [sms("+9647700000003")])
    await world.told.waitFor("delivery_settled", 2)
    expect(fake.callsOf("sms").map(({ to }) => to)).toContain("+9647700000003")
  })
})

describe("room that was kept", () => {
  test("is free again when the transaction is rolled back", async () => {
    const { worker, sent } = atOnce()
    const { handoff } = await idle(worker, { inFlightOf: () => 1 })
    const handing = handoff.begin()
    const lost = sms("+1")
    const broken = db.transaction(async (tx) => {
      await insertDeliveries(tx, [lost], handing)
      throw new Error("and no commit")
    })
    await expect(broken).rejects.toThrow("and no commit")
    handing.failed()
    const next = sms("+2")
    await store(handoff, [next])
    await world.told.waitFor("delivery_settled", 2)
    expect(sent).not.toContain(lost.id)
    expect(sent).toContain(next.id)
  })

  test("of which nobody knows whether it was committed is given back, and sent once, unmarked", async () => {
    const { worker, sent } = atOnce()
    const { handoff } = await idle(worker)
    const handing = handoff.begin()
    const one = sms("+1")
    await db.transaction((tx) => insertDeliveries(tx, [one], handing))
    handing.failed()
    await world.told.waitFor("delivery_settled", 2)
    expect(await rowOf(one.id)).toEqual({ ...SETTLED, attempt: 2, forgiven: 1 })
    expect(sent.filter((id) => id === one.id)).toHaveLength(1)
  })

  test("is not used for what was decided long before its commit: that asks everything again", async () => {
    const { worker, sent } = atOnce()
    let now = 0
    const handoff = createHandoff({ now: () => now })
    await world.run([worker], { handoff })
    await store(handoff, [sms("first")])
    await world.told.waitFor("delivery_settled", 1)
    const handing = handoff.begin()
    const one = sms("+9647700000004")
    await db.transaction((tx) => insertDeliveries(tx, [one], handing))
    await db.transaction((tx) => suppress(tx, { channel: "sms", address: "+9647700000004" }, "stop"))
    now += 1_000
    await handing.committed(db)
    await world.told.waitFor("delivery_settled", 2)
    expect(await rowOf(one.id)).toMatchObject({ status: "suppressed", dup: false, owned: false })
    expect(sent).not.toContain(one.id)
  })

  test("by a dispatcher that has gone meanwhile is given back in its name", async () => {
    const { worker } = atOnce()
    const { handoff, tree } = await idle(worker)
    const handing = handoff.begin()
    const one = sms("+1")
    await db.transaction((tx) => insertDeliveries(tx, [one], handing))
    await tree.stop()
    await handing.committed(db)
    expect(await rowOf(one.id)).toMatchObject({ status: "queued", attempt: 1, forgiven: 1, dup: false, due: true })
  })

  test("is none at a hub that stops", async () => {
    const { worker, begunWith, release } = gate()
    const { handoff, tree } = await idle(worker, { drainMs: 5_000 })
    await store(handoff, [sms("+1")])
    await begunWith(2)
    const stopping = tree.stop()
    const handing = handoff.begin()
    const late = sms("+2")
    handing.reserve([late])
    expect(handing.placeOf(late)).toBeNull()
    release()
    await stopping
  })
})
