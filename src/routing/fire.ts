/**
 * What follows from a timer that is due: the second half of an action whose first half was decided when its event came.
 * Pure but for the ids it makes and the gates it changes. Everything counts from the moment that was planned, so that a
 * replay gives the same however late somebody gets round to it.
 */
import type { PersonalChannel } from "../domain/channel.ts"
import type { RoutingFailure } from "../domain/decision.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import { type DueTimer, type Fired, nothingFrom, type TimerOutcome, type Told } from "../domain/firing.ts"
import type { RecipientId } from "../domain/ids.ts"
import type { NewNotification } from "../domain/notification.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Audience } from "../domain/rule.ts"
import { roundOf } from "../domain/timer.ts"
import type { AudienceAnswer } from "../store/audience.ts"
import { MOST_PEOPLE, peopleOf, tooMany, type Want, wantOf } from "./addressees.ts"
import type { Facts } from "./conditions/logic.ts"
import { factsOf } from "./facts.ts"
import { failedForGood, type Turn } from "./fates.ts"
import { escalateTimer, type Origin } from "./next-timer.ts"
import { goesOn } from "./plan.ts"
import { ruleNamed } from "./rule-by-name.ts"
import type { LoadedNotify, RuleSet } from "./rule-set.ts"
import { eachInSlices, isMany, LIGHT, madeInSlices, type Sliced } from "./slices.ts"
import { type Hands, type Scene, tellInSlices } from "./telling.ts"
import { expiryOf, limitKeysInSlices } from "./turns.ts"

/** A timer whose action there is, and which nobody has ended. */
export interface Firing {
  readonly due: DueTimer
  readonly origin: Origin
  readonly to: Audience
  /** Of a failover: for each person the place of the channel that is due, among the action's `failover`. */
  readonly next: ReadonlyMap<RecipientId, number> | null
}

/** Whether anything is to be done at all, before anybody is asked for. `ruleSet`: null where there is none. */
export function begin(due: DueTimer, ruleSet: RuleSet | null): Firing | Fired {
  const { timer, told } = due
  const rule = ruleSet === null ? null : ruleNamed(ruleSet, timer.rule)
  const action = rule?.actions[timer.action]
  if (ruleSet === null || rule === null || action?.type !== "notify") return nothingFrom(timer, "rule_gone")
  const taken = { rule, place: timer.action, action }
  const origin = { ruleSet, event: timer.event, business: timer.business, taken }
  switch (timer.kind) {
    case "delay":
    case "digest":
      return { due, origin, to: action.to, next: null }
    case "escalate": {
      const step = action.escalate[timer.step]
      if (step === undefined) return nothingFrom(timer, "rule_gone")
      const end = reaction(timer.until ?? action.until, told)
      return end === null ? { due, origin, to: step.to ?? action.to, next: null } : nothingFrom(timer, end)
    }
    case "failover": {
      const end = action.escalate.length === 0 ? null : reaction(action.until, told)
      if (end !== null) return nothingFrom(timer, end)
      const next = nextChannels(due, action)
      return next.size === 0 ? nothingFrom(timer, "sent") : { due, origin, to: action.to, next }
    }
  }
}

/** Whether somebody has ended it, and how. */
function reaction(until: LoadedNotify["until"], told: readonly Told[]): TimerOutcome | null {
  if (told.some(({ acknowledgedAt }) => acknowledgedAt !== null)) return "acknowledged"
  return until === "read" && told.some(({ readAt }) => readAt !== null) ? "read" : null
}

/** Whose deliveries have all failed for good, and which channel is next for them. */
function nextChannels({ told, deliveries }: DueTimer, { failover }: LoadedNotify): ReadonlyMap<RecipientId, number> {
  const next = new Map<RecipientId, number>()
  const chains = Map.groupBy(
    deliveries.flatMap((one) => (one.failover ? one.notifications.map((id) => ({ id, one })) : [])),
    ({ id }) => id,
  )
  for (const { id, recipient } of told) {
    const own = (chains.get(id) ?? []).map(({ one }) => one)
    if (own.length === 0 || !own.every(failedForGood)) continue
    const tried = new Set<string>(own.map(({ channel }) => channel))
    const place = failover.findLastIndex((channel) => tried.has(channel)) + 1
    if (place < failover.length) next.set(recipient, place)
  }
  return next
}

/** The firing's events with the question about each one's people. */
export interface Asked {
  readonly firing: Firing
  readonly events: readonly HubEvent[]
  readonly facts: readonly Facts[]
  readonly wants: readonly Want[]
  readonly failures: readonly RoutingFailure[]
}

