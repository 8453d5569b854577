/** Lanes under any traffic, against a stream that brings again what was handed back: what must hold after each round. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { newEventId } from "../domain/ids.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import type { StreamMessage } from "./jetstream-message.ts"
import { createSettling } from "./jetstream-settle.ts"
import type { RateLimits } from "./rate-limit.ts"

const BOUNDS = { lanes: 3, lane: { messages: 4, bytes: 2_000 }, all: { messages: 9, bytes: 4_000 } }
const FREE = "free"
const LOUD = ["l1", "l2", "l3", "l4", "l5"]
/** Of each business but `FREE`, events a second. */
const PER_SECOND = 5
const nothing = (): void => {}
/** How the database is during a round: there, too slow for an event, or away for whoever asks about a limit. */
type Weather = "fair" | "late" | "away"
const AWAY = new Error("the database is away")

/** A settling, its stream and its limits, all by one clock that is moved by hand. */
function world() {
  const clock = fakeClock(undefined, async () => {
    for (let turn = 0; turn < 40; turn += 1) await Promise.resolve()
  })
  const used = new Map<string, number>()
  const limits: RateLimits = {
    async admit({ events }) {
      const of = String(events[0]?.business)
      if (weather === "away") throw AWAY
      const standing = { key: `business:${of}`, perSecond: PER_SECOND, remaining: 0, resetMs: 1_000 }
      if (of === FREE) return { kind: "admitted", standing: null }
      const allowed = PER_SECOND * (1 + clock.now() / 1_000)
      const taken = used.get(of) ?? 0
      if (taken + 1 > allowed) return { kind: "limited", by: "business", retryMs: 200, standing }
      used.set(of, taken + 1)
      return { kind: "admitted", standing }
    },
    refusesCaller: () => null,
  }
  const committed = new Set<string>()
  const order: string[] = []
  const back: { readonly at: number; readonly sequence: number }[] = []
  const handedBack = new Set<number>()
  const acked: number[] = []
  const bodies: Uint8Array[] = []
  let weather: Weather = "fair"
  const settling = createSettling({
    limits,
    clock,
    telemetry: { emit: nothing },
    rejections: { keep: async () => {} },
    laneBounds: BOUNDS,
    accept: async (items) => {
      if (weather === "late") return "late"
      for (const { event } of items) {
        const key = String(event.idempotencyKey)
        if (!committed.has(key)) order.push(key)
        committed.add(key)
      }
      return items.map(() => ({ kind: "duplicate", id: newEventId(0) }) as const)
    },
  })
  const message = (sequence: number, redelivered: boolean): StreamMessage => ({
    subject: "hub.events.x",
    data: bodies[sequence] ?? new Uint8Array(),
    headers: [],
    sequence: String(sequence),
    place: `${sequence}:1`,
    redelivered,
    ack: () => void acked.push(sequence),
    term: () => expect(sequence).toBe(-1),
    working: nothing,
    nak: (delayMs = 2_000) => {
      handedBack.add(sequence)
      back.push({ at: clock.now() + delayMs, sequence })
    },
  })
  const due = (): readonly StreamMessage[] => {
    const now = back.filter(({ at }) => at <= clock.now()).toSorted((a, b) => a.at - b.at)
    for (const one of now) back.splice(back.indexOf(one), 1)
    return now.map(({ sequence }) => message(sequence, true))
  }
  return {
    clock,
    settling,
    acked,
    order,
    committed,
    handedBack,
    back,
    sent: () => bodies.length,
    keys: (sequence: number): readonly string[] =>
      (JSON.parse(new TextDecoder().decode(bodies[sequence])) as { idempotency_key: string }[]).map(
        (one) => one.idempotency_key, // as `step` wrote it
      ),
    /** Messages of `l1` that come again, in this order. */
    async again(sequences: readonly number[]): Promise<void> {
      for (const sequence of sequences) {
        const key = `l1/${sequence}/0`
        const event = { type: "t", source: "s", business_id: "l1", idempotency_key: key }
        bodies[sequence] = new TextEncoder().encode(JSON.stringify(event))
      }
      settling.take(sequences.map((sequence) => message(sequence, true)))
      await settling.round()
    },
    /** New messages, each a list of businesses, behind what comes again. */
    async step(lists: readonly (readonly string[])[], during: Weather = "fair"): Promise<void> {
      const fresh = lists.map((businesses) => {
        const sequence = bodies.length
        const event = (of: string, n: number) => ({
          type: "t",
          source: "s",
          business_id: of,
          idempotency_key: `${of}/${sequence}/${n}`,
        })
        bodies.push(new TextEncoder().encode(JSON.stringify(businesses.map(event))))
        return message(sequence, false)
      })
      settling.take([...due(), ...fresh])
      weather = during
      const failed = await settling.round().catch((error: unknown) => error)
      if (failed instanceof Error && failed !== AWAY) throw failed
    },
  }
}

