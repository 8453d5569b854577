/**
 * A hub whose event loop is blocked for good while its provider answers nothing: somebody else ends it and starts it again.
 * What every run shows of it is `src/watchdog.test.ts`.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "../src/testing/eventually.ts"
import { fault } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32
/** What the watchdog ends a process with: start it again. */
const AGAIN = 75
const DETECTED_MS = 6_000
const SERVING_MS = 7_000

export const blockedLoop = fault({
  number: 27,
  name: "blocked loop",
  short: { blocks: 1, perSecond: 50 },
  full: { blocks: 8, perSecond: 100 },
  injected: ({ blocks, perSecond }) =>
    `the event loop blocked for good × ${blocks} under ${perSecond} events/s, one send in ten never answered`,
  run: ({ blocks, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const folder = mkdtempSync(join(tmpdir(), "hub-blocked-"))
      world.defer(() => rmSync(folder, { recursive: true, force: true }))
      const file = join(folder, "block")
      let asked = 0
      providers.always("telegram", () => {
        asked += 1
        return asked % 10 === 0 ? { kind: "hang" } : { kind: "ok" }
      })
      const start = (port = 0) =>
        world.hub({
          port,
          preloads: [join(import.meta.dirname, "../src/testing/block-on-file.ts")],
          settings: { BLOCK_ON_FILE: file },
        })
      let hub = await start()
      const { port } = hub
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${port}` })
      const found: number[] = []
      const served: number[] = []
      let otherwise = 0
      for (let n = 0; n < blocks; n += 1) {
        await load.more(perSecond)
        writeFileSync(file, "")
        // Seen by the hub, which takes it away and stands still.
        await eventually(
          async () => existsSync(file),
          (there) => !there,
          { withinMs: DETECTED_MS, everyMs: 5, what: "the file" },
        )
        const began = performance.now()
        if ((await hub.exited) !== AGAIN) otherwise += 1
        const ended = performance.now()
        found.push(ended - began)
        hub = await start(port)
        served.push(performance.now() - ended)
      }
      providers.always("telegram", { kind: "ok" })
      // What is never answered has been taken by nobody, as far as the provider's ledger knows.
      const figures = await world.judged(load, { again: blocks * IN_FLIGHT })
      return [
        { what: "ended otherwise", value: otherwise, atMost: 0 },
        { what: "found after", value: Math.max(...found), unit: "ms", atMost: DETECTED_MS },
        { what: "serving again after", value: Math.max(...served), unit: "ms", atMost: SERVING_MS },
        ...figures,
        await endings(world, [hub]),
      ]
    }),
})
