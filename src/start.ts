/**
 * The steps before the tree runs, each of which may refuse: telemetry, the database and its migrations, the first
 * rules. A refusal is lines for the operator, never a stack.
 */
import { join } from "node:path"
import {
  type Config,
  type ConfigError,
  type ConfigWarning,
  explainConfigError,
  missingChannelCredentials,
} from "./config.ts"
import type { SourcePromise } from "./domain/source-promise.ts"
import type { PartHealth } from "./http/health.ts"
import { type CurrentRules, currentRules } from "./routing/current-rules.ts"
import { followedRules } from "./routing/followed-rules.ts"
import { foldersOf } from "./routing/load.ts"
import { explainRuleError } from "./routing/rule-error.ts"
import { advertisesByMail, channelsOf } from "./routing/rule-set.ts"
import { systemClock } from "./runtime/clock.ts"
import { StartFailed } from "./runtime/tree.ts"
import { type Database, databaseProblem, openDatabase } from "./store/database.ts"
import { type EmbeddedOptions, type EmbeddedPostgres, EmbeddedPostgresError, startEmbedded } from "./store/embedded.ts"
import { migrate } from "./store/migrate.ts"
import { type DueWork, dueWork } from "./store/queue-depth.ts"
import type { SilentSource } from "./store/silent-sources.ts"
import { createTelemetry, type Telemetry } from "./telemetry/bus.ts"
import { createLog } from "./telemetry/log.ts"
import { createMetrics, type Metrics } from "./telemetry/metrics.ts"
import { describeError } from "./telemetry/scrub.ts"

/** The hub cannot start here and now; each line says one reason. */
export class StartRefused extends Error {
  override readonly name = "StartRefused"
  readonly lines: readonly string[]
  constructor(lines: readonly string[], cause?: unknown) {
    super(lines.join("; "), { cause })
    this.lines = lines
  }

  /** The tree's first start failed: a port that is taken is the operator's business, anything else is a bug. */
  static from(error: unknown, config: Config): unknown {
    if (!(error instanceof StartFailed)) return error
    const cause = error.cause
    const code = cause instanceof Error && "code" in cause ? cause.code : null
    const where = `${config.http.host}:${config.http.port}`
    if (code === "EADDRINUSE")
      return new StartRefused([`port ${config.http.port} is taken: stop what listens there, or set PORT`], error)
    if (code === "EACCES")
      return new StartRefused([`${where} may not be listened on by this user: set PORT to 1024 or more`], error)
    return new StartRefused([error.message], error)
  }
}

export interface Voices {
  readonly telemetry: Telemetry
  readonly metrics: Metrics
  close(): void
}

/** Telemetry with its subscribers: the log and the metrics. */
export function openTelemetry(config: Config, warnings: readonly ConfigWarning[], version: string): Voices {
  const telemetry = createTelemetry()
  const log = createLog(config.log)
  const metrics = createMetrics()
  telemetry.subscribe(log.subscriber)
  telemetry.subscribe(metrics.subscriber)
  telemetry.emit({ kind: "hub_starting", version, nodeEnv: config.nodeEnv })
  for (const { name, problem } of warnings) telemetry.emit({ kind: "config_warning", setting: name, problem })
  return {
    telemetry,
    metrics,
    close() {
      metrics.close()
      log.close()
    },
  }
}

export interface Store {
  readonly db: Database
  readonly embedded: { readonly server: EmbeddedPostgres; readonly options: EmbeddedOptions } | null
}

const SHOWN_ERRORS = 10
/** A database that is elsewhere may come up after us: it gets this long. */
const PATIENCE_MS = 60_000
const RETRY_MS = 1_000

export interface OpenStoreOptions {
  readonly notice: (line: string) => void
  /** Aborted: whoever asked for the start no longer wants it. */
  readonly signal?: AbortSignal
  /** How long to wait for a database that does not answer; 60 s by default. */
  readonly patienceMs?: number
}

/** Opens DATABASE_URL or starts the embedded server, and brings the schema up to date. Throws StartRefused. */
export async function openStore(config: Config, telemetry: Telemetry, options: OpenStoreOptions): Promise<Store> {
  const embedded = config.databaseUrl === null ? await embeddedServer(config, options.notice) : null
  const url = embedded?.server.url ?? config.databaseUrl?.reveal() ?? ""
  const began = systemClock.now()
  try {
    for (const name of (await migrated(url, options)).applied) {
      telemetry.emit({ kind: "migration_applied", name, ms: systemClock.now() - began })
    }
  } catch (error) {
    await embedded?.server.stop()
    throw new StartRefused([`the database cannot be used: ${describeError(error)}`], error)
  }
  let away = 0
  const db = openDatabase({
    url,
    onHealth(error) {
      if (error === null) telemetry.emit({ kind: "database_up", afterMs: systemClock.now() - away })
      else {
        away = systemClock.now()
        telemetry.emit({ kind: "database_down", error: describeError(error) })
      }
    },
  })
  return { db, embedded }
}

async function embeddedServer(config: Config, notice: (line: string) => void): Promise<NonNullable<Store["embedded"]>> {
  const options: EmbeddedOptions = { dataDir: config.dataDir, durable: true, notice }
  try {
    return { server: await startEmbedded(options), options }
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new StartRefused([error.message], error)
    throw error
  }
}

