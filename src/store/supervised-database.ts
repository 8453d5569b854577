/**
 * The database as parts of the supervision tree: the embedded server, which is started again when it dies, and the
 * pool, which notices by itself that the database is back, so that health is right even while nobody asks for anything.
 */

import type { ChildSpec } from "../runtime/child-spec.ts"
import { type RunningService, service } from "../runtime/service.ts"
import type { Database } from "./database.ts"
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbedded } from "./embedded.ts"

const PING_MS = 5_000

/** Keeps an embedded server that is running already, and starts it again on the same port when it dies. */
export function embeddedServer(first: EmbeddedPostgres, options: EmbeddedOptions): ChildSpec {
  let server: EmbeddedPostgres | null = first
  return service({
    id: "embedded-postgres",
    // A recovery after a crash replays the log, which is bounded but not short.
    startTimeoutMs: 120_000,
    shutdownMs: 20_000,
    backoff: { minMs: 200, maxMs: 10_000 },
    async start(ctx): Promise<RunningService> {
      const running = server ?? (await startEmbedded({ ...options, port: first.port }))
      server = running
      let stopping = false
      void running.exited.then(() => {
        if (server === running) server = null
        if (!stopping) ctx.fail(new Error("the embedded PostgreSQL ended"))
      })
      return {
        async stop() {
          stopping = true
          await running.stop()
          // Not left to `exited`, which is told later where the server was found running and is only looked at now and then.
          if (server === running) server = null
        },
      }
    },
  })
}

/** Asks the database for a sign of life every few seconds and closes the pool at the end. */
export function databasePool(db: Database): ChildSpec {
  return service({
    id: "database",
    start(ctx): RunningService {
      db.reopen()
      let timer = ctx.clock.after(PING_MS, ping)
      function ping(): void {
        const next = (): void => {
          if (!ctx.signal.aborted) timer = ctx.clock.after(PING_MS, ping)
        }
        // What a failure means is the pool's to judge and to report.
        db.query("select 1").then(next, next)
      }
      return {
        async stop() {
          timer.cancel()
          await db.close()
        },
      }
    },
  })
}
