/** A message that ends the process of whoever tries it, among others that are well. */
import { join } from "node:path"
import { eventually } from "../src/testing/eventually.ts"
import { accountIn } from "../src/testing/margin-call.ts"
import { seedDeliveries } from "../src/testing/seed-deliveries.ts"
import { fault } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

const LEASE_MS = 1_000
/** Each is a crash: with as many as the hub allows by itself, twelve. */
const TRIES = 3
/** More than it may take. */
const MOST_STARTS = 40
const HEALTHY_MS = 60_000

export const poisonCrash = fault({
  number: 25,
  name: "poison crash",
  short: { poison: 1, good: 4 },
  full: { poison: 1, good: 2_000 },
  injected: ({ poison, good }) =>
    `${poison} message${poison === 1 ? " that ends" : "s that end"} the process whenever it is tried, among ${good} that are well; ${TRIES} tries`,
  run: ({ poison, good }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { db, providers } = world
      const text = (html: string) => ({
        message: { channel: "telegram" as const, chatId: "991", html, actionUrl: null, actionLabel: null },
      })
      const wells = Array.from({ length: good }, (_, n) => text(`acc-${n}.`))
      const middle = Math.floor(good / 2)
      const ills = Array.from({ length: poison }, () => text("poison"))
      await seedDeliveries(db, [...wells.slice(0, middle), ...ills, ...wells.slice(middle)])
      const start = () =>
        world.hub({
          until: "rules_loaded",
          preloads: ["poisoned.ts", "pace.ts"].map((file) => join(import.meta.dirname, file)),
          settings: { PACE_LEASE_MS: String(LEASE_MS), HUB_RETRY: `telegram.tries=${TRIES}` },
        })
      const open = async (): Promise<number> =>
        (await db.query("select from deliveries where status not in ('delivered', 'dead')")).length
      let crashes = 0
      let hub = await start()
      for (; crashes < MOST_STARTS; crashes += 1) {
        let alive = true
        void hub.exited.then(() => {
          alive = false
        })
        const left = await eventually(open, (n) => n === 0 || !alive, {
          withinMs: HEALTHY_MS,
          what: "what has not ended",
        })
        if (left === 0 && alive) break
        hub = await start()
      }
      const sent = new Set(providers.callsOf("telegram").map((call) => accountIn(call.text)))
      const [dead] = await db.query<{ n: number; most: number }>(
        "select count(*)::int as n, coalesce(max(attempt), 0) as most from deliveries where status = 'dead'",
      )
      return [
        { what: "crashes", value: crashes, atMost: TRIES * poison },
        { what: "dead letters", value: dead?.n ?? 0, atLeast: poison, atMost: poison },
        { what: "tries of one of them", value: dead?.most ?? 0, atMost: TRIES },
        { what: "good ones not sent", value: good - sent.size, atMost: 0 },
        { what: "left undone", value: await open(), atMost: 0 },
        await endings(world, [hub]),
      ]
    }),
})
