/**
 * The listener. Bun's own body limit is set out of reach, because it answers 413 without a word; the real limits are
 * in `body.ts`. `reusePort` is off, because a second hub would silently take half of the connections.
 */
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
    ...(options.websocket === undefined ? {} : { websocket: options.websocket as Bun.WebSocketHandler<unknown> }), // the data is theirs alone
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
