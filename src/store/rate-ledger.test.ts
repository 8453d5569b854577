import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Lease, LeaseRequest } from "./rate-buckets.ts"
import { type Charge, LEASE_MS, Ledger } from "./rate-ledger.ts"

/** The bucket of store/rate-buckets.ts with the time in the test's hands. */
class Buckets {
  readonly #rows = new Map<string, { tokens: number; at: number }>()
  leases = 0
  granted = 0

  lease(requests: readonly LeaseRequest[], now: number): readonly Lease[] {
    this.leases += 1
    return requests.map(({ key, perSecond, least, want }) => {
      const row = this.#rows.get(key) ?? { tokens: perSecond, at: now }
      const tokens = Math.min(perSecond, row.tokens + (perSecond * (now - row.at)) / 1_000)
      const granted = tokens >= Math.min(least, perSecond) ? Math.max(Math.min(want, Math.floor(tokens)), least) : 0
      this.#rows.set(key, { tokens: tokens - granted, at: now })
      this.granted += granted
      return { key, granted, left: tokens - granted }
    })
  }
}

/** What `ingest/rate-limit.ts` does, with a database that answers at once. True: taken. */
function ask(node: Ledger, buckets: Buckets, charges: readonly Charge[], now: number): boolean {
  for (let leases = 0; leases < 3; leases++) {
    const taken = node.take(charges, now)
    if (taken.kind !== "lacking") return taken.kind === "taken"
    const requests = node.requests([charges], now)
    node.book(requests, buckets.lease(requests, now), now)
  }
  return false
}

const caller = (perSecond: number, count = 1): Charge => ({ key: "caller:a", perSecond, count })

/** Two nodes, each asked `perSecond` times a second for `seconds`; when what was taken was taken. */
function openLoop(limit: number, perSecond: number, seconds: number): { readonly taken: number[]; leases: number } {
  const nodes = [new Ledger(), new Ledger()]
  const buckets = new Buckets()
  const taken: number[] = []
  for (let i = 0; i < perSecond * seconds; i++) {
    const now = (i * 1_000) / perSecond
    for (const node of nodes) if (ask(node, buckets, [caller(limit)], now)) taken.push(now)
  }
  return { taken, leases: buckets.leases }
}

