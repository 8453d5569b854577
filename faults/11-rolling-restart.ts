/** Two nodes are restarted in turn behind a balancer that asks whether they are ready, with screens open on both. */
import { tokenFor } from "../src/testing/front.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { fault } from "./fault.ts"
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
  full: { rounds: 10, perSecond: 100, sockets: 50 },
  injected: ({ rounds, perSecond, sockets }) =>
    `SIGTERM of each of 2 nodes in turn × ${rounds} under ${perSecond} events/s, ${sockets} sockets`,
  run: ({ rounds, perSecond, sockets }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers, db } = world
      providers.always("telegram", () => ({ kind: "wait", released: Bun.sleep(ANSWER_MS) }))
      const hubs: HubProcess[] = [...(await Promise.all([world.hub(), world.hub()]))]
      const ready = new Set(hubs.map(({ port }) => port))
      let asked = 0
      const some = (): number => {
        asked += 1
        return [...ready][asked % ready.size] ?? 0
      }
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${some()}` })
      const token = await tokenFor({ sub: "trader-7", business_id: "desk" })
      const screens = Array.from({ length: sockets }, () => startScreen(some, token))
      await Promise.all(screens.map((screen) => screen.open()))
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
        await Promise.all(screens.map((screen) => screen.open()))
        hubs[n % 2] = await world.hub({ port: hub.port })
        ready.add(hub.port)
        await load.more(perSecond / 2)
      }
      const closes = screens.flatMap((screen) => screen.closes)
      for (const screen of screens) screen.leave()
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

interface Screen {
  /** With what each of its sockets was closed. */
  readonly closes: readonly number[]
  /** Resolves when it has a socket that is open. */
  open(): Promise<void>
  leave(): void
}

/** Stays connected to whichever node there is. */
function startScreen(port: () => number, token: string): Screen {
  const closes: number[] = []
  let left = false
  let socket: WebSocket
  let waiting: (() => void)[] = []
  const connect = (): void => {
    let opened = false
    socket = new WebSocket(`ws://127.0.0.1:${port()}/socket/websocket?vsn=2.0.0&token=${token}`)
    socket.addEventListener("open", () => {
      opened = true
      for (const done of waiting.splice(0)) done()
    })
    socket.addEventListener("close", ({ code }) => {
      if (left) return
      if (opened) closes.push(code)
      setTimeout(connect, LOOK_MS)
    })
  }
  connect()
  return {
    closes,
    open: () =>
      new Promise((resolve) => {
        if (socket.readyState === WebSocket.OPEN) resolve()
        else waiting = [...waiting, resolve]
      }),
    leave() {
      left = true
      socket.close()
    },
  }
}
