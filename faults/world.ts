/** The stage of every fault: providers with a ledger, a database, hubs as processes, a producer; all gone at the end. */

import { type Database, openDatabase } from "../src/store/database.ts"
import { migrate } from "../src/store/migrate.ts"
import { dueWork } from "../src/store/queue-depth.ts"
import { check, type Verdict } from "../src/testing/checker.ts"
import { type FakeProviders, startFakeProviders } from "../src/testing/fake-providers.ts"
import { ADMIN_KEY } from "../src/testing/front.ts"
import { type HubProcess, startHubProcess } from "../src/testing/hub-process.ts"
import { accountIn, marginCall, putTrader } from "../src/testing/margin-call.ts"
import { type OpenLoop, startOpenLoop } from "../src/testing/open-loop.ts"
import { testDatabase } from "../src/testing/postgres.ts"
import type { Figure } from "./fault.ts"
import type { Mutant } from "./mutants.ts"

/** What was left when the fault ended is done when there is less of it every so often: longer than a lease and a retry. */
const PROGRESS_MS = 45_000
const LOOK_MS = 100
const HUB_END_MS = 20_000
const STARTS = 3
const NEVER_DONE = /"event":"(bug_found|actor_exited|actor_restarted|actor_gave_up|route_failed)"/

export interface HubOptions {
  /** The world's database by default; another way to it, such as a proxy. */
  readonly databaseUrl?: string
  readonly port?: number
  /** The log line to wait for (`hub_listening`). */
  readonly until?: string
  readonly settings?: Readonly<Record<string, string>>
  /** Files that are loaded before it, besides the mutant's. */
  readonly preloads?: readonly string[]
}

export interface World {
  readonly providers: FakeProviders
  readonly databaseUrl: string
  /** Of the test's own, not by way of any hub. */
  readonly db: Database
  hub(options?: HubOptions): Promise<HubProcess>
  /** Margin calls, each of which ends as one Telegram message; its key is its account. */
  load(options: {
    readonly perSecond: number
    readonly url: () => string
    readonly deadlineMs?: number
    readonly prefix?: string
  }): OpenLoop
  /** Ends the load, waits until nothing is left to do, and judges. `again`: how much may have been sent twice; `seeded` as in the checker. */
  judged(
    load: OpenLoop,
    bounds: { readonly again: number; readonly seeded?: ReadonlyMap<string, string> },
  ): Promise<readonly Figure[]>
  /** Ends a hub as an operator does; false when it had ended by itself, or does not end with 0. */
  end(hub: HubProcess): Promise<boolean>
  /** Run at the end, last first. */
  defer(cleanup: () => unknown): void
}

export interface WorldOptions {
  readonly mutant: Mutant | null
  /** A database of a server of its own, still empty; else one on the server of the test run. */
  readonly databaseUrl?: string
}

export async function inWorld<T>(options: WorldOptions, run: (world: World) => Promise<T>): Promise<T> {
  const cleanups: (() => unknown)[] = []
  const { mutant } = options
  try {
    const providers = await startFakeProviders()
    cleanups.push(() => providers.stop())
    const databaseUrl = await migrated(options.databaseUrl, cleanups)
    // One connection, which is there before the hubs take what there is, and stays.
    const db = openDatabase({ url: databaseUrl, applicationName: "faults", max: 1, idleMs: 3_600_000 })
    await db.query("select 1")
    cleanups.push(() => db.close())
    if (mutant?.sql !== undefined) await db.execute(mutant.sql)
    let trader = false
    const world: World = {
      providers,
      databaseUrl,
      db,
      async hub({ settings, port, until, databaseUrl: own, preloads = [] } = {}) {
        const loaded = [...(mutant === null ? [] : [mutant.preload]), ...preloads]
        const hub = await startAgain(() =>
          startHubProcess({
            databaseUrl: own ?? databaseUrl,
            ...(port === undefined ? {} : { port }),
            ...(until === undefined ? {} : { until }),
            settings: {
              TELEGRAM_BOT_TOKEN: "4711:test-token",
              TELEGRAM_API_ROOT: providers.url,
              ...(loaded.length === 0 ? {} : { BUN_OPTIONS: loaded.map((file) => `--preload=${file}`).join(" ") }),
              ...settings,
            },
          }),
        )
        cleanups.push(async () => {
          hub.signal("SIGKILL")
          await hub.exited
        })
        if (!trader && hub.port > 0) trader = (await putTrader(hub.port)).ok
        return hub
      },
      load: ({ prefix = "", ...how }) =>
        startOpenLoop({ ...how, event: (n) => ({ key: `${prefix}acc-${n}.`, body: marginCall(n) }) }),
      async judged(load, bounds) {
        await load.finish()
        const left = await drained(db)
        const sent = new Map<string, number>()
        for (const { text, taken } of providers.calls) {
          const key = accountIn(text)
          if (taken) sent.set(key, (sent.get(key) ?? 0) + 1)
        }
        const undone = { what: "left undone", value: left, atMost: 0 }
        const { seeded = new Map() } = bounds
        return [...promises(await check(db, { acked: load.acked, sent, seeded }), load, bounds), undone]
      },
      async end(hub) {
        hub.signal("SIGTERM")
        const code = await Promise.race([hub.exited, Bun.sleep(HUB_END_MS).then(() => "hung")])
        return code === 0
      },
      defer: (cleanup) => void cleanups.push(cleanup),
    }
    return await run(world)
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup()
  }
}

