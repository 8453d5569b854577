/**
 * What the rules make of an event that is only shown to them: nothing is stored, nothing is sent, nothing is remembered.
 * By the same decision and the same planning as in the hub; delays and digests are told as if nothing else came.
 */
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import { countingIds, type RecipientId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import type { NewNotification } from "../domain/notification.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { FindAudience } from "../store/audience.ts"
import type { FindInhibitors } from "../store/decision-ports.ts"
import { type Clause, clauseJson, clauseTree } from "./conditions/clause-tree.ts"
import { Budget, type Facts } from "./conditions/logic.ts"
import { type BatchOptions, decideBatch } from "./decide-batch.ts"
import { type Later, laterJson, laterOf } from "./explain-later.ts"
import { factsOf } from "./facts.ts"
import { fireBatch } from "./fire-batch.ts"
import { notesOf } from "./reasons.ts"
import type { LoadedRule, RuleSet } from "./rule-set.ts"
import { type SampleWords, sampleWords } from "./sample-words.ts"
import type { PlanSettings } from "./telling.ts"
import { type WhyNot, whyNotTold } from "./why-not.ts"
import { MemoryGates } from "./world/memory-gates.ts"

export interface ExplainPorts {
  readonly audience: FindAudience
  readonly inhibitors: FindInhibitors
  /** With all memberships; null: nobody has this id. */
  readonly person: (id: RecipientId) => Promise<Recipient | null>
}

export interface ExplainOptions {
  readonly settings: PlanSettings
  /** Only this rule. */
  readonly rule?: string | undefined
  /** Said of this person: told or why not; and the words are for this reader. */
  readonly recipient?: RecipientId | undefined
}

export interface ToldPerson {
  readonly recipient: RecipientId
  readonly inbox: boolean
  readonly reason: string | null
  /** When it would be told: milliseconds since the Unix epoch. */
  readonly at: number
  readonly channels: readonly ChannelFate[]
}

export interface ChannelFate {
  readonly channel: string
  readonly status: string
  readonly reason: string | null
  /** Of what is held back: until then. */
  readonly until: number | null
}

export interface RuleExplained {
  readonly rule: string
  /** `rules/invoicing.yaml:12:5`. */
  readonly at: string
  readonly matched: boolean
  readonly reason: string
  /** What beside the condition decided what follows: what silenced it, who is held back, why nobody is told, a broadcast. */
  readonly notes: readonly string[]
  /** Null: the rule has no condition, or its source decided. */
  readonly clauses: Clause | null
  readonly people: number
  /** The first of them, and whoever was asked for. */
  readonly told: readonly ToldPerson[]
  /** What the rule says on each of its channels, to one reader. */
  readonly words: readonly SampleWords[]
  readonly systems: readonly ChannelFate[]
  readonly later: readonly Later[]
  readonly failures: readonly string[]
  /** A sentence; null: nobody was asked for, or the person is told. */
  readonly whyNot: WhyNot | null
}

export interface EventExplained {
  readonly revision: string
  readonly rules: readonly RuleExplained[]
}

const MAX_SHOWN = 50
/** Of all trees together: some tens of milliseconds. */
const MAX_STEPS_OF_TREES = 1_000_000

export async function explainEvent(
  ruleSet: RuleSet,
  event: HubEvent,
  ports: ExplainPorts,
  options: ExplainOptions,
): Promise<EventExplained> {
  const { rule: only, recipient } = options
  const rules = ruleSet.rulesFor(event.type).filter(({ name }) => only === undefined || name === only)
  const shown: RuleSet = { ...ruleSet, rules, rulesFor: () => rules }
  const batch = batchOf(options.settings)
  const { plan, fired } = await planned(shown, event, ports, batch)
  const known = recipient === undefined ? null : await ports.person(recipient)
  const facts = factsOf(event)
  const all = [{ at: event.acceptedAt, ...plan }, ...fired.map((one) => ({ at: one.timer.dueAt, ...one }))]
  const failures = all.flatMap((part) => part.failures)
  const budget = new Budget(MAX_STEPS_OF_TREES)
  const explained: RuleExplained[] = []
  for (const rule of rules) {
    // Thousands of rules may listen to one type.
    await batch.breathe()
    const decision = plan.decisions.find((one) => one.rule === rule.name)
    if (decision === undefined) throw new Error("a rule that was looked at has no decision")
    const told = all.flatMap(({ at, notifications, deliveries }) =>
      notifications.flatMap((one) => (one.rule === rule.name ? [toldPerson(one, deliveries, at)] : [])),
    )
    const asked = told.find((one) => one.recipient === recipient)
    const reader = known ?? (told[0] === undefined ? null : await ports.person(told[0].recipient))
    const problems = failures.filter((one) => one.rule === rule.name).map(({ reason }) => reason)
    explained.push({
      rule: rule.name,
      at: rule.at,
      matched: decision.matched,
      // Nothing is stored, so no digest has an id.
      reason: decision.reason.replace(/gathered in tmr_\w+/, "gathered in a digest"),
      notes: notesOf(decision),
      clauses: clausesOf(rule, event, facts, decision.matched, problems, budget),
      people: told.length,
      told: shownOf(told, asked),
      words: decision.matched ? sampleWords(ruleSet, rule, facts, reader, options.settings) : [],
      systems: all
        .flatMap(({ deliveries }) => deliveries)
        .filter((one) => one.rule === rule.name && one.notifications.length === 0)
        .map(fateOf),
      later: laterOf(
        rule,
        all.flatMap(({ timers }) => timers).filter((timer) => timer.rule === rule.name),
        new Set(all.flatMap(({ deliveries }) => deliveries.filter((one) => isChained(one, rule)).map(placeOf))),
      ),
      failures: [...new Set(problems)],
      whyNot:
        recipient === undefined || asked !== undefined
          ? null
          : decision.matched
            ? whyNotTold(recipient, known, rule, event, facts)
            : `the rule does not match: ${decision.reason}`,
    })
  }
  return { revision: ruleSet.revision, rules: explained }
}

const placeOf = ({ action }: NewDelivery): number => action

/** Sent, or to be sent, and followed by another channel where it cannot be. */
const isChained = ({ failover, start, ...one }: NewDelivery, { name }: LoadedRule): boolean =>
  one.rule === name && failover && "message" in start

const batchOf = (settings: PlanSettings): BatchOptions => ({
  settings,
  ids: countingIds(),
  breathe: () => new Promise((done) => setImmediate(done)),
  onBug: (error) => {
    throw error
  },
})

async function planned(ruleSet: RuleSet, event: HubEvent, ports: ExplainPorts, batch: BatchOptions) {
  const memory = new MemoryGates()
  const gates = async () => memory
  const [plan] = await decideBatch(ruleSet, [event], { ...ports, gates }, batch)
  if (plan === undefined) throw new Error("one event has one plan")
  const due = plan.timers
    .filter(({ kind }) => kind === "delay" || kind === "digest")
    .map((timer) => ({ timer, events: timer.kind === "digest" ? [] : [event], told: [], deliveries: [] }))
  const gathered = async (timers: readonly unknown[]) => timers.map(() => [event])
  const fired = await fireBatch(due, () => ruleSet, { audience: ports.audience, gates, gathered }, batch)
  return { plan, fired }
}

/** Null where the condition was not asked: there is none, or the event is of another source. */
function clausesOf(
  { condition, source }: LoadedRule,
  event: HubEvent,
  facts: Facts,
  matched: boolean,
  problems: readonly string[],
  budget: Budget,
): Clause | null {
  if (condition === null || (source !== null && source !== event.source)) return null
  const failed = problems.some((reason) => reason.startsWith("conditions: "))
  return clauseTree(condition, facts, event.acceptedAt, failed ? undefined : matched, budget)
}

const toldPerson = (
  { id, recipient, inbox, reason }: NewNotification,
  deliveries: readonly NewDelivery[],
  at: number,
): ToldPerson => ({
  recipient,
  inbox,
  reason,
  at,
  channels: deliveries.filter(({ notifications }) => notifications.includes(id)).map(fateOf),
})

function fateOf({ channel, start }: NewDelivery): ChannelFate {
  switch (start.status) {
    case "queued":
      return { channel, status: "queued", reason: null, until: null }
    case "scheduled":
      return { channel, status: "scheduled", reason: start.reason, until: start.at }
    case "suppressed":
    case "expired":
      return { channel, status: start.status, reason: start.reason, until: null }
  }
}

function shownOf(told: readonly ToldPerson[], asked: ToldPerson | undefined): readonly ToldPerson[] {
  const first = told.slice(0, MAX_SHOWN)
  return asked === undefined || first.includes(asked) ? first : [...first, asked]
}

const moment = (at: number): string => new Date(at).toISOString()

const fateJson = ({ channel, status, reason, until }: ChannelFate): JsonObject => ({
  channel,
  status,
  reason,
  until: until === null ? null : moment(until),
})

/** As `POST /v1/rules/explain` and `hub rules explain --json` give it. */
export const explainedJson = ({ revision, rules }: EventExplained): JsonObject => ({
  rules_revision: revision,
  rules: rules.map(
    (one): Json => ({
      rule: one.rule,
      at: one.at,
      matched: one.matched,
      reason: one.reason,
      notes: one.notes,
      clauses: one.clauses === null ? null : clauseJson(one.clauses),
      audience: {
        people: one.people,
        told: one.told.map(({ recipient, inbox, reason, at, channels }) => ({
          recipient,
          inbox,
          reason,
          at: moment(at),
          channels: channels.map(fateJson),
        })),
      },
      messages: one.words.map((words) => ({ ...words })),
      systems: one.systems.map(fateJson),
      later: one.later.map(laterJson),
      failures: one.failures,
      why_not: one.whyNot,
    }),
  ),
})
