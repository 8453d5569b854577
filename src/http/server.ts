/**
 * The listener. Bun's own body limit is set out of reach, because it answers 413 without a word; the real limits are
 * in `body.ts`. `reusePort` is off unless set, because a second hub would silently take half of the connections.
 */

import type { ChildSpec } from "../runtime/child-spec.ts"
import { type RunningService, service } from "../runtime/service.ts"
import type { App } from "./app.ts"

/** What of Bun's websocket handler the listener passes on; `Data` is the business of whoever upgrades. */
export type SocketHandler<Data> = Bun.WebSocketHandler<Data>

export interface ListenOptions<Data> {
  readonly app: App
  /** 0: any free port. */
  readonly port: number
  readonly host: string
  readonly reusePort?: boolean
  readonly websocket?: SocketHandler<Data>
}

export interface Listening {
  readonly port: number
  /** For `server.publish` and the like. */
  readonly server: Bun.Server<unknown>
  /** Stops accepting, waits for what is in flight at most `deadlineMs`, then cuts what is left. Sockets should be closed first. */
  stop(deadlineMs: number): Promise<void>
}

const UNREACHABLE_LIMIT = Number.MAX_SAFE_INTEGER
const IDLE_SECONDS = 10
/** What requests in flight get at a stop, and what sockets get before that. */
const DRAIN_MS = 4_000
const SOCKETS_MS = 6_000

/** Elysia fills what a handler leaves out with its own, which would stumble over data that is not Elysia's. */
const unheard = { open() {}, close() {}, drain() {} }

/** Throws EADDRINUSE or EACCES where the port cannot be had. */
export function listen<Data>(options: ListenOptions<Data>): Listening {
  const { elysia } = options.app
  elysia.listen({
    port: options.port,
    hostname: options.host,
    reusePort: options.reusePort ?? false,
    development: false,
    maxRequestBodySize: UNREACHABLE_LIMIT,
    idleTimeout: IDLE_SECONDS,
    ...(options.websocket === undefined ? {} : { websocket: { ...unheard, ...options.websocket } }),
  } as Parameters<typeof elysia.listen>[0])
  const server = elysia.server
  if (server === null) throw new Error("Elysia listens without a server")
  return {
    port: server.port ?? options.port,
    server: server as Bun.Server<unknown>,
    async stop(deadlineMs) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs)
      })
      await Promise.race([server.stop(false), deadline])
      clearTimeout(timer)
      await server.stop(true)
    },
  }
}

export interface HttpListenerOptions<Data> extends ListenOptions<Data> {
  /** Runs first at every start, the one after a crash too: whoever was told that the door closes is told that it is open. */
  readonly beforeStart: () => void
  /** Runs first at a stop: sockets must be gone before the listener can end. */
  readonly beforeStop: () => Promise<void>
}

/** The listener as the last child of the tree: last up, first down. */
export function httpListener<Data>(options: HttpListenerOptions<Data>): {
  readonly child: ChildSpec
  /** The port that was taken; 0 before the start. */
  port(): number
} {
  let port = 0
  const child = service({
    id: "http",
    shutdownMs: DRAIN_MS + SOCKETS_MS,
    start(): RunningService {
      options.beforeStart()
      // A restart takes the port of the first start, which clients know.
      const listening = listen({ ...options, port: port === 0 ? options.port : port })
      port = listening.port
      return {
        async stop() {
          await options.beforeStop()
          await listening.stop(DRAIN_MS)
        },
      }
    },
  })
  return { child, port: () => port }
}
