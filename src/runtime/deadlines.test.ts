import { expect, test } from "bun:test"
import fc from "fast-check"
import { fakeClock } from "../testing/fake-clock.ts"
import { createDeadlines } from "./deadlines.ts"

test("each wait ends with its work, or late at its own deadline, however many share the timer", async () => {
  const waits = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 60 }), takes: fc.integer({ min: 0, max: 200 }) }), {
    minLength: 1,
    maxLength: 12,
  })
  await fc.assert(
    fc.asyncProperty(waits, async (given) => {
      const clock = fakeClock(undefined, async () => {
        await Promise.resolve()
        await Promise.resolve()
        await Promise.resolve()
      })
      const inTime = createDeadlines(clock, 100)
      const ended: [after: number, result: unknown][] = []
      for (const [index, { gap, takes }] of given.entries()) {
        await clock.advance(gap)
        const began = clock.now()
        // Half a millisecond off, so that no work ends at the very moment of a deadline.
        const work = new Promise<number>((resolve, reject) => {
          clock.after(takes + 0.5, () => (index % 3 === 2 ? reject(new Error("failed")) : resolve(index)))
        })
        inTime(work).then(
          (result) => ended.push([clock.now() - began, result === "late" ? "late" : result === index]),
          (error: Error) => ended.push([clock.now() - began, error.message]),
        )
      }
      await clock.advance(400)
      const expected = given.map(({ takes }, index) =>
        takes >= 100 ? [100, "late"] : [takes + 0.5, index % 3 === 2 ? "failed" : true],
      )
      const sorted = (list: readonly (readonly unknown[])[]) => list.map((one) => JSON.stringify(one)).sort()
      expect(sorted(ended)).toEqual(sorted(expected))
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 200 },
  )
})

test("a timer that comes early is set again", async () => {
  const clock = fakeClock()
  let early = 3
  const hasty = {
    ...clock,
    after: (ms: number, run: () => void) => clock.after(early-- > 0 ? ms / 2 : ms, run),
  }
  let ended: unknown = null
  const inTime = createDeadlines(hasty, 100)
  void inTime(new Promise(() => undefined)).then((result) => {
    ended = result
  })
  await clock.advance(99)
  expect(ended).toBeNull()
  await clock.advance(1)
  expect(ended).toBe("late")
  expect(clock.pending).toBe(0)
})

test("one timer serves all waits, is not set again when nothing waits, and the next wait has its whole time", async () => {
  const clock = fakeClock()
  const inTime = createDeadlines(clock, 100)
  expect(await Promise.all([inTime(Promise.resolve(1)), inTime(Promise.resolve(2))])).toEqual([1, 2])
  expect(clock.pending).toBe(1)
  await clock.advance(60)
  let ended: unknown = null
  void inTime(new Promise(() => undefined)).then((result) => {
    ended = result
  })
  expect(clock.pending).toBe(1)
  await clock.advance(99)
  expect(ended).toBeNull()
  await clock.advance(1)
  expect(ended).toBe("late")
  expect(clock.pending).toBe(0)
})
