/**
 * Sockets that misbehave in every way there is, many of each: each is ended as documented or answered and kept, costs a bounded
 * piece of memory, and a client beside them misses nothing and hears as soon as before.
 */
import { readFileSync } from "node:fs"
import { startFaultProxy } from "../src/testing/fault-proxy.ts"
import { tokenFor } from "../src/testing/front.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { type Figure, fault, percentile } from "./fault.ts"
import { CLIENTS, enter, type Place, silentReader } from "./hostile-clients.ts"
import { post, startNeighbour } from "./neighbour.ts"
import type { Ending, RawSocket } from "./raw-socket.ts"
import { broken, endings, inWorld } from "./world.ts"

interface Size {
  /** Clients of each kind, at once. */
  readonly copies: number
  readonly silentReaders: number
  /** Of the neighbour's messages. */
  readonly perSecond: number
  readonly calmMs: number
  /** Also those that are ended for their silence, which takes as long as they may be silent. */
  readonly patient: boolean
}

const CLOSED_MS = 10_000
/** 90 s without a frame, the sweep that sees it, and a machine that has other things to do. */
const IDLE_MS = 100_000
/** How long Bun gives a client to take the close, before it lets its descriptor go. */
const LINGER_MS = 25_000
const P99_MS = 500
const LOUD_BYTES = 128 * 1024
/** More than the system holds between two sockets, and the hub's own bound. */
const MOST_LOUD = 120
/** Between two of them, so that the sweep comes by while a reader holds more than is polite and less than is too much. */
const SLOW_MS = 650

