/**
 * What must stay true of a hub while it is fuzzed: its own figures (no 5xx but 503, no bug, no lag over a second), its log,
 * that it runs, and that a client which behaves is served all the time, over HTTP and on a socket.
 */
import type { HubProcess } from "./hub-process.ts"

/** Worst delay of the hub's timers by its own doing, in seconds. */
const MOST_LAG = 1
const EVERY_MS = 1_000
const SERVED_WITHIN_MS = 5_000
/** Log lines that no input may cause. */
const BAD_LINE = /"event":"(uncaught|bug_found|actor_exited|actor_gave_up|event_loop_blocked)"/

export interface Watch {
  /** What was broken so far; also asked for in the midst of a run, to end it early. */
  readonly broken: () => readonly string[]
  /** Requests of the client that behaves, and the slowest of them in ms. */
  readonly healthy: () => { readonly served: number; readonly pushed: number; readonly slowestMs: number }
  readonly worstLag: () => number
  /** Looks a last time, and ends. */
  stop(): Promise<void>
}

export interface WatchOptions {
  readonly hub: HubProcess
  readonly apiKey: string
}

export async function watchHub({ hub, apiKey }: WatchOptions): Promise<Watch> {
  const root = `http://127.0.0.1:${hub.port}`
  const broken = new Set<string>()
  let lag = 0
  let waited = await waitedForCore(hub.pid)
  await (await fetch(`${root}/metrics`)).text() // how late it was while it started is forgotten
  let served = 0
  let pushed = 0
  let slowestMs = 0
  let stopping = false
  void hub.exited.then((code) => {
    if (!stopping) broken.add(`the hub ended: ${code}; ${hub.log().slice(-2_000)}`)
  })

  const look = async (): Promise<void> => {
    const text = await fetch(`${root}/metrics`, { signal: AbortSignal.timeout(20_000) })
      .then((answer) => answer.text())
      .catch((error: unknown) => {
        broken.add(`/metrics: ${String(error)}`)
        return ""
      })
    for (const line of text.split("\n")) {
      const [name = "", value = "0"] = line.split(/ (?=\S+$)/)
      const amount = Number(value)
      if (name.startsWith("hub_http_requests_total") && /status="5(?!03)/.test(name) && amount > 0)
        broken.add(`${name} ${value}`)
      if (name.startsWith("hub_bugs_total") && amount > 0) broken.add("hub_bugs_total is not 0")
      if (name === "hub_event_loop_lag_seconds") {
        const now = await waitedForCore(hub.pid)
        lag = Math.max(lag, amount - (now - waited))
        waited = now
      }
    }
    if (lag > MOST_LAG) broken.add("the event loop stood still for more than a second")
    const bad = BAD_LINE.exec(hub.log())
    if (bad !== null) broken.add(`the log says ${bad[1]}: ${lineAt(hub.log(), bad.index)}`)
    // The hub's own lines are JSON: anything else is the runtime's, about an error that nobody caught.
    const foreign = /^[^{\n].*$/m.exec(hub.log())
    if (foreign !== null) broken.add(`the runtime says: ${hub.log().slice(foreign.index, foreign.index + 1_000)}`)
  }

  const socket = await joined(hub.port, () => {
    pushed += 1
  })
  const behave = async (count: number): Promise<void> => {
    const began = performance.now()
    const signal = AbortSignal.timeout(SERVED_WITHIN_MS)
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" }
    const body = JSON.stringify({
      type: "resource_updated",
      resourceType: "x",
      businessId: "healthy",
      resourceId: `r${count}-${began}`,
    })
    const answer = await fetch(`${root}/api/notifications`, { method: "POST", headers, body, signal })
    await answer.arrayBuffer()
    if (!answer.ok && answer.status !== 503) broken.add(`a client that behaves got ${answer.status}`)
    served += 1
    slowestMs = Math.max(slowestMs, performance.now() - began)
  }

  const watching = (async () => {
    for (let count = 0; !stopping; count++) {
      await behave(count).catch((error: unknown) => {
        if (!stopping)
          broken.add(`a client that behaves was not served within ${SERVED_WITHIN_MS} ms: ${String(error)}`)
      })
      if (socket.readyState !== WebSocket.OPEN) broken.add("the socket of a client that behaves was closed")
      await Bun.sleep(EVERY_MS / 10)
    }
  })()

  const looking = (async () => {
    for (; !stopping; await Bun.sleep(EVERY_MS)) await look()
  })()

  return {
    broken: () => [...broken],
    healthy: () => ({ served, pushed, slowestMs }),
    worstLag: () => lag,
    async stop() {
      stopping = true
      await Promise.all([watching, looking])
      await look()
      socket.close()
      if (pushed < served / 2) broken.add(`only ${pushed} of ${served} pushes reached the healthy socket`)
    },
  }
}

/** Seconds for which the hub's main thread was ready to run and had no core: others' doing. 0 where nobody counts it. */
async function waitedForCore(pid: number): Promise<number> {
  const line = await Bun.file(`/proc/${pid}/task/${pid}/schedstat`)
    .text()
    .catch(() => "")
  return Number(line.split(" ")[1] ?? 0) / 1e9
}

const lineAt = (log: string, at: number): string =>
  log.slice(log.lastIndexOf("\n", at) + 1, log.indexOf("\n", at)).slice(0, 1_000)

/** A socket on the topic of the client that behaves, which beats as Phoenix's client does. */
async function joined(port: number, heard: () => void): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`)
  const open = Promise.withResolvers<void>()
  socket.onmessage = ({ data }) => {
    const text = String(data)
    if (text.includes('"phx_reply"') && text.includes('"epoch"')) open.resolve()
    if (text.includes('"resource_update"')) heard()
  }
  socket.onclose = () => open.reject(new Error("the healthy socket was refused"))
  socket.onopen = () => {
    socket.send('["1","1","resources:healthy","phx_join",{}]')
    const beating = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) socket.send('[null,"b","phoenix","heartbeat",{}]')
      else clearInterval(beating)
    }, EVERY_MS)
  }
  await open.promise
  return socket
}
