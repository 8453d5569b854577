/** `kill -9` of a hub, over and over, while it takes events in and sends messages out through a provider that errs. */
import { fault } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32

export const killLoop = fault({
  number: 1,
  name: "kill loop",
  short: { kills: 50, perSecond: 200, errorPercent: 3 },
  full: { kills: 200, perSecond: 300, errorPercent: 3 },
  injected: ({ kills, perSecond, errorPercent }) =>
    `kill -9 × ${kills} under ${perSecond} events/s, ${errorPercent} % provider errors`,
  run: ({ kills, perSecond, errorPercent }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const every = Math.round(100 / errorPercent)
      const errors = Array.from({ length: kills * 300 }, (_, n) =>
        n % every === every - 1 ? { kind: "answer" as const, status: 502 } : { kind: "ok" as const },
      )
      providers.script("telegram", ...errors)
      let hub = await world.hub()
      const { port } = hub
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${port}` })
      for (let kill = 0; kill < kills; kill += 1) {
        // At a moment that nothing in the hub can know: after so many more events, wherever each of them is.
        await load.more(1 + Math.floor(Math.random() * 0.75 * perSecond))
        hub.signal("SIGKILL")
        await hub.exited
        hub = await world.hub({ port })
      }
      const figures = await world.judged(load, { again: kills * IN_FLIGHT })
      return [
        { what: "accepted per kill", value: load.acked.size / kills, atLeast: 20 },
        ...figures,
        await endings(world, [hub]),
      ]
    }),
})
