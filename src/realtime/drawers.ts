/**
 * The older notification drawers: plain WebSockets that are sent items and nothing else. Each is a connection like all
 * others, with a client of the protocol built in: it joins its person's topic, comes back where it was after a crash, and
 * turns what it hears into the shape of its door.
 */

import type { RecipientId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { Principal } from "../domain/principal.ts"
import type { Timer } from "../runtime/clock.ts"
import { Connection, type ConnectionDeps, type Transport } from "./connection.ts"
import { type Encoded, type Incoming, serializerV2 } from "./frame.ts"
import type { LocalTopics } from "./local-topics.ts"

/** `envelope`: `/ws/notifications`; `bare`: `/v1/ws`. */
export type DrawerShape = "envelope" | "bare"

/** Drawers only listen, so their life is told by their answers to pings. */
const PING_MS = 30_000
const REJOIN_MS = 1_000
/** Refs of what the connection is asked, to know its answers by. */
const JOIN = "join"
const PONGS: Readonly<Record<string, string>> = { ping: "pong", json_ping: `{"type":"pong"}` }

/** Whatever an old client says is a sign of life; whether it asks if we are there is kept as the ref. */
const lenient = (raw: string | Uint8Array): Incoming => {
  const asks =
    raw === "ping" ? "ping" : typeof raw === "string" && raw.length < 64 && JSON_PING.test(raw) ? "json_ping" : null
  return { joinRef: null, ref: asks, topic: "phoenix", event: "heartbeat", payload: {} }
}
const JSON_PING = /^\s*\{\s*"type"\s*:\s*"ping"\s*\}\s*$/

export class DrawerConnection extends Connection {
  /** Which of two speaks: the built-in client, in frames, or the real one, in whatever. */
  readonly #asking: { itself: boolean }
  readonly #deps: ConnectionDeps
  readonly #local: LocalTopics
  readonly #shape: DrawerShape
  readonly #topic: string
  #line: DrawerLine | null = null
  #pingedAt = 0

  constructor(
    principal: Principal & { readonly recipient: RecipientId },
    shape: DrawerShape,
    local: LocalTopics,
    deps: ConnectionDeps,
  ) {
    const asking = { itself: false }
    super(
      principal,
      { ...serializerV2, decode: (raw) => (asking.itself ? serializerV2.decode(raw) : lenient(raw)) },
      deps,
    )
    this.#asking = asking
    this.#deps = deps
    this.#local = local
    this.#shape = shape
    this.#topic = `notifications:${principal.recipient}`
  }

  override opened(transport: Transport): void {
    const line = new DrawerLine(transport, this.#local, this.#shape, this.#deps, (recover) => {
      this.#asking.itself = true
      void this.receive(JSON.stringify([JOIN, JOIN, this.#topic, "phx_join", recover === null ? {} : { recover }]))
      this.#asking.itself = false
    })
    this.#line = line
    this.#pingedAt = this.#deps.clock.now()
    super.opened(line)
    line.join()
  }

  override alive(): void {
    this.heard()
  }

  override closed(code: number): void {
    this.#line?.end()
    super.closed(code)
  }

  override sweep(wallMillis: number): void {
    const now = this.#deps.clock.now()
    if (now - this.#pingedAt >= PING_MS) {
      this.#pingedAt = now
      this.#line?.ping()
    }
    super.sweep(wallMillis)
  }
}

/** Between the connection, which speaks the protocol, and the socket, which does not. */
class DrawerLine implements Transport {
  readonly name = "websocket"
  readonly #socket: Transport
  readonly #local: LocalTopics
  readonly #shape: DrawerShape
  readonly #deps: ConnectionDeps
  readonly #ask: (recover: JsonObject | null) => void
  readonly #names = new Set<string>()
  #at: { readonly epoch: string; readonly offset: number } | null = null
  #again: Timer | null = null
  #over = false

  constructor(
    socket: Transport,
    local: LocalTopics,
    shape: DrawerShape,
    deps: ConnectionDeps,
    ask: (recover: JsonObject | null) => void,
  ) {
    this.#socket = socket
    this.#local = local
    this.#shape = shape
    this.#deps = deps
    this.#ask = ask
  }

  join(): void {
    this.#again = null
    if (!this.#over) this.#ask(this.#at === null ? null : { ...this.#at })
  }

  end(): void {
    this.#over = true
    this.#again?.cancel()
    for (const name of this.#names) this.#local.unsubscribe(name, this)
  }

  /** A frame of the protocol's version 2, as every client of it would get it. */
  send(frame: Encoded): void {
    const [, ref, , event, payload] = JSON.parse(String(frame)) as readonly Json[] // the hub's own frame
    if (!isJsonObject(payload)) return
    switch (event) {
      case "phx_reply":
        if (ref === JOIN) this.#joined(payload)
        else if (typeof ref === "string" && PONGS[ref] !== undefined) this.#socket.send(PONGS[ref])
        return
      case "phx_error":
        // Where the connection ends, this ends with it.
        this.#rejoin()
        return
      case "notification":
        this.#show(payload)
        return
    }
  }

  subscribe(name: string): void {
    this.#names.add(name)
    this.#local.subscribe(name, this)
  }

  unsubscribe(name: string): void {
    this.#names.delete(name)
    this.#local.unsubscribe(name, this)
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  cut(): void {
    this.#socket.cut()
  }

  backlog(): number {
    return this.#socket.backlog()
  }

  ping(): void {
    this.#socket.ping?.()
  }

  #joined({ status, response }: JsonObject): void {
    if (status !== "ok" || !isJsonObject(response ?? null)) {
      this.#rejoin()
      return
    }
    const { epoch, offset, missed } = response as JsonObject // as was just seen
    if (Array.isArray(missed)) {
      for (const one of missed as readonly Json[]) {
        if (isJsonObject(one) && one["event"] === "notification" && isJsonObject(one["payload"] ?? null))
          this.#show(one["payload"] as JsonObject)
      }
    }
    if (typeof epoch === "string" && typeof offset === "number") this.#at = { epoch, offset }
  }

  #rejoin(): void {
    if (this.#over) return
    this.#again ??= this.#deps.clock.after(REJOIN_MS, () => this.join())
  }

  #show({ _offset, ...item }: JsonObject): void {
    if (this.#at !== null && typeof _offset === "number") this.#at = { ...this.#at, offset: _offset }
    const shown =
      this.#shape === "envelope" ? { type: "notification", data: item } : { ...item, message: item["body"] ?? null }
    this.#socket.send(JSON.stringify(shown))
  }
}
