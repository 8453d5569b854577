/** The differences of two rule sets as data, in the spelling of the hub's JSON. */
import type { EventId, RecipientId, RuleName } from "../../domain/ids.ts"
import type { Example } from "./backtest.ts"
import type { Counts, Tally } from "./backtest-tally.ts"

export interface BeforeAfter {
  readonly before: number
  readonly after: number
}

/** By channel or reason, sorted. */
export type Changes = Readonly<Record<string, BeforeAfter>>

export interface ToldExample {
  readonly recipient: RecipientId
  /** The first event of which they were told. */
  readonly event: EventId
}

export interface RuleChange {
  readonly rule: RuleName
  /** Which of the sets has it. */
  readonly in: "both" | "base" | "head"
  /** Where it stands, in the head if it is there. */
  readonly at: string
  /** Anything below differs. */
  readonly different: boolean
  readonly matched: BeforeAfter
  /** Events that match only now, and that matched only before. */
  readonly added: number
  readonly removed: number
  readonly failed: BeforeAfter
  readonly recipients: BeforeAfter & { readonly gained: number; readonly lost: number }
  readonly messages: Changes
  readonly withheld: Changes
  readonly examples: {
    readonly added: readonly Example[]
    readonly removed: readonly Example[]
    readonly gained: readonly ToldExample[]
    readonly lost: readonly ToldExample[]
  }
}

export interface Report {
  readonly base: { readonly revision: string; readonly rules: number }
  readonly head: { readonly revision: string; readonly rules: number }
  readonly events: {
    readonly replayed: number
    /** Not replayable: the payload is gone or cannot be read. */
    readonly unreadable: number
    /** Not replayable: accepted before what had been replayed, by a clock minutes away from the others. */
    readonly out_of_order: number
    /** There were more than the limit. */
    readonly limited: boolean
    readonly undecided: BeforeAfter
    readonly first_accepted_at: string | null
    readonly last_accepted_at: string | null
  }
  readonly recipients: number
  readonly different: boolean
  readonly messages: Changes
  readonly rules: readonly RuleChange[]
}

export interface Turns {
  readonly added: number
  readonly removed: number
  readonly addedExamples: readonly Example[]
  readonly removedExamples: readonly Example[]
  /** Examples of each sort. */
  readonly most: number
}

const NONE: Counts = new Map()

/** One rule before and after; null: that set has none of this name. */
export function ruleChange(rule: RuleName, before: Tally | null, after: Tally | null, turns: Turns): RuleChange {
  const then = before?.told ?? new Map<RecipientId, EventId>()
  const now = after?.told ?? new Map<RecipientId, EventId>()
  const gained = missingFrom(then, now)
  const lost = missingFrom(now, then)
  const matched = { before: before?.matched ?? 0, after: after?.matched ?? 0 }
  const failed = { before: before?.failed ?? 0, after: after?.failed ?? 0 }
  const messages = changes(before?.messages ?? NONE, after?.messages ?? NONE)
  const withheld = changes(before?.withheld ?? NONE, after?.withheld ?? NONE)
  const counted = [matched, failed, ...Object.values(messages), ...Object.values(withheld)]
  const { added, removed, most } = turns
  return {
    rule,
    in: before === null ? "head" : after === null ? "base" : "both",
    at: (after ?? before)?.at ?? "",
    different:
      added + removed + gained.length + lost.length > 0 || counted.some((count) => count.before !== count.after),
    matched,
    added,
    removed,
    failed,
    recipients: { before: then.size, after: now.size, gained: gained.length, lost: lost.length },
    messages,
    withheld,
    examples: {
      added: turns.addedExamples,
      removed: turns.removedExamples,
      gained: gained.slice(0, most),
      lost: lost.slice(0, most),
    },
  }
}

function missingFrom(
  known: ReadonlyMap<RecipientId, EventId>,
  all: ReadonlyMap<RecipientId, EventId>,
): readonly ToldExample[] {
  return [...all]
    .filter(([recipient]) => !known.has(recipient))
    .map(([recipient, event]) => ({ recipient, event }))
    .sort((a, b) => (a.recipient < b.recipient ? -1 : 1))
}

function changes(before: Counts, after: Counts): Changes {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort()
  return Object.fromEntries(keys.map((key) => [key, { before: before.get(key) ?? 0, after: after.get(key) ?? 0 }]))
}

/** All of them together. */
export function countsOf(all: readonly Changes[]): Changes {
  const keys = [...new Set(all.flatMap((one) => Object.keys(one)))].sort()
  const sum = (key: string, side: keyof BeforeAfter): number =>
    all.reduce((total, one) => total + (one[key]?.[side] ?? 0), 0)
  return Object.fromEntries(keys.map((key) => [key, { before: sum(key, "before"), after: sum(key, "after") }]))
}
