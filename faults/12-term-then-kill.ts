/** A hub that is asked to stop and killed in the midst of it, at whatever it is doing then. */
import { join } from "node:path"
import { fault } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default), and as many whose settlement is on its way. */
const IN_HAND = 2 * 32
/** What the provider takes for an answer: a stop waits for it. */
const ANSWER_MS = 2_500
const LEASE_MS = 2_000

export const termThenKill = fault({
  number: 12,
  name: "SIGTERM, then SIGKILL",
  short: { after: [0, 1_000], perSecond: 60 },
  full: { after: Array.from({ length: 20 }, (_, n) => n * 500), perSecond: 100 },
  injected: ({ after, perSecond }) =>
    `SIGTERM, and SIGKILL up to ${(after.at(-1) ?? 0) / 1_000} s later, × ${after.length} under ${perSecond} events/s`,
  run: ({ after, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      providers.always("telegram", () => ({ kind: "wait", released: Bun.sleep(ANSWER_MS) }))
      const start = (at = 0) =>
        world.hub({
          port: at,
          preloads: [join(import.meta.dirname, "pace.ts")],
          settings: { PACE_LEASE_MS: String(LEASE_MS) },
        })
      let hub = await start()
      const { port } = hub
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${port}` })
      let killed = 0
      for (const ms of after) {
        await load.more(perSecond / 2)
        hub.signal("SIGTERM")
        await Promise.race([hub.exited, Bun.sleep(ms)]) // when it is killed is what is tried
        hub.signal("SIGKILL")
        if ((await hub.exited) === "SIGKILL") killed += 1
        hub = await start(port)
      }
      providers.always("telegram", { kind: "ok" })
      const figures = await world.judged(load, { again: killed * IN_HAND })
      return [{ what: "killed in the midst", value: killed, atLeast: 1 }, ...figures, await endings(world, [hub])]
    }),
})
