import { expect, test } from "bun:test"
import fc from "fast-check"
import { fakeClock } from "../testing/fake-clock.ts"
import { AcceptRate, type Turn } from "./accept-rate.ts"

test("a burst comes in at once, the rest in turn, and whoever would wait for more than 5 s is told when to come", async () => {
  const clock = fakeClock()
  const door = new AcceptRate(clock, 100, 50)
  const came: number[] = []
  const turns = Array.from({ length: 600 }, async (_, n): Promise<Turn> => {
    const turn = await door.turn()
    if (turn.kind === "come_in") came.push(n)
    return turn
  })
  await clock.flush()
  expect(came).toHaveLength(50)
  await clock.advance(1_000)
  expect(came).toHaveLength(150)
  await clock.advance(4_000)
  expect(came).toEqual(Array.from({ length: 550 }, (_, n) => n))
  const refused = (await Promise.all(turns)).filter(({ kind }) => kind === "refused")
  expect(refused).toHaveLength(50)
  expect(refused[0]).toEqual({ kind: "refused", retryAfterMs: 5_010 })
  expect(clock.pending).toBe(0)
})

test("in any stretch of time no more come in than the rate and one burst, in the order in which they knocked", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ knocks: fc.integer({ min: 0, max: 40 }), thenMs: fc.integer({ min: 0, max: 400 }) }), {
        maxLength: 12,
      }),
      fc.integer({ min: 1, max: 20 }),
      async (steps, burst) => {
        const clock = fakeClock()
        const [perSecond, came]: [number, { n: number; at: number }[]] = [50, []]
        const door = new AcceptRate(clock, perSecond, burst)
        let n = 0
        for (const { knocks, thenMs } of steps) {
          for (let knock = 0; knock < knocks; knock++) {
            const mine = n++
            void door.turn().then(({ kind }) => kind === "come_in" && came.push({ n: mine, at: clock.now() }))
          }
          await clock.advance(thenMs)
        }
        await clock.advance(6_000)
        expect(came.map((one) => one.n)).toEqual(came.map((one) => one.n).toSorted((a, b) => a - b))
        for (const [first, { at }] of came.entries()) {
          for (const [more, later] of came.slice(first).entries()) {
            expect(more + 1).toBeLessThanOrEqual(burst + ((later.at - at) / 1_000) * perSecond + 1.001)
          }
        }
      },
    ),
    { numRuns: 40 },
  )
})
