/** The JSON of `hub rules backtest`, read with care. */
import { each, type Fields, fields, text, textOrNull } from "../shared/fields.ts"

export interface BeforeAfter {
  readonly before: number
  readonly after: number
}

/** By channel or reason. */
export type Changes = readonly (readonly [name: string, change: BeforeAfter])[]

export interface TurnedEvent {
  readonly event: string
  readonly type: string
  readonly before: string
  readonly after: string
}

export interface TurnedPerson {
  readonly recipient: string
  readonly event: string
}

export interface RuleChange {
  readonly rule: string
  readonly in: "both" | "base" | "head"
  readonly at: string
  readonly different: boolean
  readonly matched: BeforeAfter
  readonly added: number
  readonly removed: number
  readonly failed: BeforeAfter
  readonly recipients: BeforeAfter & { readonly gained: number; readonly lost: number }
  readonly messages: Changes
  readonly withheld: Changes
  readonly examples: {
    readonly added: readonly TurnedEvent[]
    readonly removed: readonly TurnedEvent[]
    readonly gained: readonly TurnedPerson[]
    readonly lost: readonly TurnedPerson[]
  }
}

export interface Report {
  readonly base: string
  readonly head: string
  readonly replayed: number
  readonly unreadable: number
  readonly outOfOrder: number
  readonly limited: boolean
  readonly undecided: BeforeAfter
  readonly from: string | null
  readonly to: string | null
  readonly recipients: number
  readonly messages: Changes
  readonly rules: readonly RuleChange[]
}

/** Null for what is no report. */
export function readReport(value: unknown): Report | null {
  const of = fields(value)
  const events = fields(of?.["events"])
  if (of === null || events === null || !Array.isArray(of["rules"])) return null
  return {
    base: text(fields(of["base"])?.["revision"]),
    head: text(fields(of["head"])?.["revision"]),
    replayed: count(events["replayed"]),
    unreadable: count(events["unreadable"]),
    outOfOrder: count(events["out_of_order"]),
    limited: events["limited"] === true,
    undecided: change(events["undecided"]),
    from: textOrNull(events["first_accepted_at"]),
    to: textOrNull(events["last_accepted_at"]),
    recipients: count(of["recipients"]),
    messages: changes(of["messages"]),
    rules: each(of["rules"], readChange),
  }
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0)

const change = (value: unknown): BeforeAfter => {
  const of = fields(value)
  return { before: count(of?.["before"]), after: count(of?.["after"]) }
}

const changes = (value: unknown): Changes =>
  Object.entries(fields(value) ?? {}).map(([name, one]) => [name, change(one)] as const)

function readChange(value: unknown): RuleChange | null {
  const of = fields(value)
  if (of === null) return null
  const recipients = fields(of["recipients"])
  const examples = fields(of["examples"]) ?? {}
  return {
    rule: text(of["rule"]),
    in: of["in"] === "base" || of["in"] === "head" ? of["in"] : "both",
    at: text(of["at"]),
    different: of["different"] === true,
    matched: change(of["matched"]),
    added: count(of["added"]),
    removed: count(of["removed"]),
    failed: change(of["failed"]),
    recipients: { ...change(recipients), gained: count(recipients?.["gained"]), lost: count(recipients?.["lost"]) },
    messages: changes(of["messages"]),
    withheld: changes(of["withheld"]),
    examples: {
      added: each(examples["added"], readEvent),
      removed: each(examples["removed"], readEvent),
      gained: each(examples["gained"], readPerson),
      lost: each(examples["lost"], readPerson),
    },
  }
}

const read =
  <T>(make: (of: Fields) => T) =>
  (value: unknown): T | null => {
    const of = fields(value)
    return of === null ? null : make(of)
  }

const readEvent = read(
  (of): TurnedEvent => ({
    event: text(of["event"]),
    type: text(of["type"]),
    before: text(of["before"]),
    after: text(of["after"]),
  }),
)
const readPerson = read((of): TurnedPerson => ({ recipient: text(of["recipient"]), event: text(of["event"]) }))
