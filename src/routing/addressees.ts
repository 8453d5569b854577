/** Whom an action concerns: the question to the store, and what its answer makes of the people who were named. */
import type { SendingChannel } from "../domain/channel.ts"
import type { RoutingFailure } from "../domain/decision.ts"
import type { HubEvent } from "../domain/event.ts"
import { asRecipientId, type RecipientId } from "../domain/ids.ts"
import { namedOnly, type Recipient } from "../domain/recipient.ts"
import type { AudienceAnswer, AudienceQuery } from "../store/audience.ts"
import { evaluate, type Facts, LogicFailed } from "./logic.ts"
import type { LoadedAction, LoadedRule } from "./rule-set.ts"

/** One action that a matched rule takes, and the question for its audience. */
export interface Want {
  readonly rule: LoadedRule
  readonly action: LoadedAction
  readonly query: AudienceQuery
}

/** An event may name so many people itself; more is a mistake of the producer, and roles are the way. */
const MAX_NAMED = 1_000

/** The questions for the audiences of the matched rules; ids that are none become failures. */
export function wantsOf(
  event: HubEvent,
  facts: Facts,
  matched: readonly LoadedRule[],
): { readonly wants: readonly Want[]; readonly failures: readonly RoutingFailure[] } {
  const wants: Want[] = []
  const failures: RoutingFailure[] = []
  for (const rule of matched) {
    for (const action of rule.actions) {
      const { users, problem } = namedUsers(action, facts, event.acceptedAt)
      if (problem !== null) failures.push({ rule: rule.name, reason: `to.users: ${problem}` })
      const { roles, everyone } = action.to
      wants.push({
        rule,
        action,
        query: { business: event.business, location: event.location, roles, users, everyone },
      })
    }
  }
  return { wants, failures }
}

function namedUsers(
  action: LoadedAction,
  facts: Facts,
  now: number,
): { readonly users: readonly RecipientId[]; readonly problem: string | null } {
  const users = new Set<RecipientId>()
  let problem: string | null = null
  for (const expression of action.to.users) {
    let value: unknown
    try {
      value = evaluate(expression, facts, now)
    } catch (error) {
      if (!(error instanceof LogicFailed)) throw error
      problem = error.message
      continue
    }
    for (const named of Array.isArray(value) ? value : [value]) {
      if (named === null || named === undefined || named === "") continue
      const id = asRecipientId(named)
      if (id === null) problem = "a value that is no recipient id"
      else if (users.size >= MAX_NAMED) problem = `more than ${MAX_NAMED} people`
      else users.add(id)
    }
  }
  return { users: [...users], problem }
}

/** The people to tell, sorted by id; `unknown` are those among them that only this event has named so far. */
export function peopleOf(
  { query }: Want,
  answer: AudienceAnswer,
): { readonly people: readonly Recipient[]; readonly unknown: readonly Recipient[] } {
  const found = new Set(answer.recipients.map((recipient) => recipient.id))
  const unknown = query.users
    .filter((id) => !found.has(id) && !answer.outsiders.has(id))
    .map((id) => namedOnly(id, query.business))
  if (unknown.length === 0) return { people: answer.recipients, unknown }
  const people = [...answer.recipients, ...unknown].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  return { people, unknown }
}

const MAX_SHOWN = 5

/** Why the action tells nobody, or not everybody whom the event names, in a sentence; null where there is nothing to say. */
export function whyNotTold({ action, query }: Want, { outsiders }: AudienceAnswer, told: number): string | null {
  const clauses: string[] = []
  const strangers = [...outsiders]
  if (strangers.length > 0) {
    const more = strangers.length > MAX_SHOWN ? `, and ${strangers.length - MAX_SHOWN} more` : ""
    clauses.push(`no recipients of business ${query.business}: ${strangers.slice(0, MAX_SHOWN).join(", ")}${more}`)
  }
  if (told > 0) return clauses[0] ?? null
  const place = query.location === null ? query.business : `${query.business}, location ${query.location},`
  if (query.roles.length > 0) clauses.push(`nobody in business ${place} has the role ${query.roles.join(" or ")}`)
  if (query.everyone) clauses.push(`business ${place} has no recipients`)
  if (action.to.users.length > 0 && query.users.length === 0) clauses.push("the event names no user")
  return `nobody is told: ${clauses.join("; ")}`
}

/** `to` is what the message carries; equal keys of one event, rule and channel share one delivery. */
export interface Address {
  readonly key: string
  readonly to: string | null
}

/** Where a person is reached on a channel; null: nowhere. `defaultSlack`: the hub has a webhook of its own, or captures. */
export function addressOf(recipient: Recipient, channel: SendingChannel, defaultSlack: boolean): Address | null {
  switch (channel) {
    case "email":
      return keyed(recipient.email, (email) => email.toLowerCase())
    case "sms":
      return keyed(recipient.phone, (phone) => phone)
    case "telegram":
      return keyed(recipient.telegramChatId, (chat) => chat)
    case "slack":
      return keyed(recipient.slackWebhookUrl, (url) => url) ?? (defaultSlack ? { key: "default", to: null } : null)
  }
}

const keyed = (address: string | null, key: (address: string) => string): Address | null =>
  address === null || address.trim() === "" ? null : { key: key(address.trim()), to: address.trim() }
