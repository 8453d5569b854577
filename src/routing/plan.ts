/**
 * What follows from an event: who is told, on which channels, in which words. Pure but for the ids it makes. A rule or a
 * channel that cannot be carried out is a failure of its own; the others go on.
 */
import { isSendingChannel, type SendingChannel } from "../domain/channel.ts"
import type { RoutingFailure, RuleDecision } from "../domain/decision.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import {
  type NotificationId,
  newDeliveryId,
  newNotificationId,
  type RecipientId,
  type RuleName,
} from "../domain/ids.ts"
import type { NewNotification, NotificationContent } from "../domain/notification.ts"
import type { Plan } from "../domain/plan.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { AudienceAnswer } from "../store/audience.ts"
import { addressOf, peopleOf, type Want, wantsOf, whyNotTold } from "./addressees.ts"
import { factsOf } from "./facts.ts"
import type { Facts } from "./logic.ts"
import { matches } from "./match.ts"
import type { LoadedAction, LoadedRule, RuleSet } from "./rule-set.ts"
import { WordsFor } from "./words-for.ts"

export interface PlanSettings {
  /** Without a slash at its end. */
  readonly publicUrl: string
  /** True where Slack can be reached without the recipient's own webhook: one is configured, or Slack is captured. */
  readonly defaultSlack: boolean
}

/** An event with what was decided about it, before its audiences are known. */
export interface Decided {
  readonly event: HubEvent
  readonly facts: Facts
  readonly ruleSet: RuleSet
  readonly decisions: readonly RuleDecision[]
  readonly failures: readonly RoutingFailure[]
  /** One question for each action of each matched rule. */
  readonly wants: readonly Want[]
}

/** The first half: which rules, and whom to ask the store about. */
export function decideEvent(ruleSet: RuleSet, event: HubEvent): Decided {
  const facts = factsOf(event)
  const { decisions, matched, failures } = matches(ruleSet, event, facts)
  const audience = wantsOf(event, facts, matched)
  return { event, facts, ruleSet, decisions, failures: [...failures, ...audience.failures], wants: audience.wants }
}

const MAX_FAILURES = 50

/** The second half. `answers` are those to `decided.wants`, in order; `wallMillis` goes into the ids. */
export function plan(
  decided: Decided,
  answers: readonly AudienceAnswer[],
  settings: PlanSettings,
  wallMillis: number,
): Plan {
  const planned = { notifications: [] as NewNotification[], deliveries: [] as NewDelivery[] }
  const failures = [...decided.failures]
  const newRecipients = new Map<RecipientId, Recipient>()
  const untold = new Map<RuleName, string>()
  const turns = decided.wants.map((want, i): Turn => {
    const answer = answers[i]
    if (answer === undefined) throw new Error("an audience that was asked for has no answer")
    const { people, unknown } = peopleOf(want, answer)
    for (const recipient of unknown) newRecipients.set(recipient.id, recipient)
    const why = whyNotTold(want, answer, people.length)
    if (why !== null) untold.set(want.rule.name, [untold.get(want.rule.name), why].filter(Boolean).join("; "))
    return { ...want, people }
  })
  for (const [rule, actions] of Map.groupBy(turns, (turn) => turn.rule)) {
    const made = new RulePlan(decided, rule, settings, wallMillis).make(actions)
    planned.notifications.push(...made.notifications)
    planned.deliveries.push(...made.deliveries)
    failures.push(...made.failures)
  }
  return {
    event: decided.event,
    rulesRevision: decided.ruleSet.revision,
    decisions: decided.decisions.map((decision) => {
      const why = untold.get(decision.rule)
      return why === undefined ? decision : { ...decision, reason: `${decision.reason}; ${why}` }
    }),
    failures: failures.slice(0, MAX_FAILURES),
    ...planned,
    newRecipients: [...newRecipients.values()],
  }
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
})

/** An action with the people it concerns, sorted by id. */
interface Turn {
  readonly action: LoadedAction
  readonly rule: LoadedRule
  readonly people: readonly Recipient[]
}

interface Person {
  readonly id: NotificationId
  readonly recipient: Recipient
  /** Of the rule's actions those that name this person, in order. */
  readonly actions: LoadedAction[]
}

