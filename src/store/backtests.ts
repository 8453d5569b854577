/**
 * The last backtest that was run against this database, for whoever looks at the rules. One row: it can be run again. It
 * goes with the events, and with anybody who is deleted, because its examples name people and quote payloads.
 */
import type { JsonObject } from "../domain/json.ts"
import type { Database, Queryable } from "./database.ts"
import { openAs, seal } from "./sealed.ts"

export interface KeptBacktest {
  /** As `hub rules backtest --json` gives it. */
  readonly report: JsonObject
  readonly finishedAt: Date
}

/** Keeps the report in the place of the one before. Throws what the driver throws, also to who may only read. */
export async function keepBacktest(db: Database, report: object): Promise<void> {
  await db.execute(
    `insert into backtests (report) values ($1)
     on conflict (one) do update set report = excluded.report, finished_at = now()`,
    [seal(report)],
  )
}

/** Null: none has been run, or it was too old. */
export async function lastBacktest(db: Database): Promise<KeptBacktest | null> {
  const [row] = await db.query<{ report: Buffer; finished_at: Date }>("select report, finished_at from backtests")
  return row === undefined ? null : { report: openAs<JsonObject>(row.report), finishedAt: row.finished_at }
}

/** `before`: milliseconds since the Unix epoch; null: whenever it was. Says how many went. */
export const forgetBacktest = (db: Queryable, before: number | null): Promise<number> =>
  db.execute("delete from backtests where $1::float8 is null or finished_at < to_timestamp($1::float8 / 1000)", [
    before,
  ])
