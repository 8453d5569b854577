import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { GateState } from "../domain/gates.ts"
import type { Limit } from "../domain/rule.ts"
import { admit } from "./limits.ts"

const throttle = (limit: number, windowMs: number): Limit => ({ word: "throttle", key: null, limit, windowMs })

/** Which of these moments are let through, asked one after the other. */
function admitted(moments: readonly number[], limit: Limit): readonly boolean[] {
  let state: GateState | null = null
  return moments.map((at) => {
    const answer = admit(state, at, limit)
    if (answer.admitted) state = answer.state
    return answer.admitted
  })
}

describe("a limit", () => {
  test.each([
    [
      "lets the first through, and the next when the window is over to the millisecond",
      1,
      [0, 99, 100, 199, 200],
      "10101",
    ],
    ["lets as many through as it says", 3, [0, 1, 2, 3, 100, 101, 102, 103], "11101110"],
    ["slides: what falls out of the window makes room for as much", 2, [0, 60, 90, 100, 101, 159, 160], "1101001"],
    ["counts nothing that it refused", 1, [0, 50, 60, 70, 100], "10001"],
    ["takes a moment before the last counted for the last", 2, [100, 20, 150, 199, 200], "11001"],
  ] as const)("%s", (_, limit, moments, expected) => {
    expect(admitted(moments, throttle(limit, 100)).map(Number).join("")).toBe(expected)
  })

  test("remembers no more than the window, and says until when it means something", () => {
    let state: GateState | null = null
    for (const at of [0, 10, 20, 115]) {
      const answer = admit(state, at, throttle(5, 100))
      if (!answer.admitted) throw new Error("there is room for five")
      state = answer.state
      expect(answer.staleAt).toBe(at + 100)
    }
    expect(state).toEqual({ kind: "limit", times: [20, 115] })
  })

  test("never lets more through in any window than it says, and refuses only where the window is full", () => {
    const streams = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 })
    fc.assert(
      fc.property(
        streams,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 120 }),
        (moments, limit, windowMs) => {
          const answers = admitted(moments, throttle(limit, windowMs))
          const counted: number[] = []
          for (const [i, at] of moments.entries()) {
            const moment = Math.max(at, counted.at(-1) ?? at)
            const inWindow = counted.filter((time) => time > moment - windowMs).length
            expect(answers[i]).toBe(inWindow < limit)
            if (answers[i] === true) counted.push(moment)
          }
          for (const end of counted)
            expect(counted.filter((time) => time > end - windowMs && time <= end).length).toBeLessThanOrEqual(limit)
        },
      ),
    )
  })
})