describe("the ledger", () => {
  test.each([1, 3, 10, 100, 500, 2_000])(
    "two nodes asked 50 times too often pass one burst and %i a second, within 5 %",
    (limit) => {
      const seconds = 10
      const { taken } = openLoop(limit, limit * 25, seconds)
      expect(taken.length).toBeLessThanOrEqual(limit * (seconds + 1))
      expect(taken.length).toBeGreaterThanOrEqual(0.95 * limit * seconds)
      // After the burst of the beginning each second holds the limit too, but for what was leased in the one before.
      for (let second = 1; second < seconds; second++) {
        const within = taken.filter((at) => at >= second * 1_000 && at < (second + 1) * 1_000).length
        expect(within).toBeLessThanOrEqual(Math.ceil(limit * 1.2) + 1)
      }
    },
  )

  test("a flood costs the database a bounded number of leases: some 20 a second and node, however many ask", () => {
    const { leases } = openLoop(1_000, 50_000, 2)
    expect(leases).toBeLessThanOrEqual(2 * 2 * 21 + 10 + 2 * 20)
  })

  test("a caller that stays within its limit is never refused, on however many nodes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 500 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        (limit, count, seed) => {
          const nodes = Array.from({ length: count }, () => new Ledger())
          const buckets = new Buckets()
          let state = seed | 0
          const random = (): number => {
            state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
            return (state >>> 8) % count
          }
          // Each node may hold back what it had spent in its last second: a caller at 80 % never feels it.
          const perSecond = limit * 0.8
          for (let i = 0; i < perSecond * 5; i++) {
            const node = nodes[random()] ?? new Ledger()
            expect(ask(node, buckets, [caller(limit)], (i * 1_000) / perSecond)).toBe(true)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test("whatever is asked when and where, no window holds more than a burst, the limit, and what nodes had leased", () => {
    const asks = fc.array(
      fc.record({
        wait: fc.integer({ min: 0, max: 400 }),
        node: fc.integer({ min: 0, max: 2 }),
        count: fc.integer({ min: 1, max: 120 }),
      }),
      { minLength: 1, maxLength: 300 },
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), asks, (limit, all) => {
        const nodes = [new Ledger(), new Ledger(), new Ledger()]
        const buckets = new Buckets()
        const taken: { at: number; count: number }[] = []
        let now = 0
        for (const { wait, node, count } of all) {
          now += wait
          if (ask(nodes[node] ?? new Ledger(), buckets, [caller(limit, count)], now)) taken.push({ at: now, count })
        }
        // A batch larger than the bucket is lent its rest, which is paid back before anything else passes.
        const largest = Math.max(...all.map(({ count }) => count))
        for (const [i, first] of taken.entries()) {
          let sum = 0
          for (const { at, count } of taken.slice(i)) {
            sum += count
            const held = 3 * Math.max(limit * 0.1, largest)
            expect(sum).toBeLessThanOrEqual(limit + (limit * (at - first.at)) / 1_000 + held + largest)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test("all charges are taken or none: the one that is refused costs the others nothing", () => {
    const node = new Ledger()
    const buckets = new Buckets()
    const business: Charge = { key: "business:b", perSecond: 5, count: 1 }
    const type: Charge = { key: "type:b:t", perSecond: 100, count: 1 }
    for (let i = 0; i < 5; i++) expect(ask(node, buckets, [business, type], 0)).toBe(true)
    for (let i = 0; i < 50; i++) expect(ask(node, buckets, [business, type], 0)).toBe(false)
    for (let i = 0; i < 95; i++) expect(ask(node, buckets, [type], 0)).toBe(true)
    expect(ask(node, buckets, [type], 0)).toBe(false)
  })

  test("one caller's flood leaves the other's bucket as it was", () => {
    const node = new Ledger()
    const buckets = new Buckets()
    for (let i = 0; i < 1_000; i++) ask(node, buckets, [caller(10)], i)
    const other: Charge = { key: "caller:b", perSecond: 10, count: 1 }
    for (let i = 0; i < 10; i++) expect(ask(node, buckets, [other], 1_000)).toBe(true)
  })

  test("a batch larger than a second's worth passes a full bucket, and what it was lent is waited for", () => {
    const node = new Ledger()
    const buckets = new Buckets()
    expect(ask(node, buckets, [caller(10, 40)], 0)).toBe(true)
    expect(node.take([caller(10, 1)], 100)).toMatchObject({ kind: "refused", retryMs: expect.any(Number) })
    expect(ask(node, buckets, [caller(10, 1)], 2_900)).toBe(false)
    expect(ask(node, buckets, [caller(10, 1)], 3_600)).toBe(true)
  })

  test("the time to wait is the time until it passes, when nobody else asks", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 1_000 }), (limit, count) => {
        const node = new Ledger()
        const buckets = new Buckets()
        while (ask(node, buckets, [caller(limit, count)], 0));
        const refused = node.take([caller(limit, count)], 0)
        if (refused.kind !== "refused") throw new Error(refused.kind)
        expect(ask(node, buckets, [caller(limit, count)], refused.retryMs * 0.9)).toBe(false)
        // Leased tokens that lay idle meanwhile are given up, and the bucket makes up for them.
        const later = refused.retryMs + (refused.retryMs > LEASE_MS ? LEASE_MS : 0)
        expect(ask(node, buckets, [caller(limit, count)], later + 1)).toBe(true)
      }),
    )
  })

  test("what was leased and not spent is given up after a second", () => {
    const node = new Ledger()
    const lease = { key: "caller:a", perSecond: 10, least: 1, want: 5 }
    node.book([lease], [{ key: "caller:a", granted: 5, left: 0 }], 0)
    expect(node.take([caller(10, 1)], LEASE_MS).kind).toBe("taken")
    expect(node.take([caller(10, 1)], LEASE_MS + 1).kind).toBe("lacking")
  })

  test("a node that asks now and then leases what it wants and no block", () => {
    const node = new Ledger()
    const buckets = new Buckets()
    for (let second = 0; second < 20; second++) {
      const requests = node.requests([[caller(500)]], second * 1_500)
      expect(requests).toEqual([{ key: "caller:a", perSecond: 500, least: 1, want: 1 }])
      expect(ask(node, buckets, [caller(500)], second * 1_500)).toBe(true)
    }
  })

  test("a node that asks a little leases a little: at most twice what it had spent of its last lease", () => {
    const node = new Ledger()
    const buckets = new Buckets()
    let granted = 1
    for (let now = 0; now < 10_000; now += 100) {
      const before = buckets.granted
      expect(ask(node, buckets, [caller(5_000)], now)).toBe(true)
      const lease = buckets.granted - before
      expect(lease).toBeLessThanOrEqual(1 + 2 * granted)
      if (lease > 0) granted = lease
    }
    // Ten a second, and what is given up of that is less than as much again.
    expect(buckets.granted).toBeLessThan(2 * 100)
  })

  test("says how a limit stands", () => {
    const node = new Ledger()
    const buckets = new Buckets()
    expect(node.standing("caller:a", 10, 0)).toMatchObject({ remaining: 10, resetMs: 0 })
    for (let i = 0; i < 4; i++) ask(node, buckets, [caller(10)], 0)
    expect(node.standing("caller:a", 10, 0)).toMatchObject({ remaining: 6, resetMs: 400 })
    for (let i = 0; i < 9; i++) ask(node, buckets, [caller(10)], 0)
    expect(node.standing("caller:a", 10, 0)).toMatchObject({ remaining: 0 })
  })

  test("many keys do not fill the memory: the one that was leased longest ago is forgotten", () => {
    const node = new Ledger(3)
    const buckets = new Buckets()
    for (const name of ["a", "b", "c", "d"])
      expect(ask(node, buckets, [{ key: `caller:${name}`, perSecond: 5, count: 1 }], 0)).toBe(true)
    expect(node.size).toBe(3)
    expect(node.standing("caller:a", 5, 0).remaining).toBe(5)
    expect(node.standing("caller:d", 5, 0).remaining).toBe(4)
  })
})
