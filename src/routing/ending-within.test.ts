import { expect, test } from "bun:test"
import { endingWithin, NoEnd } from "./ending-within.ts"

const spin = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test("what ends in time gives its value, and throws its own errors", () => {
  const mine = new TypeError("mine")
  expect(endingWithin(500, () => 7)).toBe(7)
  expect(endingWithin(500, () => undefined)).toBeUndefined()
  expect(() =>
    endingWithin(500, () => {
      throw mine
    }),
  ).toThrow(mine)
})

test("what has no end is ended, though it catches everything", () => {
  const endless = (): never => {
    for (;;) {
      try {
        for (;;);
      } catch {
        // Goes on.
      }
    }
  }
  expect(() => endingWithin(20, endless)).toThrow(NoEnd)
  expect(endingWithin(500, () => "well")).toBe("well")
})

test("what was only kept from ending, as by a process that was stopped, is done again", () => {
  let times = 0
  const late = (): number => {
    times += 1
    if (times === 1) spin(400)
    return times
  }
  expect(endingWithin(100, late)).toBe(2)
})
