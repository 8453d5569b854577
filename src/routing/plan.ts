/**
 * What follows from an event: who is told, on which channels, in which words, and what is to happen later. Pure but for
 * the ids it makes and the gates it changes. A rule or a channel that cannot be carried out is a failure of its own; the
 * others go on.
 */
import type { RoutingFailure, RuleDecision } from "../domain/decision.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import type { RecipientId } from "../domain/ids.ts"
import type { Broadcast, Gathered, Plan } from "../domain/plan.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Digest } from "../domain/rule.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { AudienceAnswer } from "../store/audience.ts"
import type { Inhibitor, InhibitorQuery } from "../store/decision-ports.ts"
import { MOST_PEOPLE, peopleOf, tooMany, type Want, wantOf, whyNotTold } from "./addressees.ts"
import { broadcastOf } from "./broadcast.ts"
import type { Facts } from "./conditions/logic.ts"
import { factsOf } from "./facts.ts"
import type { Turn } from "./fates.ts"
import { digestKey } from "./gate-keys.ts"
import { gather } from "./gather.ts"
import { inhibitorQuery } from "./inhibitors.ts"
import { matches } from "./match.ts"
import { crowdTimer, delayTimer, digestTimer, escalateTimer, type Origin } from "./next-timer.ts"
import { Reasons } from "./reasons.ts"
import type { LoadedAction, LoadedNotify, RuleSet } from "./rule-set.ts"
import type { Sliced } from "./slices.ts"
import { type Hands, type Scene, tellInSlices } from "./telling.ts"
import { digestValue, expiryOf, limitKeysInSlices, type Taken } from "./turns.ts"
import { webhookDelivery } from "./webhook-delivery.ts"

/** An action that a matched rule takes, with what has to be asked first. */
export interface Step extends Taken {
  readonly inhibitedBy: InhibitorQuery | null
  /** Null where nobody is told now: the others are asked for when they are. */
  readonly want: Want | null
}

/** An event with what was decided about it, before anything was asked. */
export interface Decided {
  readonly event: HubEvent
  readonly facts: Facts
  readonly ruleSet: RuleSet
  readonly decisions: readonly RuleDecision[]
  readonly failures: readonly RoutingFailure[]
  readonly steps: readonly Step[]
}

/** The first part: which rules, and what to ask. */
export function decideEvent(ruleSet: RuleSet, event: HubEvent): Decided {
  const facts = factsOf(event)
  const { decisions, matched, failures } = matches(ruleSet, event, facts)
  const all = [...failures]
  const steps = matched.flatMap((rule) =>
    rule.actions.map((action, place): Step => {
      const inhibitedBy = action.inhibitedBy === null ? null : inhibitorQuery(action.inhibitedBy, event, facts)
      if (!tellsNow(action)) return { rule, place, action, inhibitedBy, want: null }
      const { want, problem } = wantOf(action.to, event, facts)
      if (problem !== null) all.push({ rule: rule.name, reason: `to.users: ${problem}` })
      return { rule, place, action, inhibitedBy, want }
    }),
  )
  return { event, facts, ruleSet, decisions, failures: all, steps }
}

const tellsNow = (action: LoadedAction): action is LoadedNotify =>
  action.type === "notify" && action.delayMs === null && action.digest === null

/** What was answered, one for each of `decided.steps`; null where nothing was asked, or there is nobody. */
export interface Answers {
  readonly inhibitors: readonly (Inhibitor | null)[]
  readonly audiences: readonly (AudienceAnswer | null)[]
}

interface Telling {
  readonly origin: Origin
  readonly turn: Turn
}

/** An event with its answers, before the gates are held. */
export interface Prepared {
  readonly decided: Decided
  /** The gates that planning asks. */
  readonly keys: readonly string[]
  readonly failures: readonly RoutingFailure[]
  readonly reasons: Reasons
  readonly newRecipients: readonly Recipient[]
  readonly tellings: readonly Telling[]
  readonly gatherings: readonly { readonly origin: Origin; readonly digest: Digest; readonly key: string }[]
  readonly delays: readonly Origin[]
  readonly others: readonly Step[]
}

/** More people than that are told by a timer, at once but apart: the events behind this one do not wait for it. */
export const CROWD = 5_000

/** The second part: who is told now, what waits, and which gates have to be held for it. */
export function* prepareInSlices(decided: Decided, { inhibitors, audiences }: Answers): Sliced<Prepared> {
  const { event, facts, ruleSet } = decided
  const reasons = new Reasons()
  const failures: RoutingFailure[] = []
  const newRecipients = new Map<RecipientId, Recipient>()
  const tellings: Telling[] = []
  const gatherings: { origin: Origin; digest: Digest; key: string }[] = []
  const delays: Origin[] = []
  const others: Step[] = []
  for (const [i, step] of decided.steps.entries()) {
    const { rule, place, action } = step
    const inhibitor = inhibitors[i] ?? null
    if (inhibitor !== null) {
      reasons.inhibited(rule, inhibitor)
      continue
    }
    if (action.type !== "notify") {
      others.push(step)
      continue
    }
    const taken: Taken<LoadedNotify> = { rule, place, action }
    const origin: Origin = { ruleSet, event: event.id, business: event.business, taken }
    if (step.want !== null) {
      const answer = audiences[i]
      if (answer === undefined || answer === null) throw new Error("an audience that was asked for has no answer")
      const { people, unknown } = peopleOf(step.want, answer)
      if (people.length > MOST_PEOPLE) {
        failures.push(tooMany(rule))
        continue
      }
      if (people.length > CROWD) {
        reasons.crowd(rule, people.length)
        delays.push(origin)
        continue
      }
      for (const recipient of unknown) newRecipients.set(recipient.id, recipient)
      reasons.notTold(rule, whyNotTold(step.want, answer, people.length))
      const limits = yield* limitKeysInSlices(taken, people, event, facts)
      failures.push(...limits.failures)
      tellings.push({ origin, turn: turnOf(taken, event, people, answer, limits.keys) })
    } else if (action.digest !== null) {
      // The language refuses a delay beside a digest.
      const { value, failure } = digestValue(rule, action, action.digest, event, facts)
      if (failure !== null) failures.push(failure)
      const key = digestKey(
        { rule: rule.name, action: place, business: event.business, mode: action.mode },
        action.to,
        value,
      )
      gatherings.push({ origin, digest: action.digest, key })
    } else delays.push(origin)
  }
  const keys = [
    ...gatherings.map(({ key }) => key),
    ...tellings.flatMap(({ turn }) => [...turn.limitKeys.values()].flat()),
  ]
  return {
    decided,
    keys,
    failures,
    reasons,
    newRecipients: [...newRecipients.values()],
    tellings,
    gatherings,
    delays,
    others,
  }
}

