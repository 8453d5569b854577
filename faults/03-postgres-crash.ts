/** The database server dies under a hub at work, over and over; then only connections of it do, then only statements. */
import { startPrivatePostgres } from "../src/testing/private-postgres.ts"
import { fault, percentile } from "./fault.ts"
import { broken, endings, inWorld, PATIENT_MS, timed } from "./world.ts"

const IN_FLIGHT = 32
const CAP_MS = 20_000
const HUB = "application_name = 'hubbub'"

export const postgresCrash = fault({
  number: 3,
  name: "PostgreSQL crash loop",
  short: { crashes: 4, cuts: 20, cancels: 1_500, perSecond: 200 },
  full: { crashes: 30, cuts: 100, cancels: 5_000, perSecond: 200 },
  injected: ({ crashes, cuts, cancels, perSecond }) =>
    `immediate stop and start × ${crashes}, all or some backends terminated × ${cuts} each, all statements cancelled × ${cancels}, under ${perSecond} events/s`,
  async run({ crashes, cuts, cancels, perSecond }, mutant) {
    const postgres = await startPrivatePostgres()
    try {
      return await inWorld({ mutant, databaseUrl: postgres.url }, async (world) => {
        const hub = await world.hub()
        const load = world.load({ perSecond, url: () => `http://127.0.0.1:${hub.port}`, deadlineMs: PATIENT_MS })
        const back: number[] = []
        for (let crash = 0; crash < crashes; crash += 1) {
          await load.more(1 + Math.floor(Math.random() * 100))
          await postgres.crash()
          await postgres.start()
          back.push(await timed(load.more(1), CAP_MS))
        }
        for (let cut = 0; cut < 2 * cuts; cut += 1) {
          await load.more(1 + Math.floor(Math.random() * 30))
          const some = cut % 2 === 0 ? "true" : "random() < 0.4"
          await world.db.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${HUB} and ${some}`)
        }
        // So many and no more: a storm that lasted until something got through could starve a slow machine.
        for (let cancel = 0; cancel < cancels; cancel += 1)
          await world.db.query(`select pg_cancel_backend(pid) from pg_stat_activity where ${HUB}`)
        return [
          ...(await world.judged(load, { again: (crashes + 2 * cuts) * IN_FLIGHT })),
          { what: "accepts again, p99", value: percentile(back, 0.99), unit: "ms", atMost: 2_000 },
          broken(hub),
          await endings(world, [hub]),
        ]
      })
    } finally {
      await postgres.remove()
    }
  },
})
