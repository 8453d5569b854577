/**
 * How fast the pruner deletes what is old, and what producers feel of it meanwhile: a hub takes a steady load for a
 * while, and again while some 200,000 rows go. No aim: the pruner takes at most half of one connection, and this shows
 * what that is worth on the machine at hand.
 */
import { idFloor } from "../src/domain/ids.ts"
import { systemClock } from "../src/runtime/clock.ts"
import { startTree, supervisor } from "../src/runtime/supervisor.ts"
import { openDatabase } from "../src/store/database.ts"
import { migrate } from "../src/store/migrate.ts"
import { pruner } from "../src/store/pruner.ts"
import {
  benchPostgres,
  freshDatabase,
  machineLine,
  num,
  type Postgres,
  percentile,
  printRows,
  type Row,
  sql,
  sum,
  until,
} from "./harness.ts"
import { paced } from "./paced.ts"
import { startHub } from "./servers.ts"

/** Each with a route, a notification in its stream, a delivery, its message and its attempt: 7 rows. */
const OLD_EVENTS = 30_000
const RATE = 300
const QUIET_SECONDS = 15
const DAY = 86_400_000
const RETENTION = { eventsMs: 90 * DAY, notificationsMs: 90 * DAY, attemptsMs: 90 * DAY, rejectedMs: 30 * DAY }

/** Runs the bench and returns the rows for the common table. */
export async function prune(postgres: Postgres): Promise<readonly Row[]> {
  const url = await freshDatabase(postgres.url, "bench_prune")
  await migrate(url)
  await fill(url)
  const hub = await startHub(url, null)
  try {
    const load = { rate: RATE, warmUpSeconds: 3 }
    const quiet = await paced(hub.port, { ...load, seconds: QUIET_SECONDS, first: 0 })
    const pruning = pruned(url)
    const busy = await paced(hub.port, { ...load, warmUpSeconds: 0, seconds: QUIET_SECONDS, first: 1_000_000 })
    const { rows, ms } = await pruning
    const p99 = (answers: readonly number[]) =>
      `${num(percentile(answers, 0.5))} / ${num(percentile(answers, 0.99))} ms`
    const row = { bench: "prune", aim: null, met: null }
    return [
      {
        ...row,
        what: "rows deleted a second, rests included",
        figure: `${num((rows * 1_000) / ms)} (${num(rows)} in all)`,
      },
      { ...row, what: `POST p50 / p99 at ${RATE} events/s, nothing to prune`, figure: p99(quiet.answer) },
      {
        ...row,
        what: `POST p50 / p99 at ${RATE} events/s, for ${QUIET_SECONDS} s from its start`,
        figure: p99(busy.answer),
      },
    ]
  } finally {
    await hub.stop()
  }
}

/** One run of the pruner to its end. */
async function pruned(url: string): Promise<{ readonly rows: number; readonly ms: number }> {
  const db = openDatabase({ url })
  const counts: number[] = []
  const child = pruner({
    db,
    retention: RETENTION,
    random: Math.random,
    firstLookMs: 0,
    pruned: (_table, count) => counts.push(count),
  })
  // The hub's own pruner has found that there was nothing to do.
  await db.execute("update chores set finished_at = null")
  const began = performance.now()
  const tree = await startTree(supervisor({ id: "bench", strategy: "one_for_one", children: [child] }), {
    clock: systemClock,
    emit: () => undefined,
    onGiveUp: (reason) => {
      throw new Error(`the pruner gave up: ${JSON.stringify(reason)}`)
    },
  })
  const finished = async () => (await sql(url, "select 1 from chores where finished_at is not null")).length > 0
  await until("what is old is gone", finished, 300_000, 50)
  const ms = performance.now() - began
  await tree.stop()
  await db.close()
  return { rows: sum(counts), ms }
}

async function fill(url: string): Promise<void> {
  const old = Date.now() - 100 * DAY
  const made = (prefix: Parameters<typeof idFloor>[0]) => `'${idFloor(prefix, old)}' || lpad(n::text, 16, '0')`
  const then = "now() - interval '100 days'"
  const statements = [
    `insert into events (id, business_id, type, source, severity, occurred_at, accepted_at, idempotency_key, content_hash,
       payload) select ${made("evt_")}, 'b1', 'bench.happened', 'bench', 'info', ${then}, ${then}, 'old-' || n, '',
       decode(repeat('ab', 300), 'hex') from generate_series(1, ${OLD_EVENTS}) n`,
    `insert into routes (event_id, rules_revision, decisions)
       select ${made("evt_")}, 'r', decode(repeat('ab', 200), 'hex') from generate_series(1, ${OLD_EVENTS}) n`,
    `insert into notifications (id, event_id, rule, rules_revision, recipient_id, business_id, severity, priority, inbox,
       content, created_at) select ${made("ntf_")}, ${made("evt_")}, 'r', 'r', 'person-' || n % 1000, 'b1', 'info',
       'normal', true, decode(repeat('ab', 200), 'hex'), ${then} from generate_series(1, ${OLD_EVENTS}) n`,
    `insert into stream_entries (stream, position, ref) select 'notifications:person-' || n % 1000, n, ${made("ntf_")}
       from generate_series(1, ${OLD_EVENTS}) n`,
    `insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
       status, created_at, settled_at) select ${made("dlv_")}, ${made("evt_")}, array[${made("ntf_")}], 'r', 'r', 'b1',
       'email', decode(md5(n::text), 'hex'), 'delivered', ${then}, ${then} from generate_series(1, ${OLD_EVENTS}) n`,
    `insert into messages (delivery_id, message)
       select ${made("dlv_")}, decode(repeat('ab', 500), 'hex') from generate_series(1, ${OLD_EVENTS}) n`,
    `insert into attempts (delivery_id, number, started_at, finished_at, outcome)
       select ${made("dlv_")}, 1, ${then}, ${then}, 'delivered' from generate_series(1, ${OLD_EVENTS}) n`,
    "update chores set finished_at = now()",
    "analyze",
  ]
  for (const statement of statements) await sql(url, statement)
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await prune(postgres))
  } finally {
    await postgres.stop()
  }
}
