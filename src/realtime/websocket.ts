/**
 * Bun's native WebSocket handler for the hub's connections. Native, not Elysia's: raw text reaches us unparsed, and a
 * publish costs nothing per subscriber. No handler is async: a rejection here would end the process.
 */
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import type { Connection, Transport } from "./connection.ts"
import type { Encoded } from "./frame.ts"
import type { RealtimeLimits } from "./limits.ts"

export type Socket = Bun.ServerWebSocket<SocketData>

/** What travels from the upgrade to the handlers. */
export type SocketData = Connection

export interface WebSocketDeps {
  readonly limits: RealtimeLimits
  readonly telemetry: Emitter
  opened(connection: Connection): void
  closed(connection: Connection): void
  /** A socket hears of what is published under this name. */
  subscribed(name: string): void
}

export function websocketHandler(deps: WebSocketDeps): Bun.WebSocketHandler<SocketData> {
  const { limits, telemetry } = deps
  const guarded = (where: string, socket: Socket, run: () => void): void => {
    try {
      run()
    } catch (error) {
      telemetry.emit({ kind: "bug_found", where, error: describeError(error) })
      socket.close(1011, "")
    }
  }
  return {
    maxPayloadLength: limits.frameBytes,
    // Bun counts what we send as a sign of life, so the sweep closes silent clients first and this is the net below it.
    idleTimeout: limits.idleSeconds + 10,
    // A dropped frame would be a silent hole, so a socket over its limit is cut; it comes back and recovers.
    backpressureLimit: limits.backlogBytes,
    closeOnBackpressureLimit: true,
    perMessageDeflate: false,
    // Phoenix's server sends none either, and answers to ours would keep a silent client alive for ever.
    sendPings: false,
    open(socket) {
      guarded("realtime open", socket, () => {
        const connection = socket.data
        connection.opened(new WebSocketTransport(socket, deps))
        deps.opened(connection)
      })
    },
    message(socket, raw) {
      guarded("realtime message", socket, () => socket.data.receive(raw))
    },
    pong(socket) {
      guarded("realtime pong", socket, () => socket.data.alive())
    },
    close(socket, code) {
      guarded("realtime close", socket, () => {
        const connection = socket.data
        deps.closed(connection)
        connection.closed(code)
      })
    },
  }
}

class WebSocketTransport implements Transport {
  readonly name = "websocket"
  readonly #socket: Socket
  readonly #deps: Pick<WebSocketDeps, "subscribed">

  constructor(socket: Socket, deps: Pick<WebSocketDeps, "subscribed">) {
    this.#socket = socket
    this.#deps = deps
  }

  send(frame: Encoded): void {
    const socket = this.#socket
    // 0: nothing was taken. The socket is closing or over its backlog, and then a reply is missing: it must not live on.
    // Not at once: whoever sends is in the middle of something, and its end would come in between.
    if (socket.send(frame) === 0) queueMicrotask(() => socket.readyState === WebSocket.OPEN && socket.terminate())
  }

  subscribe(name: string): void {
    this.#socket.subscribe(name)
    this.#deps.subscribed(name)
  }

  unsubscribe(name: string): void {
    this.#socket.unsubscribe(name)
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  cut(): void {
    this.#socket.terminate()
  }

  backlog(): number {
    return this.#socket.getBufferedAmount()
  }

  ping(): void {
    this.#socket.ping()
  }
}
