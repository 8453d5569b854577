import { expect, test } from "bun:test"
import { newEventId } from "../domain/ids.ts"
import { business, incoming } from "../testing/builders.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import type { Accept } from "./accept.ts"
import type { RateLimits } from "./rate-limit.ts"
import { patient } from "./rate-limit-patience.ts"

/** So many a second of each business, by a clock; nobody else takes any. */
function limitsOf(perSecond: number, now: () => number): RateLimits {
  const taken = new Map<string, number>()
  return {
    async admit({ events }) {
      const of = String(events[0]?.business)
      const allowed = perSecond * (1 + Math.floor(now() / 1_000))
      const count = taken.get(of) ?? 0
      const standing = { key: `business:${of}`, perSecond, remaining: 0, resetMs: 1_000 }
      if (count >= allowed) return { kind: "limited", by: "business", retryMs: 1_000 - (now() % 1_000), standing }
      taken.set(of, count + 1)
      return { kind: "admitted", standing }
    },
    refusesCaller: () => null,
  }
}

function world(perSecond: number) {
  const clock = fakeClock()
  const calls: (readonly string[])[] = []
  let stopping = false
  const accept: Accept = async (items) => {
    calls.push(items.map(({ event }) => `${event.business}/${event.idempotencyKey}`))
    return items.map(() => ({ kind: "duplicate", id: newEventId(0) }))
  }
  const waiting = patient({ accept, limits: limitsOf(perSecond, clock.now), clock, stopping: () => stopping })
  return {
    clock,
    calls,
    waiting,
    stop: () => {
      stopping = true
    },
  }
}
const event = (of: string, key: string) => incoming({ business: business(of), idempotencyKey: key })

test("what fits is stored at once, the rest as it comes to fit, and each once", async () => {
  const { clock, calls, waiting } = world(2)
  const items = [
    event("b1", "1"),
    event("b1", "2"),
    event("b1", "3"),
    event("b2", "4"),
    event("b1", "5"),
    event("b1", "6"),
  ]
  const done = waiting(items, "nats")
  await clock.flush()
  expect(calls).toEqual([["b1/1", "b1/2", "b2/4"]])
  await clock.advance(1_000)
  expect(calls[1]).toEqual(["b1/3", "b1/5"])
  await clock.advance(1_000)
  expect(calls.flat()).toHaveLength(6)
  expect(await done).toHaveLength(6)
  expect(clock.pending).toBe(0)
})

test("results stand in the order of the items, whenever each was stored", async () => {
  const clock = fakeClock()
  const accept: Accept = async (items) =>
    items.map(({ event }) => ({ kind: "unstorable", sqlstate: String(event.idempotencyKey) }))
  const waiting = patient({ accept, limits: limitsOf(1, clock.now), clock, stopping: () => false })
  const done = waiting([event("b1", "a"), event("b1", "b"), event("b2", "c"), event("b1", "d")], "nats")
  await clock.advance(3_000)
  expect(((await done) as readonly { sqlstate: string }[]).map(({ sqlstate }) => sqlstate)).toEqual([
    "a",
    "b",
    "c",
    "d",
  ]) // as `accept` above answers
})

test("nobody is waited for while the hub stops", async () => {
  const { clock, waiting, stop } = world(1)
  const done = waiting([event("b1", "1"), event("b1", "2")], "nats")
  await clock.advance(100)
  stop()
  await clock.advance(250)
  expect(await done).toBe("late")
  expect(clock.pending).toBe(0)
})

test("what the door says of its own load is passed on", async () => {
  const clock = fakeClock()
  const waiting = patient({
    accept: async () => "overloaded",
    limits: limitsOf(5, clock.now),
    clock,
    stopping: () => false,
  })
  expect(await waiting([event("b1", "1")], "nats")).toBe("overloaded")
})

test("without limits there is nothing around the door", () => {
  const accept: Accept = async () => []
  expect(patient({ accept, limits: null, clock: fakeClock(), stopping: () => false })).toBe(accept)
})
