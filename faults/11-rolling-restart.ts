/** Two nodes are restarted in turn behind a balancer that asks whether they are ready, with screens open on both. */
import { tokenFor } from "../src/testing/front.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { startNats } from "../src/testing/nats.ts"
import { headsOf } from "./37-recovery-storm.ts"
import { fault } from "./fault.ts"
import { backP99, caughtUp, leave, owed, placeTopic, Screen, startTeller } from "./screens.ts"
import { inWorld } from "./world.ts"

/** A provider that takes its time, so that each stop has something to wait for; well within the drain. */
const ANSWER_MS = 300
const DRAIN_MS = 10_000
const GOING_AWAY = 1012
const LOOK_MS = 20
const ENDED_MS = 20_000

export const rollingRestart = fault({
  number: 11,
  name: "rolling restart",
  short: { rounds: 1, perSecond: 40, sockets: 4 },
  full: { rounds: 10, perSecond: 100, sockets: 400 },
  injected: ({ rounds, perSecond, sockets }) =>
    `SIGTERM of each of 2 nodes in turn × ${rounds} under ${perSecond} events/s and as many messages, ${sockets} sockets`,
  run: ({ rounds, perSecond, sockets }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers, db } = world
      providers.always("telegram", () => ({ kind: "wait", released: Bun.sleep(ANSWER_MS) }))
      const nats = await startNats()
      world.defer(() => nats.stop())
      const settings = { NATS_URL: nats.url }
      const hubs: HubProcess[] = [...(await Promise.all([world.hub({ settings }), world.hub({ settings })]))]
      const ready = new Set(hubs.map(({ port }) => port))
      let asked = 0
      const some = (): number => {
        asked += 1
        return [...ready][asked % ready.size] ?? 0
      }
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${some()}` })
      const token = await tokenFor({ sub: "u1", tenants: [{ business: "b0" }] })
      const url = () => `ws://127.0.0.1:${some()}`
      const screens = Array.from({ length: sockets }, () => new Screen({ url, token, topic: placeTopic(0) }))
      world.defer(() => leave(screens))
      const all = () => Promise.all(screens.map((screen) => screen.joined()))
      await all()
      const teller = startTeller({ perSecond, places: 1, url: () => `http://127.0.0.1:${some()}` })
      await load.more(perSecond)

      let slowest = 0
      let badly = 0
      for (let n = 0; n < 2 * rounds; n += 1) {
        const hub = hubs[n % 2]
        if (hub === undefined) throw new Error("there are two")
        const began = performance.now()
        hub.signal("SIGTERM")
        await noLongerReady(hub.port)
        ready.delete(hub.port)
        const code = await Promise.race([hub.exited, Bun.sleep(ENDED_MS)])
        slowest = Math.max(slowest, performance.now() - began)
        if (code !== 0) badly += 1
        await all()
        hubs[n % 2] = await world.hub({ port: hub.port, settings })
        ready.add(hub.port)
        await load.more(perSecond / 2)
      }
      await teller.stop()
      const heads = await headsOf(world)
      await caughtUp(screens, heads)
      const closes = screens.flatMap(({ seen }) => seen.closes)
      leave(screens)
      const figures = await world.judged(load, { again: 0 })
      const [spent] = await db.query<{ n: number }>(
        "select count(*)::int as n from attempts where outcome <> 'delivered'",
      )
      const ended = await Promise.all(hubs.map((hub) => world.end(hub)))
      return [
        ...figures,
        { what: "tries that a stop cost", value: spent?.n ?? 0, atMost: 0 },
        { what: "requests cut", value: load.tries.filter(({ broke }) => broke).length, atMost: 0 },
        { what: "sockets that moved", value: closes.length, atLeast: sockets },
        { what: "not told why", value: closes.filter((code) => code !== GOING_AWAY).length, atMost: 0 },
        ...owed(screens, heads),
        backP99(screens, 5_000),
        { what: "slowest stop", value: slowest, unit: "ms", atMost: DRAIN_MS },
        { what: "hubs that did not end well", value: badly + ended.filter((well) => !well).length, atMost: 0 },
      ]
    }),
})

/** As a balancer finds out: it asks, and takes a refused connection for a no. */
async function noLongerReady(port: number): Promise<void> {
  for (;;) {
    const ok = await fetch(`http://127.0.0.1:${port}/ready`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (!ok) return
    await Bun.sleep(LOOK_MS)
  }
}
