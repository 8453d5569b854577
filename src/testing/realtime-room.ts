/** For this room's tests: a room on a bare server, streams in memory in place of PostgreSQL, and a client that sees raw frames. */
import type { RecipientId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import type { Principal, Tenancy } from "../domain/principal.ts"
import type { StreamKey } from "../domain/stream.ts"
import { readBytes } from "../http/body.ts"
import { localPubSub, type News } from "../pubsub/pubsub.ts"
import { createRealtime, type Realtime, type RealtimeDeps } from "../realtime/realtime.ts"
import type { Tail } from "../realtime/returning.ts"
import type { StreamItem } from "../realtime/sequencer.ts"
import type { SocketData } from "../realtime/websocket.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, type Tree } from "../runtime/tree.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"

export interface Room {
  readonly realtime: Realtime
  readonly server: Bun.Server<SocketData>
  readonly tree: Tree
  readonly streams: MemoryStreams
  readonly events: TelemetryEvent[]
  readonly counts: Map<RecipientId, Json>
  /** `ws://…/socket/websocket?…` */
  url(query?: string): string
  /** News as another room would publish it. */
  publish(news: readonly News[]): void
  stop(): Promise<void>
}

/** Streams as store/streams.ts answers for them. */
export class MemoryStreams {
  epoch = "e1"
  historyReads = 0
  failing = false
  readonly entries = new Map<StreamKey, StreamItem[]>()
  readonly #prunedTo = new Map<StreamKey, number>()

  /** Stores a message and gives the news of it, which the caller publishes, or forgets to. */
  append(stream: StreamKey, body: { readonly [key: string]: Json }, event = "resource_update"): News {
    const list = this.entries.get(stream) ?? []
    this.entries.set(stream, list)
    const position = (list.at(-1)?.position ?? 0) + 1
    const item = { position, event, payload: JSON.stringify({ ...body, _offset: position }) }
    list.push(item)
    return { kind: "stream_message", stream, ...item }
  }

  prune(stream: StreamKey, upTo: number): void {
    this.#prunedTo.set(stream, upTo)
  }

  readonly tails: RealtimeDeps["tails"] = async (asks, most) => {
    this.historyReads += 1
    if (this.failing) throw new Error("the database is away")
    return new Map(asks.map(({ stream, after }) => [stream, this.#tail(stream, after, most)]))
  }

  #tail(stream: StreamKey, after: number, most: { readonly messages: number; readonly bytes: number }): Tail {
    const entries = this.entries.get(stream) ?? []
    const head = entries.at(-1)?.position ?? 0
    const least = Math.max(after, head - most.messages, this.#prunedTo.get(stream) ?? 0)
    let bytes = 0
    const messages = entries
      .filter(({ position }) => position > least)
      .reverse()
      .filter(({ payload }) => {
        bytes += payload.length
        return bytes <= most.bytes
      })
      .reverse()
    return { epoch: this.epoch, head, since: head - messages.length, messages }
  }

  readonly heads: RealtimeDeps["heads"] = async (streams) => {
    if (this.failing) throw new Error("the database is away")
    const positions = new Map<StreamKey, number>()
    for (const stream of streams) {
      const last = this.entries.get(stream)?.at(-1)
      if (last !== undefined) positions.set(stream, last.position)
    }
    return { epoch: this.epoch, positions }
  }

  readonly history: RealtimeDeps["history"] = async (stream, after, limit) => {
    this.historyReads += 1
    if (this.failing) throw new Error("the database is away")
    if (after < (this.#prunedTo.get(stream) ?? 0)) return "pruned"
    return (this.entries.get(stream) ?? []).filter(({ position }) => position > after).slice(0, limit)
  }
}

export const person = (recipient: string | null, tenancy: Tenancy, expiresAt: number | null = null): Principal => ({
  kind: "person",
  label: "person",
  // Tests write ids that fit the pattern.
  recipient: recipient as RecipientId | null,
  service: false,
  admin: false,
  tenancy,
  expiresAt,
})

/** A room that listens. `people`: who is behind which token. */
export async function startRoom(
  options: Partial<RealtimeDeps> & { readonly people?: Readonly<Record<string, Principal>> } = {},
): Promise<Room> {
  const streams = new MemoryStreams()
  const events: TelemetryEvent[] = []
  const counts = new Map<RecipientId, Json>()
  const telemetry = { emit: (event: TelemetryEvent) => void events.push(event) }
  const pubsub = localPubSub((error) => {
    throw error
  })
  const realtime = createRealtime({
    pubsub,
    clock: systemClock,
    telemetry,
    heads: streams.heads,
    history: streams.history,
    tails: streams.tails,
    countsOf: async () => new Map([...counts].map(([id, json]) => [id, () => json])),
    authenticate: async (token) => options.people?.[token] ?? null,
    anonymousTopics: true,
    allowedOrigins: "any",
    publicUrl: "http://localhost:4000",
    ...options,
  })
  const tree = await startTree(realtime.child, {
    clock: options.clock ?? systemClock,
    emit: () => {},
    onGiveUp: () => {},
  })
  const server = Bun.serve<SocketData>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, own) => enter(realtime, request, own),
    websocket: realtime.websocket,
  })
  return {
    realtime,
    server,
    tree,
    streams,
    events,
    counts,
    url: (query = "vsn=2.0.0") => `ws://127.0.0.1:${server.port}/socket/websocket?${query}`,
    publish: (news) => pubsub.publish(news),
    async stop() {
      await realtime.drain()
      await tree.stop()
      await server.stop(true)
    },
  }
}

/** Through any of the doors, as `http/socket.ts` does for the hub. */
export function enter(
  realtime: Realtime,
  request: Request,
  server: Bun.Server<SocketData>,
): Promise<Response | undefined> {
  const drawer = /^[^?]*\/(ws\/notifications|v1\/ws)(\?|$)/.exec(request.url)?.[1]
  if (drawer !== undefined) return realtime.drawer(request, server, drawer === "v1/ws" ? "bare" : "envelope")
  if (!/^[^?]*\/longpoll(\?|$)/.test(request.url)) return realtime.upgrade(request, server)
  server.timeout(request, realtime.heldSeconds + 10)
  return realtime.longPoll(request, server, async (limit) => {
    const read = await readBytes(request, limit)
    if (read instanceof Uint8Array) return read
    return read.code === "too_large" ? "too_large" : "unreadable"
  })
}

export type Frame = readonly [joinRef: Json, ref: Json, topic: string, event: string, payload: Json]

/** A socket that keeps every frame as it came and lets a test wait for the next one. */
export class RawClient {
  readonly #socket: WebSocket
  readonly #seen: string[] = []
  readonly #closed = Promise.withResolvers<number>()
  /** Why it was closed, in the server's words. */
  reason = ""
  #taken = 0
  #wake: (() => void) | null = null
  #beat = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.binaryType = "arraybuffer"
    socket.onmessage = ({ data }) => {
      // Either text or, as asked above, an ArrayBuffer.
      this.#seen.push(typeof data === "string" ? data : `<binary ${Buffer.from(data as ArrayBuffer).toString("hex")}>`)
      this.#wake?.()
    }
    socket.onclose = ({ code, reason }) => {
      this.reason = reason
      this.#closed.resolve(code)
      this.#wake?.()
    }
  }

  /** Rejects where the upgrade is refused. */
  static open(url: string, protocols: string[] = []): Promise<RawClient> {
    const { promise, resolve, reject } = Promise.withResolvers<RawClient>()
    const socket = new WebSocket(url, protocols)
    const client = new RawClient(socket)
    socket.onopen = () => resolve(client)
    socket.onerror = () => reject(new Error("the upgrade was refused"))
    return promise
  }

  get closed(): Promise<number> {
    return this.#closed.promise
  }

  get protocol(): string {
    return this.#socket.protocol
  }

  send(frame: Json | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(frame instanceof Uint8Array ? frame : JSON.stringify(frame))
  }

  sendText(text: string): void {
    this.#socket.send(text)
  }

  /** The next frame, as text. */
  async next(): Promise<string> {
    while (this.#taken >= this.#seen.length) {
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error(`closed with ${await this.closed}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#seen[this.#taken++] ?? ""
  }

  async frame(): Promise<Frame> {
    // The server's frames are what is under test; a wrong shape fails the comparison that follows.
    return JSON.parse(await this.next()) as Frame
  }

  /** Everything that the server had sent before it answers a heartbeat: proof that nothing else came. */
  async settled(): Promise<string[]> {
    const ref = `beat-${++this.#beat}`
    this.send([null, ref, "phoenix", "heartbeat", {}])
    const answer = JSON.stringify([null, ref, "phoenix", "phx_reply", { status: "ok", response: {} }])
    const before: string[] = []
    for (let text = await this.next(); text !== answer; text = await this.next()) before.push(text)
    return before
  }

  /** Joins and gives the reply's payload. */
  async join(topic: string, payload: Json = {}, ref = "1"): Promise<Json> {
    this.send([ref, ref, topic, "phx_join", payload])
    return (await this.frame())[4]
  }

  close(): void {
    this.#socket.close()
  }
}
