/** Somebody else's long transaction: whole tables locked, and rows locked by a session that then does nothing. */
import { Client } from "pg"
import { fault } from "./fault.ts"
import { answers, broken, endings, inWorld, PATIENT_MS, startReader, timed } from "./world.ts"

const IN_FLIGHT = 32
const RECOVERS_MS = 5_000
const CAP_MS = 20_000

/** What the other session holds. */
const LOCKS: readonly string[] = [
  "lock table events in access exclusive mode",
  "lock table notifications, deliveries in access exclusive mode",
  "lock table routing_queue in access exclusive mode",
  // Idle in transaction: the rows of everything that is under way.
  "select 1 from deliveries for update",
]

export const locks = fault({
  number: 19,
  name: "locks held by others",
  short: { heldMs: 3_000, perSecond: 100 },
  full: { heldMs: 20_000, perSecond: 100 },
  injected: ({ heldMs, perSecond }) =>
    `each of ${LOCKS.length} kinds of lock held for ${heldMs / 1_000} s, under ${perSecond} events/s`,
  run: ({ heldMs, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const hub = await world.hub()
      const url = () => `http://127.0.0.1:${hub.port}`
      const load = world.load({ perSecond, url, deadlineMs: PATIENT_MS })
      const reader = startReader(10, url)
      const other = new Client({ connectionString: world.databaseUrl })
      await other.connect()
      world.defer(() => other.end())
      let accepts = 0
      let sends = 0
      for (const sql of LOCKS) {
        await load.more(perSecond / 2)
        await other.query("begin")
        await other.query(sql)
        await Bun.sleep(heldMs) // how long it is held is what is tried
        await other.query("commit")
        const sent = world.providers.calls.length
        const [accepting, sending] = await Promise.all([
          timed(load.more(1), CAP_MS),
          timed(world.providers.waitFor(sent + 1), CAP_MS),
        ])
        accepts = Math.max(accepts, accepting)
        sends = Math.max(sends, sending)
      }
      const read = await reader.stop()
      return [
        { what: "accepts again", value: accepts, unit: "ms", atMost: RECOVERS_MS },
        { what: "sends again", value: sends, unit: "ms", atMost: RECOVERS_MS },
        ...(await world.judged(load, { again: LOCKS.length * IN_FLIGHT })),
        ...answers(load, read),
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})
