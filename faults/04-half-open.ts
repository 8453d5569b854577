/** Connections to the database that go silent without ending, and a database that accepts connections and says nothing. */
import { startFaultProxy } from "../src/testing/fault-proxy.ts"
import { fault } from "./fault.ts"
import { answers, broken, endings, inWorld, PATIENT_MS, startReader, timed } from "./world.ts"

const IN_FLIGHT = 32
const WRITES_AGAIN_MS = 10_000
const CAP_MS = 12_000
/** With the events that wait, fewer requests at a time than `fetch` makes (256): what waits in the client is no answer. */
const READS_PER_SECOND = 5

export const halfOpen = fault({
  number: 4,
  name: "PostgreSQL half-open",
  short: { rounds: 1, silentMs: 3_000, perSecond: 25 },
  full: { rounds: 5, silentMs: 20_000, perSecond: 15 },
  injected: ({ rounds, silentMs, perSecond }) =>
    `(all connections frozen; frozen, and new ones silent for ${silentMs / 1_000} s) × ${rounds}, under ${perSecond} events/s`,
  run: ({ rounds, silentMs, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const proxy = await startFaultProxy({ port: Number(new URL(world.databaseUrl).port) })
      world.defer(() => proxy.stop())
      const hub = await world.hub({ databaseUrl: proxy.through(world.databaseUrl) })
      const url = () => `http://127.0.0.1:${hub.port}`
      const load = world.load({ perSecond, url, deadlineMs: PATIENT_MS })
      const reader = startReader(READS_PER_SECOND, url)
      let frozen = 0
      let silent = 0
      for (let round = 0; round < rounds && silent <= WRITES_AGAIN_MS; round += 1) {
        await load.more(perSecond)
        proxy.freeze()
        await Bun.sleep(100) // what had left before is answered
        frozen = Math.max(frozen, await timed(load.more(1), CAP_MS))
        if (frozen > WRITES_AGAIN_MS) break
        await load.more(perSecond)
        proxy.treat({ kind: "silent" })
        proxy.freeze()
        await Bun.sleep(silentMs) // how long it is silent is what is tried
        proxy.treat({ kind: "pass" })
        silent = Math.max(silent, await timed(load.more(1), CAP_MS))
      }
      // A hub that has not healed by now is helped, so that the run comes to its end.
      if (Math.max(frozen, silent) > WRITES_AGAIN_MS) proxy.cut()
      const read = await reader.stop()
      return [
        { what: "writes again after half-open", value: frozen, unit: "ms", atMost: WRITES_AGAIN_MS },
        { what: "writes again after silence", value: silent, unit: "ms", atMost: WRITES_AGAIN_MS },
        ...(await world.judged(load, { again: 2 * rounds * IN_FLIGHT })),
        ...answers(load, read),
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})
