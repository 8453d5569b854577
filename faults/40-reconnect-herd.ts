/** Every screen of a node knocks at once, as the stock client does, without jitter: after a kick, and after a crash. */
import { ADMIN_KEY, tokenFor } from "../src/testing/front.ts"
import { headsOf, kick } from "./37-recovery-storm.ts"
import { fault } from "./fault.ts"
import { backP99, caughtUp, leave, lost, owed, placeTopic, Screen, startTeller } from "./screens.ts"
import { broken, endings, inWorld } from "./world.ts"

const PERSON = "screen-1"
const LOOK_MS = 50
/** A stretch of time in which no more may come in than a burst and what the rate allows. */
const STRETCH_MS = 500
/** What opened a moment sooner at the hub may have been seen a moment later here, or the other way about. */
const SLACK = 1.1

export const reconnectHerd = fault({
  number: 40,
  name: "reconnect herd",
  short: { sockets: 320, places: 10, rate: 100, kicks: 1, kills: 0 },
  full: { sockets: 2_000, places: 50, rate: 400, kicks: 3, kills: 1 },
  injected: ({ sockets, rate, kicks, kills }) =>
    `${sockets} sockets without jitter, closed × ${kicks}, their node killed × ${kills}; ${rate} let in a second`,
  run: ({ sockets, places, rate, kicks, kills }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const settings = { HUB_SOCKET_RATE: String(rate) }
      let hub = await world.hub({ settings })
      const { port } = hub
      const tokens = await Promise.all(
        Array.from({ length: places }, (_, n) =>
          tokenFor({ sub: PERSON, tenants: [{ business: `b${n}`, locations: ["l1"] }] }),
        ),
      )
      const screens = Array.from(
        { length: sockets },
        (_, n) =>
          new Screen({
            url: () => `ws://127.0.0.1:${port}`,
            token: tokens[n % places] ?? "",
            topic: placeTopic(n % places),
          }),
      )
      world.defer(() => leave(screens))
      const all = () => Promise.all(screens.map((screen) => screen.joined()))
      await all()
      const teller = startTeller({ perSecond: 20, places, url: () => `http://127.0.0.1:${port}` })
      const ready = startReadiness(port)
      for (let n = 0; n < kicks; n += 1) {
        const gone = lost(screens)
        await kick(port)
        await gone
        await all()
      }
      const looks = [await ready.stop()]
      for (let n = 0; n < kills; n += 1) {
        const gone = lost(screens)
        hub.signal("SIGKILL")
        await Promise.all([hub.exited, gone])
        hub = await world.hub({ settings, port })
        const again = startReadiness(port)
        await all()
        looks.push(await again.stop())
      }
      await teller.stop()
      const heads = await headsOf(world)
      await caughtUp(screens, heads)
      const opens = screens.flatMap(({ seen }) => seen.opens).toSorted((a, b) => a - b)
      const most = Math.floor(SLACK * (2 * rate + (rate * STRETCH_MS) / 1_000))
      const total = (of: (look: Look) => number): number => looks.reduce((sum, look) => sum + of(look), 0)
      const figures = [
        ...owed(screens, heads),
        { what: `let in within ${STRETCH_MS} ms`, value: mostWithin(opens, STRETCH_MS), atMost: most },
        backP99(screens, 10_000),
        { what: "asked whether it is ready", value: total(({ asked }) => asked), atLeast: 1 },
        { what: "not ready", value: total(({ not }) => not), atMost: 0 },
        { what: "slowest to say so", value: Math.max(...looks.map(({ slowestMs }) => slowestMs)), unit: "ms" as const },
      ]
      leave(screens)
      return [...figures, broken(hub), await endings(world, [hub])]
    }),
})

/** The most of these moments in any stretch of time. */
function mostWithin(moments: readonly number[], ms: number): number {
  let most = 0
  let first = 0
  for (const [n, at] of moments.entries()) {
    while ((moments[first] ?? 0) < at - ms) first += 1
    most = Math.max(most, n - first + 1)
  }
  return most
}

interface Look {
  readonly asked: number
  readonly not: number
  readonly slowestMs: number
}
interface Readiness {
  stop(): Promise<Look>
}

/** Asks as a balancer does. */
function startReadiness(port: number): Readiness {
  let [stopped, asked, not, slowestMs] = [false, 0, 0, 0]
  const run = async (): Promise<void> => {
    while (!stopped) {
      const began = performance.now()
      const headers = { authorization: `Bearer ${ADMIN_KEY}` }
      const ok = await fetch(`http://127.0.0.1:${port}/ready`, { headers }).then(
        (answer) => answer.ok,
        () => false,
      )
      asked += 1
      if (!ok) not += 1
      slowestMs = Math.max(slowestMs, performance.now() - began)
      await Bun.sleep(LOOK_MS)
    }
  }
  const running = run()
  return {
    async stop() {
      stopped = true
      await running
      return { asked, not, slowestMs }
    },
  }
}
