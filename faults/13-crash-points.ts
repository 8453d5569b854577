/** A hub that dies at each of the places where something is half done, one after the other, under load. */
import { join } from "node:path"
import { calls } from "./calls.ts"
import { CRASH_POINTS, type CrashPoint, gone } from "./crash-points.ts"
import { fault } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32
const ANSWER_MS = 50
const LEASE_MS = 2_000
const REACHED_MS = 30_000

export const crashPoints = fault({
  number: 13,
  name: "crash points",
  short: { each: 16, perSecond: 60 },
  full: { each: 1, perSecond: 100 },
  injected: ({ each, perSecond }) =>
    `the process ends at ${chosen(each).length} of ${CRASH_POINTS.length} places, one after the other, under ${perSecond} events/s`,
  run: ({ each, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const { settings, load: callLoad, told } = await calls(world)
      let asked = 0
      providers.always("telegram", () => {
        asked += 1
        return asked % 30 === 0 ? { kind: "answer", status: 502 } : { kind: "wait", released: Bun.sleep(ANSWER_MS) }
      })
      const port = freePort()
      const start = (at: number) =>
        world.hub({
          port,
          // It may be over before it listens: there is work for it from its first moment.
          until: "rules_loaded",
          preloads: [join(import.meta.dirname, "crash-at.ts"), join(import.meta.dirname, "pace.ts")],
          settings: {
            ...settings,
            CRASH_AT: String(at),
            // A stop comes by once.
            CRASH_NTH: String(CRASH_POINTS[at]?.stopping === true ? 1 : 1 + Math.floor(Math.random() * 3)),
            PACE_LEASE_MS: String(LEASE_MS),
          },
        })
      const load = callLoad(perSecond, () => `http://127.0.0.1:${port}`)
      const missed: string[] = []
      for (const point of chosen(each)) {
        const hub = await start(CRASH_POINTS.indexOf(point))
        if (point.stopping === true) {
          await load.more(perSecond / 4)
          hub.signal("SIGTERM")
        }
        const ended = await Promise.race([hub.exited, Bun.sleep(REACHED_MS).then(() => "not reached")])
        if (ended !== "SIGKILL") missed.push(point.name)
        hub.signal("SIGKILL")
        await hub.exited
      }
      for (const { file, at } of gone()) console.error(`src/${file} no longer holds ${at}: mend crash-points.ts`)
      if (missed.length > 0) console.error(`not reached: ${missed.join(", ")}`)
      const last = await start(-1)
      await told(load)
      const figures = await world.judged(load, { again: chosen(each).length * IN_FLIGHT })
      return [
        { what: "places that are gone", value: gone().length, atMost: 0 },
        { what: "places reached", value: chosen(each).length - missed.length, atLeast: chosen(each).length },
        ...figures,
        await endings(world, [last]),
      ]
    }),
})

/** Every so many, from the middle of each piece. */
const chosen = (each: number): readonly CrashPoint[] => CRASH_POINTS.filter((_, n) => n % each === Math.floor(each / 2))

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