const lists = fc.array(fc.array(fc.constantFrom(FREE, ...LOUD), { minLength: 1, maxLength: 3 }), { maxLength: 12 })
const steps = fc.array(
  fc.record({ lists, ms: fc.integer({ min: 0, max: 900 }), weather: fc.constantFrom<Weather>("fair", "late", "away") }),
  {
    minLength: 1,
    maxLength: 12,
  },
)

test("whatever comes: bounds hold, the unlimited never wait, nothing is acknowledged before its commit, order is kept", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (traffic) => {
      const { clock, settling, step, ...seen } = world()
      for (const { lists: some, ms, weather } of traffic) {
        const first = seen.sent()
        await step(some, weather)
        // A round that failed keeps all; the next one that works settles it, and nothing is taken between them.
        if (weather !== "fair") await step([])
        expect(settling.limited()).toBeLessThanOrEqual(BOUNDS.all.messages)
        expect([...settling.messages()].length).toBeLessThanOrEqual(BOUNDS.all.messages)
        for (const sequence of seen.acked)
          for (const key of seen.keys(sequence)) expect(seen.committed.has(key)).toBe(true)
        const free = some.flatMap((list, n) => (list.every((of) => of === FREE) ? [first + n] : []))
        for (const sequence of free) expect(seen.acked).toContain(sequence)
        await clock.advance(ms)
      }
      for (let turn = 0; turn < 400 && seen.acked.length < seen.sent(); turn += 1) {
        await clock.advance(250)
        await step([])
      }
      expect(seen.acked.toSorted((a, b) => a - b)).toEqual(Array.from({ length: seen.sent() }, (_, n) => n))
      expect([...settling.messages()]).toEqual([])
      for (const of of LOUD) {
        const stayed = seen.order
          .map((key) => key.split("/"))
          .filter(([b, n]) => b === of && !seen.handedBack.has(Number(n)))
        const sequences = stayed.map(([, n]) => Number(n))
        expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
      }
    }),
    { numRuns: 150 },
  )
})

test("a flood of one business beyond its lane keeps its order, and each message comes a few times at most", async () => {
  const { clock, settling, step, ...seen } = world()
  let deliveries = 0
  for (let n = 0; n < 10; n += 1) {
    deliveries += 10
    await step(Array.from({ length: 10 }, () => ["l1"]))
    await clock.advance(100)
  }
  for (let turn = 0; turn < 2_000 && seen.acked.length < 100; turn += 1) {
    const before = seen.back.length
    await clock.advance(50)
    await step([])
    deliveries += Math.max(0, before - seen.back.length)
  }
  expect(seen.acked.toSorted((a, b) => a - b)).toHaveLength(100)
  const sequences = seen.order.map((key) => Number(key.split("/")[1]))
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
  expect(deliveries).toBeLessThanOrEqual(300)
  // At its limit: five at once, and five a second.
  expect(clock.now()).toBeLessThanOrEqual(30_000)
  expect(settling.limited()).toBe(0)
})

test("what comes again a little out of order is stored in the order of the stream", async () => {
  const { clock, order, again } = world()
  await again([0, 1, 2, 3, 4, 7])
  await again([6])
  await again([8, 5])
  for (let turn = 0; turn < 10; turn += 1) {
    await clock.advance(250)
    await again([])
  }
  expect(order).toEqual(Array.from({ length: 9 }, (_, n) => `l1/${n}/0`))
})
