/** Phoenix's own client through all that it can meet, in any order: kicks, restarts, lost lines, silence, refusals, crashes of topics. */
import { LongPoll, Presence, Socket } from "phoenix"
import { CHECKS, runCheck } from "../src/testing/stock-checks.ts"
import { startStockStage } from "../src/testing/stock-stage.ts"
import { fault } from "./fault.ts"

const DEADLINE_MS = 20_000

export const stockClient = fault({
  number: 41,
  name: "stock client",
  short: { rounds: 1 },
  full: { rounds: 20 },
  injected: ({ rounds }) =>
    `${rounds} × what Phoenix tests of client and server together, in random order, over both transports`,
  async run({ rounds }) {
    const stage = await startStockStage()
    const stageOf = { client: { Socket, LongPoll, Presence }, ...stage }
    const all = CHECKS.flatMap(({ title, ways }) => ways.map((way) => ({ title, way })))
    const failed = new Map<string, number>()
    let passed = 0
    try {
      for (let round = 0; round < rounds; round++) {
        for (const { title, way } of shuffled(all)) {
          const late = Promise.withResolvers<never>()
          const timer = setTimeout(() => late.reject(new Error("late")), DEADLINE_MS)
          const wrong = await Promise.race([runCheck(stageOf, title, way), late.promise]).then(
            () => null,
            (error: unknown) => `${title}, over ${way}: ${error instanceof Error ? error.message : "?"}`,
          )
          clearTimeout(timer)
          if (wrong === null) passed += 1
          else failed.set(wrong, (failed.get(wrong) ?? 0) + 1)
        }
      }
    } finally {
      await stage.stop()
    }
    return [
      { what: "passed", value: passed, atLeast: rounds * all.length },
      ...[...failed].map(([what, value]) => ({ what, value, atMost: 0 })),
    ]
  },
})

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