/** Migrates, waiting for a database that is not there yet. */
async function migrated(url: string, options: OpenStoreOptions): Promise<{ readonly applied: readonly string[] }> {
  const { notice, signal, patienceMs = PATIENCE_MS } = options
  const deadline = systemClock.now() + patienceMs
  for (let told = false; ; told = true) {
    signal?.throwIfAborted()
    try {
      return await migrate(url)
    } catch (error) {
      if (databaseProblem(error) !== "away" || systemClock.now() >= deadline) throw error
      if (!told)
        notice(
          `the database does not answer: waiting up to ${Math.ceil(patienceMs / 1_000)} s (${describeError(error)})`,
        )
      await new Promise<void>((resolve) => {
        systemClock.after(RETRY_MS, resolve)
        signal?.addEventListener("abort", () => resolve(), { once: true })
      })
    }
  }
}

/** The rules that the hub starts with: all good, and with credentials for every channel they use. Throws StartRefused. */
export async function firstRules(config: Config, telemetry: Telemetry): Promise<CurrentRules> {
  const loaded = await loadFirst(config, telemetry)
  if ("problem" in loaded) throw new StartRefused([loaded.problem])
  if ("errors" in loaded) throw new StartRefused(loaded.errors.map(explainRuleError))
  if (config.production) {
    const used = [...channelsOf(loaded.ok.get())]
    const missing = missingChannelCredentials(config, used)
    if (missing.length > 0) throw new StartRefused(missing.map(explainConfigError))
  }
  if (config.email.postalAddress === null && advertisesByMail(loaded.ok.get())) {
    const problem = "is not set, and a rule sends commercial e-mail, which has to say where its sender is found"
    telemetry.emit({ kind: "config_warning", setting: "EMAIL_POSTAL_ADDRESS", problem })
  }
  return loaded.ok
}

const loadFirst = (config: Config, telemetry: Telemetry) =>
  config.rulesGit === null
    ? currentRules({ ...foldersOf(config), clock: systemClock, telemetry })
    : followedRules({
        ...config.rulesGit,
        dir: join(config.dataDir, "rules-git"),
        webhookSecrets: foldersOf(config).webhookSecrets,
        clock: systemClock,
        telemetry,
        random: Math.random,
      })

/**
 * What else production would refuse, were the settings in `errors` right: the credentials of the channels that the
 * rules use. So that the operator mends everything in one go.
 */
export async function alsoMissing(draft: Config, errors: readonly ConfigError[]): Promise<readonly ConfigError[]> {
  // A repository is not asked only to make a list longer.
  if (!draft.production || draft.rulesGit !== null) return []
  const loaded = await currentRules({ ...foldersOf(draft), clock: systemClock, telemetry: createTelemetry() })
  if ("errors" in loaded) return []
  const named = new Set(errors.map(({ name }) => name))
  return missingChannelCredentials(draft, channelsOf(loaded.ok.get())).filter(({ name }) => !named.has(name))
}

/** What `/health/detailed` says of the rules: which run, and why the present files do not. */
export function rulesHealth(rules: CurrentRules): PartHealth {
  const { revision, rules: running, loadedAt } = rules.get()
  const refused = rules.refused().map(explainRuleError)
  const followed = rules.followed?.() ?? null
  const detail = {
    revision,
    rules: running.length,
    loaded_at: new Date(loadedAt).toISOString(),
    ...(followed === null
      ? {}
      : {
          branch: followed.branch,
          asked_at: followed.askedAt === null ? null : new Date(followed.askedAt).toISOString(),
          away: followed.away,
        }),
  }
  if (refused.length === 0) return { status: (followed?.away ?? null) === null ? "up" : "degraded", detail }
  return { status: "degraded", detail: { ...detail, refused: refused.slice(0, SHOWN_ERRORS), errors: refused.length } }
}

/** What `/health/detailed` says of the sources that promised to speak: which do not. The page is open: no tenant is named. */
export function sourcesHealth(promised: readonly SourcePromise[], silent: readonly SilentSource[]): PartHealth {
  if (silent.length === 0) return { status: "up", detail: { promised: promised.length, silent: [] } }
  const shown = silent.slice(0, SHOWN_ERRORS).map(({ source, since, expected }) => ({
    source,
    since: new Date(since).toISOString(),
    expected,
  }))
  return { status: "degraded", detail: { promised: promised.length, silent: shown, count: silent.length } }
}

/** A scrape asks several gauges at once; they share one look at the queues. */
const SHARED_MS = 1_000

/** What only a query knows of the work that waits. */
export function workGauges(metrics: Metrics, db: Database): void {
  let last: { readonly at: number; readonly work: Promise<DueWork> } | null = null
  const work = (): Promise<DueWork> => {
    const now = systemClock.now()
    if (last === null || now - last.at > SHARED_MS) last = { at: now, work: dueWork(db) }
    return last.work
  }
  metrics.gauge("queue_depth", "Deliveries that wait to be sent", async () => (await work()).waiting)
  metrics.gauge(
    "hub_oldest_due_seconds",
    "Age of the oldest work that is due and not done",
    async () => (await work()).oldest_due_seconds,
  )
  metrics.gauge(
    "hub_dead_letters",
    "Deliveries that ended dead or unknown and wait for somebody",
    async () => (await work()).dead,
  )
}
