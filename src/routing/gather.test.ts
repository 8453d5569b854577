import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { GateState } from "../domain/gates.ts"
import { countingIds, type TimerId } from "../domain/ids.ts"
import { type GatheredIn, gather } from "./gather.ts"

/** Where each of these moments goes. A digest whose time has come may be closed under the event's nose. */
function gathered(
  moments: readonly number[],
  digest: { readonly windowMs: number; readonly max: number },
  closesBefore: (place: number) => boolean = () => false,
): readonly GatheredIn[] {
  const ids = countingIds()
  let state: GateState | null = null
  return moments.map((at, place) => {
    if (closesBefore(place)) state = null
    const into = gather(state, at, { key: null, ...digest }, () => ids.timer())
    state = into.state
    return into
  })
}

/** A digest's name in the order of opening, with `!` where it is full. */
const names = (all: readonly GatheredIn[]): string => {
  const order = [...new Set(all.map(({ timer }) => timer))]
  return all.map(({ timer, full }) => `${order.indexOf(timer)}${full ? "!" : ""}`).join(" ")
}

describe("a digest", () => {
  test.each([
    ["takes what comes within its window, counted from the first", [0, 50, 99], "0 0 0"],
    ["takes nothing at the moment in which it is due", [0, 99, 100, 199, 200], "0 0 1 1 2"],
    ["is full with its last event, and the next opens another", [0, 1, 2, 3, 4], "0 0 0 0! 1"],
    ["takes what was accepted before its first event and came to be routed after it", [50, 20, 60], "0 0 0"],
  ] as const)("%s", (_, moments, expected) => {
    expect(names(gathered(moments, { windowMs: 100, max: 4 }))).toBe(expected)
  })

  test("is due at the end of its window, or when it is full", () => {
    const all = gathered([10, 20, 30, 40], { windowMs: 100, max: 3 })
    expect(all.map(({ dueAt, count }) => [dueAt, count])).toEqual([
      [110, 1],
      [110, 2],
      [30, 3],
      [140, 1],
    ])
  })

  test("of one event at most is due at once", () => {
    const [one] = gathered([5], { windowMs: 100, max: 1 })
    expect(one).toMatchObject({ opened: true, full: true, dueAt: 5, state: null })
  })

  test("that was closed takes no more, though its window is not over", () => {
    expect(names(gathered([0, 10, 20], { windowMs: 100, max: 9 }, (place) => place === 2))).toBe("0 0 1")
  })

  test("every event is in exactly one, none holds more than it may, and each is opened by its first", () => {
    const steps = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 80 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100 }), (gaps, max, windowMs) => {
        let at = 0
        const moments = gaps.map((gap) => {
          at += gap
          return at
        })
        const all = gathered(moments, { windowMs, max })
        const members = new Map<TimerId, number[]>()
        for (const [i, { timer, opened, count, full, dueAt }] of all.entries()) {
          const own = [...(members.get(timer) ?? []), moments[i] ?? 0]
          members.set(timer, own)
          expect([opened, count, full]).toEqual([own.length === 1, own.length, own.length === max])
          expect(dueAt).toBe(full ? (moments[i] ?? 0) : (own[0] ?? 0) + windowMs)
        }
        for (const own of members.values()) {
          expect(own.length).toBeLessThanOrEqual(max)
          expect(own.every((moment) => moment < (own[0] ?? 0) + windowMs)).toBe(true)
        }
      }),
    )
  })
})