/** Whom to ask for. `events`: those that there still are, oldest first. */
export function ask(firing: Firing, events: readonly HubEvent[]): Asked | Fired {
  const { due, origin, to } = firing
  const { timer } = due
  const { rule, action } = origin.taken
  if (events.length === 0) return nothingFrom(timer, "events_gone")
  // What waited too long is recorded for whom it was meant; a later step of it is not worth a record.
  const isLaterStep = timer.kind === "escalate" || timer.kind === "failover"
  if (isLaterStep && hasExpired(action, events, timer.dueAt)) return nothingFrom(timer, "expired")
  const failures: RoutingFailure[] = []
  const facts = events.map(factsOf)
  const wants = events.map((event, i) => {
    const { want, problem } = wantOf(to, event, facts[i] ?? factsOf(event))
    if (problem !== null) failures.push({ rule: rule.name, reason: `to.users: ${problem}` })
    return want
  })
  return { firing, events, facts, wants, failures }
}

const hasExpired = (action: LoadedNotify, events: readonly HubEvent[], at: number): boolean => {
  const expiresAt = expiryOf(action, events)
  return expiresAt !== null && at >= expiresAt
}

/** People whom the same events concern, and the turns in which they are told. */
interface Group {
  readonly events: readonly HubEvent[]
  readonly facts: readonly Facts[]
  readonly turns: readonly Turn[]
}

export interface Aimed {
  readonly asked: Asked
  readonly groups: readonly Group[]
  /** The gates that firing asks, beside a digest's own. */
  readonly keys: readonly string[]
  readonly newRecipients: readonly Recipient[]
  readonly failures: readonly RoutingFailure[]
}

/** Who is told of which events. `answers`: those to `asked.wants`, in order. */
export function* aimInSlices(asked: Asked, answers: readonly AudienceAnswer[]): Sliced<Aimed> {
  const { events, facts, wants, firing } = asked
  const { taken } = firing.origin
  const newRecipients = new Map<RecipientId, Recipient>()
  const preferences = new Map<RecipientId, Preferences>()
  const concerned = new Map<RecipientId, { readonly recipient: Recipient; readonly of: number[] }>()
  // Mostly all events of a digest concern the same people: what was asked once has one answer.
  const sets = [...Map.groupBy(wants.keys(), (i) => answers[i]).entries()]
  const failures = [...asked.failures]
  let looks = 0
  for (const [nth, [answer, [first = 0]]] of sets.entries()) {
    const want = wants[first]
    if (answer === undefined || want === undefined) throw new Error("an audience that was asked for has no answer")
    const { people, unknown } = peopleOf(want, answer)
    looks += people.length
    if (concerned.size > MOST_PEOPLE || looks > MOST_LOOKS) break
    yield* eachInSlices(answer.preferences, ([id, wishes]) => void preferences.set(id, wishes), LIGHT)
    yield* eachInSlices(
      people,
      (recipient) => {
        if (firing.next?.has(recipient.id) === false) return
        const known = concerned.get(recipient.id)
        if (known === undefined) concerned.set(recipient.id, { recipient, of: [nth] })
        else known.of.push(nth)
      },
      LIGHT,
    )
    for (const recipient of unknown) if (concerned.has(recipient.id)) newRecipients.set(recipient.id, recipient)
  }
  if (concerned.size > MOST_PEOPLE || looks > MOST_LOOKS) {
    failures.push(tooMany(taken.rule))
    return { asked, groups: [], keys: [], newRecipients: [], failures }
  }
  if (isMany(concerned.size)) yield
  const everybody = [...concerned.values()].sort((a, b) => (a.recipient.id < b.recipient.id ? -1 : 1))
  // Those apart whom other events concern.
  const members = new Map<string, { readonly of: readonly number[]; readonly people: Recipient[] }>()
  yield* eachInSlices(
    everybody,
    ({ recipient, of }) => {
      const name = of.join()
      const own = members.get(name)
      if (own === undefined) members.set(name, { of, people: [recipient] })
      else own.people.push(recipient)
    },
    LIGHT,
  )
  const keys: string[] = []
  const groups: Group[] = []
  for (const { of: nths, people } of members.values()) {
    const of = new Set(nths.flatMap((nth) => sets[nth]?.[1] ?? []))
    const theirs = { events: events.filter((_, i) => of.has(i)), facts: facts.filter((_, i) => of.has(i)) }
    const [event, last] = [theirs.events.at(-1), theirs.facts.at(-1)]
    if (event === undefined || last === undefined) throw new Error("people whom no event concerns")
    const limits = isFirst(firing)
      ? yield* limitKeysInSlices(taken, people, event, last)
      : { keys: NO_KEYS, failures: [] }
    failures.push(...limits.failures)
    for (const key of yield* madeInSlices(limits.keys.values(), (own) => own, LIGHT)) keys.push(key)
    const turns = turnsOf(firing, theirs.events, people, preferences, limits.keys, nameOf(theirs.events, events))
    groups.push({ ...theirs, turns })
  }
  return { asked, groups, keys, newRecipients: [...newRecipients.values()], failures }
}