/** Waits until nothing is left to do, or it becomes no less; how much is left. */
export async function drained(db: Database): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let since = performance.now(); performance.now() - since < PROGRESS_MS; await Bun.sleep(LOOK_MS)) {
    const { unrouted, waiting, sending } = await dueWork(db)
    const left = unrouted + waiting + sending
    if (left === 0) return 0
    if (left >= least) continue
    least = left
    since = performance.now()
  }
  return least
}

/**
 * On a machine that has much else to do, a hub that reads its rules can look as if it hung, and its watchdog ends it:
 * `npm start` starts it again, and so does this. Whatever else ends a start is for the fault to see.
 */
async function startAgain(start: () => Promise<HubProcess>): Promise<HubProcess> {
  for (let left = STARTS; ; left -= 1) {
    try {
      return await start()
    } catch (error) {
      if (left <= 1 || !(error instanceof Error) || !error.message.includes("event_loop_blocked")) throw error
    }
  }
}

async function migrated(url: string | undefined, cleanups: (() => unknown)[]): Promise<string> {
  if (url !== undefined) {
    await migrate(url)
    return url
  }
  const database = await testDatabase()
  cleanups.push(() => database.drop())
  return database.url
}

/** What no fault may do, whatever it is. */
function promises(verdict: Verdict, load: OpenLoop, bounds: { readonly again: number }): readonly Figure[] {
  const none = (what: string, list: readonly string[]): Figure => ({ what, value: list.length, atMost: 0 })
  return [
    { what: "accepted", value: load.acked.size, atLeast: 1 },
    none("lost", verdict.lost),
    none("stored twice", verdict.twice),
    none("torn", verdict.torn),
    none("untold", verdict.untold),
    none("unsent", verdict.unsent),
    none("stuck", verdict.stuck),
    none("completed twice", verdict.miscounted),
    { what: "sent again", value: verdict.sentAgain, atMost: bounds.again },
    none("unmarked", verdict.unmarked),
    none("refused", load.refused),
  ]
}

/** Lines in a hub's log that say that something of it broke, which no fault outside it may do. */
export function broken(hub: HubProcess): Figure {
  const lines = hub
    .log()
    .split("\n")
    .filter((line) => NEVER_DONE.test(line))
  if (lines[0] !== undefined) console.error(`the first of ${lines.length} broken parts: ${lines[0]}`)
  return { what: "broken parts", value: lines.length, atMost: 0 }
}

/** Hubs that ended by themselves, or do not end well when asked: stops them. */
export async function endings(world: World, hubs: readonly HubProcess[]): Promise<Figure> {
  const well = await Promise.all(hubs.map((hub) => world.end(hub)))
  return { what: "hubs that did not end well", value: well.filter((yes) => !yes).length, atMost: 0 }
}

/** Milliseconds until it settles, or `capMs` where that is too long to wait for. */
export async function timed(what: Promise<unknown>, capMs: number): Promise<number> {
  const began = performance.now()
  await Promise.race([what, Bun.sleep(capMs)])
  return performance.now() - began
}

export interface Reader {
  /** Ends it, and says how long the slowest request took and how many had no answer in the end. */
  stop(): Promise<{ readonly slowestMs: number; readonly unanswered: number }>
}

const READ_DEADLINE_MS = 30_000

/** Asks for the newest events at a fixed rate, whatever becomes of it. */
export function startReader(perSecond: number, url: () => string): Reader {
  const open = new Set<Promise<void>>()
  let slowestMs = 0
  let unanswered = 0
  const read = async (): Promise<void> => {
    const began = performance.now()
    try {
      const headers = { authorization: `Bearer ${ADMIN_KEY}` }
      const signal = AbortSignal.timeout(READ_DEADLINE_MS)
      await (await fetch(`${url()}/v1/events?limit=10`, { headers, signal })).text()
    } catch {
      unanswered += 1
    }
    slowestMs = Math.max(slowestMs, performance.now() - began)
  }
  const timer = setInterval(() => {
    const one = read().finally(() => open.delete(one))
    open.add(one)
  }, 1_000 / perSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
      return { slowestMs, unanswered }
    },
  }
}

/**
 * What a producer and a reader met: each request was answered within its deadline, which in the hub is 10 s for what is
 * stored and less for the rest.
 */
export function answers(
  load: OpenLoop,
  read: { readonly slowestMs: number; readonly unanswered: number },
): readonly Figure[] {
  const slowest = load.tries.reduce((most, { ms }) => Math.max(most, ms), 0)
  const none = load.tries.filter(({ status }) => status === 0 || status === "late").length
  return [
    { what: "503", value: load.tries.filter(({ status }) => status === 503).length },
    { what: "without an answer", value: none + read.unanswered, atMost: 0 },
    { what: "slowest answer", value: slowest, unit: "ms", atMost: ANSWER_MS },
    { what: "to a reader", value: read.slowestMs, unit: "ms", atMost: ANSWER_MS },
  ]
}

/** The longest deadline in the hub, and a second for a machine that has other things to do. */
const ANSWER_MS = 11_000
/** Longer than the hub's own deadlines, so that a producer's patience is not what ends a request. */
export const PATIENT_MS = 20_000

const SHED_PAUSE_MS = 200

/** Asks again while the hub has too much to do and says so, as its 503 tells; each of those is told to `shed`. */
export async function untilTaken(ask: () => Promise<Response>, shed: () => void): Promise<Response> {
  for (;;) {
    const answer = await ask()
    if (answer.status !== 503) return answer
    await answer.text()
    shed()
    await Bun.sleep(SHED_PAUSE_MS)
  }
}
