/** Much is to happen at its moment, some of it by timers and some by deliveries that wait, and the hub is killed in between. */
import { join } from "node:path"
import { accountIn } from "../src/testing/margin-call.ts"
import { seedDeliveries } from "../src/testing/seed-deliveries.ts"
import { calledAfter } from "./22-clock-jumps.ts"
import { calls, DELAY_MS } from "./calls.ts"
import { fault, percentile } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default), and as many whose settlement is on its way. */
const IN_HAND = 2 * 32
const LEASE_MS = 2_000
/** Numbers of accounts that no event has. */
const FIRST = 1_000_000

export const schedulerDrift = fault({
  number: 36,
  name: "scheduler drift",
  short: { waiting: 300, withinMs: 3_000, perSecond: 60, kills: 1, lateMs: null },
  full: { waiting: 40_000, withinMs: 120_000, perSecond: 160, kills: 6, lateMs: 2_000 },
  injected: ({ waiting, withinMs, perSecond, kills }) =>
    `${waiting} deliveries due over ${withinMs / 1_000} s, ${perSecond} events/s of which half are told a second later, kill -9 × ${kills}`,
  run: ({ waiting, withinMs, perSecond, kills, lateMs }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { db, providers } = world
      const { settings, load: callLoad, told } = await calls(world)
      const start = (port = 0) =>
        world.hub({
          port,
          preloads: [join(import.meta.dirname, "pace.ts")],
          settings: { ...settings, PACE_LEASE_MS: String(LEASE_MS) },
        })
      const ids = await seedDeliveries(
        db,
        Array.from({ length: waiting }, (_, n) => ({
          message: {
            channel: "telegram",
            chatId: "991",
            html: `acc-${FIRST + n}.`,
            actionUrl: null,
            actionLabel: null,
          },
        })),
      )
      // As what quiet hours hold back: each at its own moment, all of them later than now.
      await db.execute(
        `update deliveries d set status = 'scheduled', reason = 'quiet_hours',
           next_attempt_at = now() + interval '1 second' + i.n * $2::float8 * interval '1 millisecond'
         from unnest($1::text[]) with ordinality as i (id, n) where d.id = i.id`,
        [[...ids], withinMs / waiting],
      )
      const due = await db.query<{ id: string; at: number }>(
        "select id, (extract(epoch from next_attempt_at) * 1000)::float8 as at from deliveries where status = 'scheduled'",
      )
      const dueAt = new Map(due.map(({ id, at }) => [id, at]))

      let hub = await start()
      const { port } = hub
      const load = callLoad(perSecond, () => `http://127.0.0.1:${port}`)
      for (let kill = 0; kill < kills; kill += 1) {
        await load.more((perSecond * withinMs) / 1_000 / (kills + 1))
        hub.signal("SIGKILL")
        await hub.exited
        hub = await start(port)
      }
      await load.more(perSecond / 2)
      await told(load)
      const figures = await world.judged(load, {
        again: kills * IN_HAND,
        seeded: new Map(ids.map((id, n) => [`acc-${FIRST + n}.`, id])),
      })

      const first = new Map<string, number>()
      for (const { text, at } of providers.callsOf("telegram")) {
        const key = accountIn(text)
        if (!first.has(key)) first.set(key, at)
      }
      const late = ids.flatMap((id, n) => {
        const at = first.get(`acc-${FIRST + n}.`)
        // Milliseconds of the one, microseconds of the other.
        return at === undefined ? [] : [at + 1 - (dueAt.get(id) ?? 0)]
      })
      const delays = (await calledAfter(world)).map((ms) => ms - DELAY_MS)
      const bound = lateMs === null ? {} : { atMost: lateMs }
      return [
        ...figures,
        { what: "told later", value: delays.length, atLeast: perSecond / 2 },
        { what: "forgotten", value: waiting - late.length, atMost: 0 },
        { what: "early", value: [...late, ...delays].filter((ms) => ms < 0).length, atMost: 0 },
        { what: "deliveries late at p99", value: percentile(late, 0.99), unit: "ms", ...bound },
        { what: "timers late at p99", value: percentile(delays, 0.99), unit: "ms", ...bound },
        await endings(world, [hub]),
      ]
    }),
})
