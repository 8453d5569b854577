/** Nodes lose what they tell each other: a screen on any of them misses nothing, and finds the last message too. */

import { startFaultProxy } from "../src/testing/fault-proxy.ts"
import { tokenFor } from "../src/testing/front.ts"
import { startNats } from "../src/testing/nats.ts"
import { droppingPublications } from "../src/testing/nats-dropper.ts"
import { headsOf } from "./37-recovery-storm.ts"
import { fault } from "./fault.ts"
import { caughtUp, leave, owed, placeTopic, Screen, startTeller } from "./screens.ts"
import { broken, endings, inWorld } from "./world.ts"

const SUBJECT = "hub.news"
const PACE = new URL("pace.ts", import.meta.url).pathname

export const lostHints = fault({
  number: 39,
  name: "hints lost between nodes",
  short: { nodes: 2, places: 5, perSecond: 100, forMs: 1_000, oneIn: 4, tailMs: 600 },
  full: { nodes: 3, places: 20, perSecond: 300, forMs: 60_000, oneIn: 100, tailMs: null },
  injected: ({ nodes, places, perSecond, oneIn }) =>
    `of what ${nodes} nodes tell each other one in ${oneIn} is lost, in the end all; ${perSecond} messages/s of ${places} places`,
  run: ({ nodes, places, perSecond, forMs, oneIn, tailMs }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const nats = await startNats()
      world.defer(() => nats.stop())
      let told = 0
      let dropped = 0
      let deaf = false
      const drops = (): boolean => {
        told += 1
        const gone = deaf || told % oneIn === 0
        if (gone) dropped += 1
        return gone
      }
      const start = async () => {
        const proxy = await startFaultProxy({ port: nats.port, gate: () => droppingPublications(SUBJECT, drops) })
        world.defer(() => proxy.stop())
        const paced = tailMs === null ? {} : { PACE_TAIL_MS: String(tailMs) }
        return world.hub({
          settings: { NATS_URL: proxy.through(nats.url).replace(/\/$/, ""), ...paced },
          preloads: tailMs === null ? [] : [PACE],
        })
      }
      const hubs = await Promise.all(Array.from({ length: nodes }, start))
      const screens = await Promise.all(
        hubs.flatMap((hub) =>
          Array.from({ length: places }, async (_, n) => {
            const token = await tokenFor({ sub: "u1", tenants: [{ business: `b${n}`, locations: ["l1"] }] })
            return new Screen({ url: () => `ws://127.0.0.1:${hub.port}`, token, topic: placeTopic(n) })
          }),
        ),
      )
      world.defer(() => leave(screens))
      await Promise.all(screens.map((screen) => screen.joined()))
      let asked = 0
      const url = (): string => {
        asked += 1
        return `http://127.0.0.1:${hubs[asked % hubs.length]?.port}`
      }
      const teller = startTeller({ perSecond, places, url })
      await Bun.sleep(forMs)
      await teller.stop()
      const stillMs = tailMs === null ? undefined : 5 * tailMs
      await caughtUp(screens, await headsOf(world), stillMs)
      const [lostOnTheWay, gapsBefore] = [dropped, screens.reduce((sum, { seen }) => sum + seen.closes.length, 0)]

      // The last of each place, with nothing behind it that would show the gap.
      deaf = true
      const last = startTeller({ perSecond: places * 10, places, url, name: "last" })
      await Bun.sleep(150)
      await last.stop()
      const began = performance.now()
      const heads = await headsOf(world)
      await caughtUp(screens, heads, stillMs)
      const found = performance.now() - began
      leave(screens)
      return [
        { what: "messages", value: teller.taken + last.taken, atLeast: places },
        { what: "lost between nodes", value: lostOnTheWay, atLeast: 1 },
        { what: "lost in the end", value: dropped - lostOnTheWay, atLeast: 1 },
        ...owed(screens, heads),
        { what: "sockets lost", value: gapsBefore, atMost: 0 },
        { what: "last ones found after", value: found, unit: "ms", atMost: 15_000 },
        ...hubs.map(broken),
        await endings(world, hubs),
      ]
    }),
})