export const hostileSockets = fault({
  number: 38,
  name: "hostile sockets",
  short: { copies: 5, silentReaders: 25, perSecond: 50, calmMs: 700, patient: false },
  full: { copies: 25, silentReaders: 100, perSecond: 50, calmMs: 5_000, patient: true },
  injected: ({ copies, silentReaders, patient }: Size) =>
    `${silentReaders} clients that stop reading; ${copies} of each that ${CLIENTS.map(({ name }) => name).join(", ")}` +
    (patient ? "; one that says nothing, one half-open, one whose request never ends" : ""),
  run: (size, mutant) =>
    inWorld({ mutant }, async (world) => {
      const hub = await world.hub()
      const token = await tokenFor({ sub: "u1", tenants: [{ business: "b1" }] })
      const place = { port: hub.port, token }
      const neighbour = await startNeighbour(place, size.perSecond)
      // What this costs once is not theirs.
      for (let n = 0; n < (size.patient ? 60 : 10); n++) await post(hub.port, "loud", n, LOUD_BYTES)
      await Bun.sleep(size.calmMs)
      const calm = await neighbour.lap()
      const memory = watchMemory(hub, size.copies * CLIENTS.length)
      const patient = size.patient ? outlast(place) : Promise.resolve([])
      // None of them ever answers a close, or ends by itself.
      const ended: RawSocket[] = []
      world.defer(() => {
        for (const { socket } of ended) socket.destroy()
      })
      const figures = [...(await misbehave(place, size, ended))]
      const perClient = memory.stop()
      const held = watchMemory(hub, size.silentReaders)
      figures.push(...(await stopReading(place, size, ended, "fast")))
      const perReader = held.stop()
      if (size.patient) figures.push(...(await stopReading(place, size, ended, "slow")))
      const storm = await neighbour.lap()
      figures.push(...(await patient))
      const seen = await neighbour.stop()
      const before = percentile(calm, 0.99)
      if (size.patient) figures.push(...(await letGo(place.port)))
      return [
        ...figures,
        { what: "KiB of memory a bad client", value: perClient, atMost: 1_024 },
        // A backlog of 1 MiB is the bound, and the buffer that holds it doubles while it grows. Of a few readers most of it is
        // what the messages take once.
        { what: "KiB of memory a reader that stopped", value: perReader, ...(size.patient ? { atMost: 2_048 } : {}) },
        { what: "neighbour: messages", value: seen.messages, atLeast: 1 },
        { what: "neighbour: gaps", value: seen.gaps, atMost: 0 },
        { what: "neighbour: p99 before", value: before, unit: "ms" },
        {
          what: "neighbour: p99 beside them",
          value: percentile(storm, 0.99),
          unit: "ms",
          atMost: Math.max(P99_MS, 3 * before),
        },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})

/** One kind after the other, many of it at once. */
async function misbehave(place: Place, { copies }: Size, kept: RawSocket[]): Promise<readonly Figure[]> {
  let otherwise = 0
  let slowest = 0
  for (const { name, ends, vsn, act } of CLIENTS) {
    const one = async (): Promise<void> => {
      const raw = await enter(place, vsn)
      const began = performance.now()
      const came = (await act(raw)) ?? (await within(raw.ended, CLOSED_MS))
      if (came === "stays") raw.socket.destroy()
      else {
        slowest = Math.max(slowest, performance.now() - began)
        kept.push(raw)
      }
      if (ends.includes(came)) return
      otherwise += 1
      console.error(`a client that ${name} met ${came} and not ${ends.join(" or ")}`)
    }
    await Promise.all(Array.from({ length: copies }, one))
  }
  return [
    { what: "kinds", value: CLIENTS.length },
    { what: "ended otherwise than documented", value: otherwise, atMost: 0 },
    { what: "slowest end", value: slowest, unit: "ms", atMost: CLOSED_MS },
  ]
}

/**
 * Readers that stop reading while much is said; when they read again they find the end of it. Where it is said slowly, the sweep
 * sees them before they hold too much, and they must find 1013.
 */
async function stopReading(
  place: Place,
  { silentReaders }: Size,
  kept: RawSocket[],
  pace: "fast" | "slow",
): Promise<readonly Figure[]> {
  const readers = await Promise.all(Array.from({ length: silentReaders }, () => silentReader(place)))
  kept.push(...readers)
  const before = await dropped(place.port)
  const others = (await openSockets(place.port)) - silentReaders
  let said = 0
  while (said < MOST_LOUD && (await openSockets(place.port)) > others) {
    await post(place.port, "loud", said, LOUD_BYTES)
    said += 1
    if (pace === "slow") await Bun.sleep(SLOW_MS)
  }
  const left = (await openSockets(place.port)) - others
  const polite = (await dropped(place.port)) - before
  for (const { socket } of readers) socket.resume()
  const came = await Promise.all(readers.map(({ ended }) => within(ended, CLOSED_MS)))
  const ends = (what: Ending): number => came.filter((how) => how === what).length
  const figure = (what: string) => `stopped reading, ${pace}: ${what}`
  return [
    { what: figure("clients"), value: silentReaders },
    { what: figure("still held"), value: left, atMost: 0 },
    { what: figure("closed by the sweep"), value: polite, ...(pace === "slow" ? { atLeast: silentReaders } : {}) },
    { what: figure("read 1013"), value: ends(1013), ...(pace === "slow" ? { atLeast: silentReaders } : {}) },
    { what: figure("met another end than that or a cut"), value: came.length - ends(1013) - ends("cut"), atMost: 0 },
  ]
}

/** Clients whose offence is that they do nothing. */
async function outlast(place: Place): Promise<readonly Figure[]> {
  const began = performance.now()
  const proxy = await startFaultProxy({ port: place.port })
  const timed = async (raw: RawSocket) => ({ how: await within(raw.ended, IDLE_MS), ms: performance.now() - began })
  const nothing = timed(await enter(place))
  const halfOpen = await enter({ ...place, port: proxy.port })
  proxy.freeze()
  const unfinished = await unfinishedRequest(place.port)
  const { how, ms } = await nothing
  // The neighbour alone is left; the half-open one has heard of nothing.
  while ((await openSockets(place.port)) > 1 && performance.now() - began < IDLE_MS) await Bun.sleep(100)
  const gone = performance.now() - began
  const told = halfOpen.isOver()
  halfOpen.socket.destroy()
  await proxy.stop()
  return [
    { what: "says nothing: 1002 after", value: how === 1002 ? ms : 0, unit: "ms", atLeast: 85_000, atMost: IDLE_MS },
    { what: "half-open: ended after", value: told ? 0 : gone, unit: "ms", atLeast: 85_000, atMost: IDLE_MS },
    { what: "a request that never ends: gone after", value: unfinished, unit: "ms", atMost: 40_000 },
  ]
}

/** How long the hub's system still holds sockets of clients that never answer their close. */
async function letGo(port: number): Promise<readonly Figure[]> {
  const began = performance.now()
  const held = (): number => {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
    const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)
    // Local address, remote address, state (0A listens), …, inode: 0 is nobody's any more.
    const fields = rows.map((row) => row.trim().split(/\s+/))
    return fields.filter((of) => of[1]?.endsWith(local) && of[3] !== "0A" && of[9] !== "0").length
  }
  while (held() > 0 && performance.now() - began < LINGER_MS) await Bun.sleep(100)
  return [
    { what: "descriptors never let go", value: held(), atMost: 0 },
    { what: "until the last was", value: performance.now() - began, unit: "ms", atMost: LINGER_MS },
  ]
}

/** Milliseconds until the hub ends it. */
async function unfinishedRequest(port: number): Promise<number> {
  const began = performance.now()
  const { promise, resolve } = Promise.withResolvers<void>()
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: hub\r\nUpgra"),
      data() {},
      close: () => resolve(),
    },
  })
  await promise
  return performance.now() - began
}

const within = (ended: Promise<Ending>, ms: number): Promise<Ending | "stays"> =>
  Promise.race([ended, Bun.sleep(ms).then(() => "stays" as const)])

/** A figure of the hub's own. */
async function metric(port: number, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return [...text.matchAll(pattern)].reduce((sum, found) => sum + Number(found[1]), 0)
}
const openSockets = (port: number): Promise<number> => metric(port, /^hub_sockets (\d+)/gm)
const dropped = (port: number): Promise<number> => metric(port, /^hub_readers_dropped_total (\d+)/gm)

/** Looks at the hub's resident memory ten times a second; `stop` gives how many KiB the most was above the first, for each. */
function watchMemory(hub: HubProcess, clients: number): { stop(): number } {
  const first = residentKilobytes(hub)
  let most = first
  const timer = setInterval(() => {
    most = Math.max(most, residentKilobytes(hub))
  }, 100)
  return {
    stop() {
      clearInterval(timer)
      return (most - first) / clients
    },
  }
}

const residentKilobytes = ({ pid }: HubProcess): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