/** People times the sets in which they were looked for: more takes seconds, and no other timer is fired meanwhile. */
const MOST_LOOKS = 2_000_000

const NO_KEYS: Turn["limitKeys"] = new Map()

/** The first telling asks the limits; what follows it was let through with it. */
export const isFirst = ({ due: { timer } }: Firing): boolean => timer.kind === "delay" || timer.kind === "digest"

/** Sets those apart who are told of other events, in whichever firing: of some at one address each has a message. */
const nameOf = (some: readonly HubEvent[], all: readonly HubEvent[]): string =>
  some.length === all.length
    ? ""
    : `:${Bun.CryptoHasher.hash("sha256", some.map(({ id }) => id).join(), "hex").slice(0, 12)}`

function turnsOf(
  { due: { timer }, origin, next }: Firing,
  events: readonly HubEvent[],
  people: readonly Recipient[],
  preferences: Turn["preferences"],
  limitKeys: Turn["limitKeys"],
  suffix: string,
): readonly Turn[] {
  const { action, place } = origin.taken
  const plain: Turn = {
    action,
    place,
    channels: action.channels,
    failover: action.failover,
    inChain: action.failover.length > 0,
    round: roundOf(timer) + suffix,
    at: timer.dueAt,
    expiresAt: expiryOf(action, events),
    people,
    preferences,
    limitKeys,
  }
  switch (timer.kind) {
    case "delay":
    case "digest":
      return [plain]
    case "escalate":
      return [{ ...plain, channels: action.escalate[timer.step]?.channels ?? [], failover: [], inChain: false }]
    case "failover":
      return [...Map.groupBy(people, ({ id }) => next?.get(id) ?? 0)].map(([step, theirs]) => ({
        ...plain,
        ...chainFrom(action, step),
        round: roundOf({ ...timer, step }) + suffix,
        people: theirs,
      }))
  }
}

/** The channel at this place, and those after it. */
const chainFrom = (
  { failover }: LoadedNotify,
  step: number,
): { readonly channels: readonly PersonalChannel[]; readonly failover: readonly PersonalChannel[] } => ({
  channels: failover.slice(step, step + 1),
  failover: failover.slice(step + 1),
})

/** `told`: who has a notification of the timer's event and rule already. */
export function* fireInSlices(aimed: Aimed, told: Scene["told"], hands: Hands): Sliced<Fired> {
  const { asked, groups, newRecipients } = aimed
  const { firing } = asked
  const { due, origin } = firing
  const { timer } = due
  const { ruleSet, event, business, taken } = origin
  const notifications: NewNotification[] = []
  const deliveries: NewDelivery[] = []
  const failures = [...aimed.failures]
  let someGoOn = groups.length === 0 && taken.action.mode === "live"
  for (const { turns, ...of } of groups) {
    const made = yield* tellInSlices({ ruleSet, rule: taken.rule, event, business, told, ...of }, turns, hands)
    for (const one of made.notifications) notifications.push(one)
    for (const one of made.deliveries) deliveries.push(one)
    failures.push(...made.failures)
    if (turns.some((turn, i) => goesOn(turn, made.refused[i]?.size ?? 0))) someGoOn = true
  }
  const expired = hasExpired(taken.action, asked.events, timer.dueAt)
  const timers = someGoOn && !expired ? followers(firing, hands) : []
  const outcome = expired ? "expired" : "fired"
  return { timer, outcome, notifications, deliveries, newRecipients, timers, failures }
}

function followers({ due: { timer }, origin }: Firing, { ids }: Hands): Fired["timers"] {
  switch (timer.kind) {
    case "delay":
    case "digest":
      return escalateTimer(origin, 0, timer.dueAt, ids)
    case "escalate":
      return escalateTimer(origin, timer.step + 1, timer.beganAt, ids)
    case "failover":
      return []
  }
}
