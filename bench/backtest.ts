/**
 * How long `hub rules backtest` takes for 100,000 recorded events under 200 rules at each of two revisions: the command as a
 * process of its own, on a real PostgreSQL and a real git repository.
 */
import { rmSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { asBusinessId, newEventId } from "../src/domain/ids.ts"
import { openDatabase } from "../src/store/database.ts"
import { migrate } from "../src/store/migrate.ts"
import { upsertRecipients } from "../src/store/recipients.ts"
import { seal } from "../src/store/sealed.ts"
import { recipient } from "../src/testing/builders.ts"
import { gitIn } from "../src/testing/git-repository.ts"
import {
  benchPostgres,
  freshDatabase,
  machineLine,
  num,
  type Postgres,
  printRows,
  type Row,
  temporaryFolder,
} from "./harness.ts"

const EVENTS = 100_000
const RULES = 200
const OF_A_TYPE = 5
const TYPES = RULES / OF_A_TYPE
const PEOPLE = 200
const ROLES = 40
const DAY = 86_400_000
const BATCH = 5_000
const AIM_SECONDS = 60

/** Every rule has a condition of three parts; of five one waits in each of the ways that rules can. */
const TIMED = [
  "",
  "cooldown: { key: payload.customer, window: 1h }",
  "digest: { key: location_id, window: 15m }",
  "escalate: [{ after: 30m, channels: [sms] }]",
  "delay: 10m",
]

const ruleText = (i: number, least: number): string => `
  - name: rule-${i}
    event_type: type.${Math.floor(i / OF_A_TYPE)}.happened
    conditions:
      and:
        - ">=": [{ var: payload.total }, ${least}]
        - "==": [{ var: payload.currency }, ${i % 2 === 0 ? "IQD" : "USD"}]
        - "!=": [{ var: payload.customer_kind }, test]
    actions:
      - type: notify
        to: { roles: [role-${i % ROLES}] }
        channels: [inapp, email]
        template: plain
        ${TIMED[i % TIMED.length]}`

const rulesText = (least: number): string =>
  `rules:${Array.from({ length: RULES }, (_, i) => ruleText(i, least + (i % OF_A_TYPE) * 500)).join("")}\n`

/** Runs the bench and returns the rows for the common table. */
export async function backtest(postgres: Postgres): Promise<readonly Row[]> {
  const url = await freshDatabase(postgres.url, "bench_backtest")
  await migrate(url)
  const until = Date.UTC(2026, 2, 9)
  await fill(url, until - 7 * DAY, 7 * DAY)
  const folder = temporaryFolder()
  try {
    await repository(folder)
    const began = performance.now()
    const child = Bun.spawn(
      [
        process.execPath,
        ...[
          "--no-env-file",
          join(import.meta.dir, "../src/main.ts"),
          "rules",
          "backtest",
          "--base",
          "HEAD~1",
          "--json",
        ],
        ...["--since", "2026-03-02", "--until", "2026-03-09", "--head", "HEAD"],
      ],
      { cwd: folder, env: { PATH: process.env["PATH"] ?? "", DATABASE_URL: url, ...profile() }, stdout: "pipe" },
    )
    const [code, out] = await Promise.all([child.exited, new Response(child.stdout).text()])
    const seconds = (performance.now() - began) / 1_000
    const { user = 0, system = 0 } = child.resourceUsage()?.cpuTime ?? {}
    const cpu = (Number(user) + Number(system)) / 1_000_000
    const report = JSON.parse(out)
    if (code !== 1 || report.events.replayed !== EVENTS)
      throw new Error(`the backtest ended with ${code}: ${out.slice(0, 500)}`)
    const { before, after } = Object.values<{ before: number; after: number }>(report.messages).reduce((a, b) => ({
      before: a.before + b.before,
      after: a.after + b.after,
    }))
    const memory = num((child.resourceUsage()?.maxRSS ?? 0) / 1_048_576)
    return [
      {
        bench: "backtest",
        what: `${num(EVENTS)} events under ${RULES} rules at two revisions, from PostgreSQL`,
        figure: `${seconds.toFixed(1)} s (${cpu.toFixed(1)} s of a core, ${memory} MB); ${num(before)} and ${num(after)} messages`,
        aim: `< ${AIM_SECONDS} s`,
        met: seconds < AIM_SECONDS,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const profile = (): Record<string, string> => {
  const folder = process.env["BENCH_PROFILE"]
  return folder === undefined ? {} : { BUN_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` }
}

async function repository(folder: string): Promise<void> {
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  await gitIn(folder, "init", "--quiet", "--initial-branch=main")
  await write("templates/plain/default.eta", "---\ntitle: News\n---\nSomething happened.\n")
  for (const least of [2_000, 1_000]) {
    await write("rules/all.yaml", rulesText(least))
    await gitIn(folder, "add", "--all")
    await gitIn(folder, "commit", "--quiet", "--message", `from ${least}`)
  }
}

async function fill(url: string, since: number, span: number): Promise<void> {
  const db = openDatabase({ url, max: 1 })
  try {
    const business = asBusinessId("b1")
    if (business === null) throw new Error("a business")
    const people = Array.from({ length: PEOPLE }, (_, i) => ({
      ...recipient(`u${i}`, { email: `u${i}@example.com`, phone: `+9647${String(i).padStart(9, "0")}` }),
      memberships: [{ business, locations: null, roles: [`role-${i % ROLES}`] }],
    }))
    await upsertRecipients(db, people, null)
    for (let first = 0; first < EVENTS; first += BATCH) {
      const ns = Array.from({ length: BATCH }, (_, i) => first + i)
      const times = ns.map((n) => since + Math.floor((n * span) / EVENTS))
      await db.execute(
        `insert into events (id, business_id, location_id, type, source, severity, occurred_at, accepted_at, content_hash, payload)
         select id, 'b1', null, type, 'bench', 'info', to_timestamp(at / 1000), to_timestamp(at / 1000), '', payload
         from unnest($1::text[], $2::text[], $3::float8[], $4::bytea[]) as t (id, type, at, payload)`,
        [
          times.map(newEventId),
          ns.map((n) => `type.${(n * 7_919) % TYPES}.happened`),
          times,
          ns.map((n) =>
            seal({
              total: (n * 37) % 6_000,
              currency: n % 3 === 0 ? "USD" : "IQD",
              customer: `c${n % 500}`,
              customer_kind: n % 50 === 0 ? "test" : "shop",
              note: "x".repeat(200),
            }),
          ),
        ],
      )
    }
  } finally {
    await db.close()
  }
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await backtest(postgres))
  } finally {
    await postgres.stop()
  }
}
