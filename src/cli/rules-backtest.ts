/**
 * `hub rules backtest`: what a change of the rules would have done to the events that were recorded. Exit code 0: the same;
 * 1: something differs; 2: it could not be found out.
 */
import { asBusinessId, type BusinessId } from "../domain/ids.ts"
import { backtest, type RecordedPage } from "../routing/backtest/backtest.ts"
import type { Report } from "../routing/backtest/backtest-report.ts"
import { loadRuleSet, type RuleFolders } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import type { RuleSet } from "../routing/rule-set.ts"
import { rulesAtRevision } from "../routing/rules-at-revision.ts"
import type { MemoryPerson } from "../routing/world/memory-audience.ts"
import { keepBacktest } from "../store/backtests.ts"
import { type Database, databaseProblem, openDatabase } from "../store/database.ts"
import { type RecordedFilter, reactionsTo, recordedEvents, recordedPeople } from "../store/replay.ts"
import { backtestMarkdown } from "./backtest-markdown.ts"
import { backtestText } from "./backtest-text.ts"
import { type Command, flags, type Invocation, Misuse, settings, type Terminal } from "./command.ts"
import { readRecordedFile } from "./recorded-file.ts"
import { rulesFolders } from "./rules-folders.ts"
import { readSpan, type Span } from "./span.ts"
import { withDatabaseUrl } from "./with-database.ts"

const OPTIONS = {
  base: { type: "string" },
  head: { type: "string" },
  since: { type: "string" },
  until: { type: "string" },
  business: { type: "string" },
  events: { type: "string" },
  examples: { type: "string", default: "3" },
  limit: { type: "string" },
  markdown: { type: "boolean", default: false },
  rules: { type: "string" },
  templates: { type: "string" },
} as const

const PAGE = 1_000

export const rulesBacktest: Command = {
  name: "rules backtest",
  usage:
    "--base main [--head rev] [--since 7d] [--until time] [--business b1] [--events file.ndjson] [--examples 3] [--limit n] [--rules rules] [--templates templates] [--markdown | --json]",
  summary: "replay recorded events under two revisions of the rules, and count what differs; sends nothing",
  async run(invocation) {
    const { values } = flags(invocation, OPTIONS, 0)
    const { base, head, events: file } = values
    if (base === undefined) throw new Misuse("--base: expected a revision to compare with, such as main or HEAD~1")
    if (values.markdown && values.json) throw new Misuse("--markdown and --json: expected one of them")
    const span = spanOf(values, file)
    const business = businessOf(values.business)
    const examples = whole("--examples", values.examples, 0, 100)
    const limit = values.limit === undefined ? null : whole("--limit", values.limit, 1, 1_000_000_000)
    const folders = await rulesFolders(invocation, values)
    const sets = {
      base: await atRevision(folders, base),
      head: head === undefined ? await inFolders(folders) : await atRevision(folders, head),
    }
    const work: Work = async (people, pages) => {
      const progress = progressOf(invocation, span)
      const report = await backtest({ ...sets, people, pages, examples, limit, progress })
      invocation.progress?.(null)
      return report
    }
    const report =
      file !== undefined ? await overFile(file, business, work) : await overDatabase(invocation, span, business, work)
    if (values.json) invocation.out(JSON.stringify(report))
    else invocation.out(values.markdown ? backtestMarkdown(report) : backtestText(report))
    return report.different ? 1 : 0
  },
}

type Work = (people: readonly MemoryPerson[], pages: AsyncIterable<RecordedPage>) => Promise<Report>

function spanOf(given: { readonly since?: string; readonly until?: string }, file: string | undefined): Span {
  if (file !== undefined && (given.since !== undefined || given.until !== undefined)) {
    throw new Misuse("--since and --until choose from the database: of --events all are replayed")
  }
  return readSpan({ since: given.since ?? "7d", until: given.until }, Date.now())
}

function businessOf(text: string | undefined): BusinessId | null {
  const business = text === undefined ? null : asBusinessId(text)
  if (text !== undefined && business === null) throw new Misuse("--business: expected [A-Za-z0-9_.-]{1,64}")
  return business
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new Misuse(`${flag}: expected a whole number from ${least} to ${most}`)
}

async function atRevision(folders: RuleFolders, revision: string): Promise<RuleSet> {
  const read = await rulesAtRevision(folders, revision)
  if ("ok" in read) return read.ok
  throw new Misuse(read.problems.join("\n"))
}

async function inFolders(folders: RuleFolders): Promise<RuleSet> {
  const loaded = await loadRuleSet(folders, 0)
  if ("ok" in loaded) return loaded.ok
  throw new Misuse(["the rules of the working folder do not load:", ...loaded.errors.map(explainRuleError)].join("\n"))
}

async function overFile(path: string, business: BusinessId | null, work: Work): Promise<Report> {
  const { people, events } = await readRecordedFile(path)
  const wanted = events.filter((one) => business === null || !("event" in one) || one.event.business === business)
  async function* pages(): AsyncGenerator<RecordedPage> {
    for (let i = 0; i < wanted.length; i += PAGE) yield { events: wanted.slice(i, i + PAGE), reactions: [] }
  }
  return work(people, pages())
}

async function overDatabase(
  invocation: Invocation,
  { since, until }: Span,
  business: BusinessId | null,
  work: Work,
): Promise<Report> {
  const config = settings(invocation)
  return withDatabaseUrl(config, invocation, async (url) => {
    // Nothing is migrated: this may be somebody who can only read.
    const db = openDatabase({ url, max: 2, applicationName: "hub-backtest" })
    try {
      const report = await work(await everybody(db), pagesOf(db, { since, until, business }))
      await keep(db, report, invocation)
      return report
    } finally {
      await db.close()
    }
  })
}

/** For the page `/rules`. Who may only read has the answer all the same. */
async function keep(db: Database, report: Report, { err }: Terminal): Promise<void> {
  try {
    await keepBacktest(db, report)
  } catch (error) {
    if (databaseProblem(error) === null) throw error
    err(
      "The report is not kept for the page /rules: nothing can be written to this database, or it is of another version.",
    )
  }
}

async function everybody(db: Database): Promise<readonly MemoryPerson[]> {
  const people: MemoryPerson[] = []
  for await (const page of recordedPeople(db)) {
    for (const { recipient, preferences, lists } of page) {
      people.push({ recipient, preferences, lists: [], listsOf: lists })
    }
  }
  return people
}

async function* pagesOf(db: Database, filter: RecordedFilter): AsyncGenerator<RecordedPage> {
  for await (const events of recordedEvents(db, filter)) {
    const ids = events.map((one) => ("event" in one ? one.event.id : one.id))
    yield { events, reactions: await reactionsTo(db, ids) }
  }
}

const BAR = 30

/** By time and not by count: counting first would read everything twice. */
function progressOf({ progress }: Terminal, { since, until }: Span): (at: number, events: number) => void {
  return (at, events) => {
    const done = Math.min(1, Math.max(0, (at - since) / (until - since)))
    const bar = "█".repeat(Math.round(done * BAR)).padEnd(BAR, "░")
    progress?.(`${bar} ${Math.round(done * 100)} %  ${events.toLocaleString("en-US")} events`)
  }
}