const turnOf = (
  { action, place }: Taken<LoadedNotify>,
  event: HubEvent,
  people: readonly Recipient[],
  { preferences }: AudienceAnswer,
  limitKeys: Turn["limitKeys"],
): Turn => ({
  action,
  place,
  channels: action.channels,
  failover: action.failover,
  inChain: action.failover.length > 0,
  round: null,
  at: event.acceptedAt,
  expiresAt: expiryOf(action, [event]),
  people,
  preferences,
  limitKeys,
})

const MAX_FAILURES = 50

/** The third part, in the order of the events: each sees what the gates remember of those before. */
export function* planInSlices(prepared: Prepared, hands: Hands): Sliced<Plan> {
  const { decided, reasons } = prepared
  const { event, facts, ruleSet } = decided
  const failures = [...decided.failures, ...prepared.failures]
  const timers: NewTimer[] = []
  const gathered: Gathered[] = []
  const broadcasts: Broadcast[] = []
  const notifications: Plan["notifications"][number][] = []
  const deliveries: NewDelivery[] = []
  for (const [rule, tellings] of Map.groupBy(prepared.tellings, ({ origin }) => origin.taken.rule)) {
    const scene = {
      ruleSet,
      rule,
      event: event.id,
      business: event.business,
      events: [event],
      facts: [facts],
      told: NOBODY,
    }
    const turns = tellings.map(({ turn }) => turn)
    const made = yield* tellInSlices(scene, turns, hands)
    for (const one of made.notifications) notifications.push(one)
    for (const one of made.deliveries) deliveries.push(one)
    failures.push(...made.failures)
    for (const [i, { origin, turn }] of tellings.entries()) {
      const refused = made.refused[i]
      reasons.refused(rule, turn, refused)
      if (goesOn(turn, refused?.size ?? 0))
        timers.push(...reasons.goesOn(rule, escalateTimer(origin, 0, turn.at, hands.ids)))
    }
  }
  for (const { origin, digest, key } of prepared.gatherings) {
    const { into, timer } = gatherEvent(origin, digest, key, event.acceptedAt, hands)
    reasons.gathered(origin.taken.rule, into, digest)
    if (timer !== null) timers.push(timer)
    const fullAt = into.full ? into.dueAt : null
    gathered.push({ rule: origin.taken.rule.name, action: origin.taken.place, timer: into.timer, fullAt })
  }
  for (const origin of prepared.delays) {
    const { rule, action } = origin.taken
    if (action.delayMs === null) timers.push(crowdTimer(origin, event.acceptedAt, hands.ids))
    else {
      const timer = delayTimer(origin, event.acceptedAt + action.delayMs, hands.ids)
      reasons.delayed(rule, timer.dueAt)
      timers.push(timer)
    }
  }
  for (const { rule, place, action } of prepared.others) {
    if (action.mode === "shadow") reasons.shadow(rule)
    if (action.type === "webhook")
      deliveries.push(webhookDelivery({ ruleSet, rule, place, action, event, facts }, hands.ids.delivery()))
    else if (action.type === "broadcast" && action.mode === "live") {
      const made = broadcastOf({ rule, action }, ruleSet, event, facts)
      if ("broadcast" in made) {
        broadcasts.push(made.broadcast)
        reasons.broadcast(rule, made.broadcast)
      } else failures.push(made.failure)
    }
  }
  return {
    event,
    rulesRevision: ruleSet.revision,
    decisions: reasons.addTo(decided.decisions),
    failures: failures.slice(0, MAX_FAILURES),
    notifications,
    deliveries,
    newRecipients: prepared.newRecipients,
    timers,
    gathered,
    broadcasts,
  }
}

const NOBODY: Scene["told"] = new Map()

/** There is an escalation of what was told: not where everybody was refused, nor of what is never sent. */
export const goesOn = ({ action, people }: Turn, refused: number): boolean =>
  action.mode === "live" && (people.length === 0 || refused < people.length)

function gatherEvent(origin: Origin, digest: Digest, key: string, at: number, { gates, ids }: Hands) {
  const into = gather(gates.get(key), at, digest, () => ids.timer())
  gates.set(key, into.state, into.dueAt)
  return { into, timer: into.opened ? digestTimer(origin, into.timer, key, into.dueAt) : null }
}

/** A plan for an event that could not be decided at all, so that it does not come again and again. */
export const failedPlan = (event: HubEvent, ruleSet: RuleSet, reason: string): Plan => ({
  event,
  rulesRevision: ruleSet.revision,
  decisions: [],
  failures: [{ rule: null, reason }],
  notifications: [],
  deliveries: [],
  newRecipients: [],
  timers: [],
  gathered: [],
  broadcasts: [],
})
