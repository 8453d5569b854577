/** Three hubs on a server that has fewer connections than one of them would like. */
import type { HubProcess } from "../src/testing/hub-process.ts"
import { startPrivatePostgres } from "../src/testing/private-postgres.ts"
import { fault } from "./fault.ts"
import { answers, broken, endings, inWorld, PATIENT_MS, startReader } from "./world.ts"

const CONNECTIONS = 20
const HUBS = 3
const IN_FLIGHT = 32

export const connectionBudget = fault({
  number: 18,
  name: "connection budget",
  short: { events: 300, perSecond: 100 },
  full: { events: 6_000, perSecond: 200 },
  injected: ({ events, perSecond }) =>
    `${HUBS} hubs on a server with max_connections ${CONNECTIONS}, ${events} events at ${perSecond}/s and as many reads`,
  async run({ events, perSecond }, mutant) {
    const postgres = await startPrivatePostgres({ maxConnections: CONNECTIONS })
    try {
      return await inWorld({ mutant, databaseUrl: postgres.url }, async (world) => {
        const hubs: HubProcess[] = []
        while (hubs.length < HUBS) hubs.push(await world.hub())
        let turn = 0
        const url = () => {
          turn += 1
          return `http://127.0.0.1:${hubs[turn % HUBS]?.port}`
        }
        const load = world.load({ perSecond, url, deadlineMs: PATIENT_MS })
        const reader = startReader(perSecond, url)
        await load.more(events)
        const read = await reader.stop()
        return [
          ...(await world.judged(load, { again: HUBS * IN_FLIGHT })),
          ...answers(load, read),
          ...hubs.map(broken),
          await endings(world, hubs),
        ]
      })
    } finally {
      await postgres.remove()
    }
  },
})