/** People who share one address of one channel. */
interface Group {
  readonly channel: SendingChannel
  readonly action: LoadedAction
  readonly addressKey: string
  /** Null: these people have no address there. */
  readonly address: { readonly to: string | null } | null
  readonly people: Person[]
}

/** One rule's share of a plan: everyone it names is told once, however many of its actions name them. */
class RulePlan {
  readonly #decided: Decided
  readonly #rule: LoadedRule
  readonly #settings: PlanSettings
  readonly #wallMillis: number
  readonly #words: WordsFor
  readonly #people = new Map<RecipientId, Person>()
  readonly #groups = new Map<string, Group>()

  constructor(decided: Decided, rule: LoadedRule, settings: PlanSettings, wallMillis: number) {
    this.#decided = decided
    this.#rule = rule
    this.#settings = settings
    this.#wallMillis = wallMillis
    this.#words = new WordsFor(decided, rule.name, settings.publicUrl)
  }

  make(turns: readonly Turn[]): Pick<Plan, "notifications" | "deliveries" | "failures"> {
    for (const { action, people } of turns) for (const recipient of people) this.#add(action, recipient)
    const deliveries = [...this.#groups.values()].flatMap((group) => this.#delivery(group))
    const reached = new Set(deliveries.flatMap((delivery) => delivery.notifications))
    const notifications = [...this.#people.values()].flatMap((person) => this.#notification(person, reached))
    return { notifications, deliveries, failures: this.#words.failures }
  }

  #add(action: LoadedAction, recipient: Recipient): void {
    let person = this.#people.get(recipient.id)
    if (person === undefined) {
      person = { id: newNotificationId(this.#wallMillis), recipient, actions: [] }
      this.#people.set(recipient.id, person)
    }
    person.actions.push(action)
    for (const channel of action.channels.filter(isSendingChannel)) {
      const address = addressOf(recipient, channel, this.#settings.defaultSlack)
      const addressKey = address?.key ?? `none:${recipient.id}`
      const key = `${channel}\n${addressKey}`
      const group = this.#groups.get(key)
      if (group === undefined) this.#groups.set(key, { channel, action, addressKey, address, people: [person] })
      else if (!group.people.includes(person)) group.people.push(person)
    }
  }

  /** None where the message cannot be rendered; the failure is kept. */
  #delivery({ channel, action, addressKey, address, people }: Group): readonly NewDelivery[] {
    const first = people.reduce((a, b) => (b.recipient.id < a.recipient.id ? b : a))
    const message = address === null ? null : this.#words.message(action, channel, first.recipient, address.to)
    if (address !== null && message === null) return []
    return [
      {
        id: newDeliveryId(this.#wallMillis),
        event: this.#decided.event.id,
        notifications: people.map((person) => person.id),
        rule: this.#rule.name,
        rulesRevision: this.#decided.ruleSet.revision,
        business: this.#decided.event.business,
        channel,
        priority: action.priority,
        addressKey,
        start: message === null ? { status: "suppressed", reason: "no_address" } : { status: "queued", message },
      },
    ]
  }

  /** None for a person whom nothing reaches because nothing could be rendered. */
  #notification(person: Person, reached: ReadonlySet<NotificationId>): readonly NewNotification[] {
    const { event, ruleSet } = this.#decided
    const { content, inbox, action } = this.#content(person)
    if (!inbox && !reached.has(person.id)) return []
    return [
      {
        id: person.id,
        event: event.id,
        rule: this.#rule.name,
        rulesRevision: ruleSet.revision,
        recipient: person.recipient.id,
        business: event.business,
        location: event.location,
        severity: event.severity,
        category: action.category,
        priority: action.priority,
        inbox,
        content,
      },
    ]
  }

  #content({ actions, recipient }: Person): { content: NotificationContent; inbox: boolean; action: LoadedAction } {
    const [first] = actions
    if (first === undefined) throw new Error("a person whom no action names")
    const forInbox = actions.find((action) => action.channels.includes("inapp"))
    const content = forInbox === undefined ? null : this.#words.content(forInbox, recipient)
    if (forInbox !== undefined && content !== null) return { content, inbox: true, action: forInbox }
    return { content: this.#words.outsideInbox(first, recipient), inbox: false, action: first }
  }
}
