/**
 * `hub rules explain`: what the rules make of an event, and why. An event in a file needs no database and nothing is
 * stored or sent; of a recorded event it also shows what really followed.
 */
import { readFile } from "node:fs/promises"
import { eventView, type HubEvent } from "../domain/event.ts"
import { asEventId, asRecipientId, newEventId, type RecipientId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import { nearest } from "../domain/nearest.ts"
import { traceOf } from "../http/trace.ts"
import { prepare, readAny } from "../ingest/item.ts"
import { type EventExplained, type ExplainPorts, explainEvent, explainedJson } from "../routing/explain-event.ts"
import { loadRuleSet } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import type { RuleSet } from "../routing/rule-set.ts"
import { MemoryAudience } from "../routing/world/memory-audience.ts"
import { audienceOf } from "../store/audience.ts"
import type { Database } from "../store/database.ts"
import { getEvent } from "../store/events.ts"
import { inhibitorsOf } from "../store/inhibitors.ts"
import { getRecipient } from "../store/recipients.ts"
import { type Command, flags, type Invocation, Misuse, settings } from "./command.ts"
import { readRecordedFile } from "./recorded-file.ts"
import { explainLines, traceLines } from "./rules-explain-text.ts"
import { rulesFolders } from "./rules-folders.ts"
import { withDatabase } from "./with-database.ts"

interface Asked {
  readonly recipient: RecipientId | undefined
  readonly rule: string | undefined
}

/** `recorded`: the trace of an event that really came. */
interface Answer {
  readonly event: HubEvent
  readonly explained: EventExplained
  readonly recorded: JsonObject | null
}

export const rulesExplain: Command = {
  name: "rules explain",
  usage:
    "<event.json | - | evt_…> [--recipient id] [--rule name] [--recipients file.jsonl] [--rules rules] [--templates templates] [--json]",
  summary: "say what the rules make of an event: which match and why, who is told, and why not",
  async run(invocation) {
    const { values, positionals } = flags(
      invocation,
      {
        recipient: { type: "string" },
        rule: { type: "string" },
        recipients: { type: "string" },
        rules: { type: "string" },
        templates: { type: "string" },
      },
      1,
    )
    const [which] = positionals
    if (which === undefined) throw new Misuse("which event? hub rules explain <event.json>, - or a recorded event's id")
    const recipient = values.recipient === undefined ? undefined : asRecipientId(values.recipient)
    if (recipient === null) throw new Misuse("--recipient: expected a recipient's id")
    const folders = await rulesFolders(invocation, values)
    const loaded = await loadRuleSet(folders, Date.now())
    if ("errors" in loaded) {
      for (const error of loaded.errors) invocation.err(explainRuleError(error))
      return 1
    }
    const asked: Asked = { recipient, rule: ruleOf(loaded.ok, values.rule) }
    const id = asEventId(which)
    if (id !== null && values.recipients !== undefined)
      throw new Misuse("--recipients: a recorded event is about those of the database")
    if (id === null && recipient !== undefined && values.recipients === undefined)
      throw new Misuse("--recipient: of an event in a file nobody is known; give --recipients file.jsonl")
    const answer =
      id === null
        ? await ofFile(which, values.recipients ?? null, loaded.ok, asked)
        : await withDatabase(settings(invocation), invocation, async (db) => {
            const event = await getEvent(db, id)
            if (event === null) throw new Misuse(`there is no event ${id}`)
            return ofRecorded(db, event, loaded.ok, asked)
          })
    print(invocation, answer, loaded.ok, {
      ...asked,
      json: values.json,
      people: id !== null || values.recipients !== undefined,
    })
    return answer.explained.rules.some(({ failures }) => failures.length > 0) ? 1 : 0
  },
}

function ruleOf({ rules }: RuleSet, asked: string | undefined): string | undefined {
  if (asked === undefined || rules.some(({ name }) => name === asked)) return asked
  const near = nearest(
    asked,
    rules.map(({ name }) => name),
  )
  throw new Misuse(`there is no rule ${JSON.stringify(asked)}${near === null ? "" : `; did you mean ${near}?`}`)
}

/** No database, so nothing has come before, and nobody is known but those who are given. */
async function ofFile(file: string, people: string | null, ruleSet: RuleSet, asked: Asked): Promise<Answer> {
  const event = eventFrom(await jsonFrom(file), file)
  const given = people === null ? [] : (await readRecordedFile(people)).people
  const audience = new MemoryAudience(given)
  const ports: ExplainPorts = {
    audience: audience.find,
    inhibitors: async (queries) => queries.map(() => null),
    person: async (id) => given.find(({ recipient }) => recipient.id === id)?.recipient ?? null,
  }
  return { event, explained: await explainEvent(ruleSet, event, ports, { ...asked, settings: PLAIN }), recorded: null }
}

async function ofRecorded(db: Database, event: HubEvent, ruleSet: RuleSet, asked: Asked): Promise<Answer> {
  const ports: ExplainPorts = {
    audience: audienceOf(db),
    inhibitors: inhibitorsOf(db),
    person: (id) => getRecipient(db, id),
  }
  const explained = await explainEvent(ruleSet, event, ports, { ...asked, settings: PLAIN })
  return { event, explained, recorded: await traceOf(db, event) }
}

/** Links need no host to be read, and who has no Slack webhook is reached by the hub's own. */
const PLAIN = { publicUrl: "http://localhost:4000", defaultSlack: true }

async function jsonFrom(file: string): Promise<Json> {
  try {
    return JSON.parse(file === "-" ? await Bun.stdin.text() : await readFile(file, "utf8"))
  } catch (error) {
    const what = error instanceof SyntaxError ? "is not JSON" : "cannot be read"
    throw new Misuse(`${file} ${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** In any of the spellings that producers use. */
function eventFrom(value: Json, file: string): HubEvent {
  const now = Date.now()
  const item = prepare(value, readAny, (draft) => ({ draft }), { tenancy: "*", now })
  switch (item.kind) {
    case "ready":
      return { ...item.incoming.event, id: newEventId(now), acceptedAt: now }
    case "refused":
      throw new Misuse(item.problem.errors.map(({ pointer, detail }) => `${file}${pointer}: ${detail}`).join("\n"))
  }
}

interface Printing extends Asked {
  readonly json: boolean
  /** Whether it is known who there is. */
  readonly people: boolean
}

function print({ out }: Invocation, answer: Answer, ruleSet: RuleSet, asked: Printing): void {
  const { event, explained, recorded } = answer
  if (asked.json) {
    out(JSON.stringify({ event: eventView(event), ...explainedJson(explained), recorded }))
    return
  }
  for (const line of explainLines(event, explained, ruleSet, asked)) out(line)
  if (recorded !== null) for (const line of traceLines(recorded)) out(line)
}
