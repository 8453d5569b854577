/**
 * A server for the stock client's checks, which run as they are in Bun and in a browser: a room with the probe topic, and
 * a few addresses by which a check, wherever it runs, does something to the server or asks it.
 */
import type { RecipientId } from "../domain/ids.ts"
import type { TopicFamily } from "../realtime/topic.ts"
import type { SocketData } from "../realtime/websocket.ts"
import { startFaultProxy } from "./fault-proxy.ts"
import { probe } from "./golden-probe.ts"
import { enter, person, startRoom } from "./realtime-room.ts"

export interface StockStage {
  /** `http://…` */
  readonly url: string
  /** The same, by way of a line that can be frozen. */
  readonly frozenUrl: string
  stop(): Promise<void>
}

/** How long the first join of each `slow:` topic takes. */
const SLOW_MS = 150

/** `script`: what the page loads, for checks in a browser. */
export async function startStockStage(script = ""): Promise<StockStage> {
  const all = probe(() => ({
    native: room.realtime.native,
    publish: (name, frame) => void server.publish(name, frame),
  }))
  const slowOnce = new Set<string>()
  const more: TopicFamily[] = [
    {
      name: "slow",
      prefix: "slow:",
      async join({ topic, admit }) {
        if (!slowOnce.has(topic)) {
          slowOnce.add(topic)
          await Bun.sleep(SLOW_MS)
        }
        admit({ response: {}, recovered: null, view: topic, subscription: (version) => `${version} ${topic}` })
        return { kind: "joined" }
      },
    },
    {
      name: "who",
      prefix: "who:",
      join({ topic, principal, admit }) {
        const response = { recipient: principal.recipient }
        admit({ response, recovered: null, view: topic, subscription: (version) => `${version} ${topic}` })
        return { kind: "joined" }
      },
    },
  ]
  const room = await startRoom({
    families: [all.family, ...more],
    people: { good: person("u1", "*"), "also+/good?>": person("u2", "*") },
    // The client's own tests push more at once than the hub's people do.
    limits: { topicsPerSocket: 5, pushBurst: 1_000 },
  })
  let posts = 0
  const control: Record<string, (query: URLSearchParams) => unknown> = {
    notify: (query) => all.notify(query.get("topic") ?? ""),
    kick: (query) => room.realtime.kick({ recipient: (query.get("who") ?? "") as RecipientId, businesses: null }),
    async restart() {
      await room.realtime.drain()
      room.realtime.reopen()
    },
    /** Since it was last asked. */
    posts() {
      const count = posts
      posts = 0
      return count
    },
    freeze: () => proxy.freeze(),
  }
  const server = Bun.serve<SocketData>({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, own) {
      const { pathname, searchParams } = new URL(request.url)
      const [, first = "", second = ""] = pathname.split("/")
      if (first === "control") {
        // A page of another origin has its checks too.
        const headers = { "access-control-allow-origin": "*" }
        return Response.json((await control[second]?.(searchParams)) ?? null, { headers })
      }
      if (pathname === "/script.js") return new Response(script, { headers: { "content-type": "text/javascript" } })
      if (pathname === "/") return new Response("<!doctype html>", { headers: { "content-type": "text/html" } })
      if (first === "poll-only" && pathname.endsWith("/websocket")) return new Response(null, { status: 502 })
      if (request.method === "POST") posts += 1
      return enter(room.realtime, request, own)
    },
    websocket: room.realtime.websocket,
  })
  const proxy = await startFaultProxy({ port: server.port ?? 0 })
  return {
    url: `http://127.0.0.1:${server.port}`,
    frozenUrl: `http://127.0.0.1:${proxy.port}`,
    async stop() {
      await room.stop()
      await proxy.stop()
      await server.stop(true)
    },
  }
}
