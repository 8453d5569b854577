/** A PostgreSQL for one test alone, as safe as in production, to be crashed and started again on its port. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type EmbeddedPostgres, startEmbedded } from "../store/embedded.ts"

export interface PrivatePostgres {
  /** For a superuser; its database `postgres` is empty. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends every process of it at once, as a power cut of the server would: what was committed is on disk. */
  crash(): Promise<void>
  /** Starts it again; resolves when it accepts connections. Does nothing while it runs. */
  start(): Promise<void>
  /** Stops it and removes its data. */
  remove(): Promise<void>
}

export async function startPrivatePostgres(
  options: { readonly maxConnections?: number; readonly folder?: string } = {},
): Promise<PrivatePostgres> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "hub-private-"))
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o711) // root's PostgreSQL runs as another user
  const { maxConnections = 100 } = options
  const start = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbedded({
      dataDir: join(folder, "data"),
      durable: true,
      maxConnections,
      ...(port === undefined ? {} : { port }),
    })
  let server = await start()
  let running = true
  const watch = (): void => {
    const watched = server
    void watched.exited.then(() => {
      if (watched === server) running = false
    })
  }
  watch()
  const { port, url } = server
  return {
    url,
    port,
    get pid() {
      return server.pid
    },
    async crash() {
      process.kill(server.pid, "SIGQUIT")
      await server.exited
      running = false
    },
    async start() {
      if (running) return
      server = await start(port)
      running = true
      watch()
    },
    async remove() {
      if (running) process.kill(server.pid, "SIGQUIT")
      await server.exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
