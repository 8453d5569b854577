/** Whom an action concerns: the question to the store, and what its answer makes of the people who were named. */
import type { PersonalChannel } from "../domain/channel.ts"
import type { RoutingFailure } from "../domain/decision.ts"
import type { HubEvent } from "../domain/event.ts"
import { asRecipientId, type RecipientId, type RuleName } from "../domain/ids.ts"
import type { SlackMessage } from "../domain/message.ts"
import { type DeviceToken, namedOnly, pushServiceOf, type Recipient } from "../domain/recipient.ts"
import type { Audience } from "../domain/rule.ts"
import type { AudienceAnswer, AudienceQuery } from "../store/audience.ts"
import { evaluate, type Facts, LogicFailed } from "./conditions/logic.ts"

/** An audience, and the question for it. */
export interface Want {
  readonly to: Audience
  readonly query: AudienceQuery
}

/** An event may name so many people itself; more is a mistake of the producer, and roles are the way. */
const MAX_NAMED = 1_000

/** The question for the people whom an event concerns. `problem`: ids that are none; the others are asked for. */
export function wantOf(
  to: Audience,
  event: HubEvent,
  facts: Facts,
): { readonly want: Want; readonly problem: string | null } {
  const { users, problem } = namedUsers(to, facts, event.acceptedAt)
  const { roles, lists, everyone } = to
  const { business, location } = event
  return { want: { to, query: { business, location, roles, users, lists, everyone } }, problem }
}

/** The people whom the event names itself, and what is wrong with a name. */
export function namedUsers(
  to: Audience,
  facts: Facts,
  now: number,
): { readonly users: readonly RecipientId[]; readonly problem: string | null } {
  const users = new Set<RecipientId>()
  let problem: string | null = null
  for (const expression of to.users) {
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
  const missing = new Set(query.users.filter((id) => !answer.outsiders.has(id)))
  if (missing.size > 0) for (const { id } of answer.recipients) missing.delete(id)
  const unknown = [...missing].map((id) => namedOnly(id, query.business))
  if (unknown.length === 0) return { people: answer.recipients, unknown }
  const people = [...answer.recipients, ...unknown].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  return { people, unknown }
}

/** Told by one action at once. All of it is one transaction, which takes seconds and ends after 40 of them. */
export const MOST_PEOPLE = 100_000

/** Nobody is told of what would be for more than that. */
export const tooMany = ({ name }: { readonly name: RuleName }): RoutingFailure => ({
  rule: name,
  reason: `nobody is told: it names more than ${MOST_PEOPLE.toLocaleString("en")} people, which is more than one rule may tell at once`,
})

const MAX_SHOWN = 5

/** Why nobody is told, or not everybody whom the event names, in a sentence; null where there is nothing to say. */
export function whyNotTold({ to, query }: Want, { outsiders }: AudienceAnswer, told: number): string | null {
  const clauses: string[] = []
  const strangers = [...outsiders]
  if (strangers.length > 0) {
    const more = strangers.length > MAX_SHOWN ? `, and ${strangers.length - MAX_SHOWN} more` : ""
    clauses.push(`no recipients of business ${query.business}: ${strangers.slice(0, MAX_SHOWN).join(", ")}${more}`)
  }
  if (told > 0) return clauses[0] ?? null
  const place = query.location === null ? query.business : `${query.business}, location ${query.location},`
  if (query.roles.length > 0) clauses.push(`nobody in business ${place} has the role ${query.roles.join(" or ")}`)
  if (query.lists.length > 0) clauses.push(`nobody in business ${place} is on the list ${query.lists.join(" or ")}`)
  if (query.everyone) clauses.push(`business ${place} has no recipients`)
  if (to.users.length > 0 && query.users.length === 0) clauses.push("the event names no user")
  return `nobody is told: ${clauses.join("; ")}`
}

/** Of a device, the device; of whom Slack's bot reaches, the id there; else a text. Null: the hub's own of Slack. */
export type AddressTo = string | DeviceToken | SlackId | null

/** Somebody whom the bot speaks to. */
export interface SlackId {
  readonly slackId: string
}

const NO_DEVICE: DeviceToken = { platform: "", token: "" }

/** The two ways in which messages name where they go. */
export const splitAddress = (to: AddressTo): { readonly address: string | null; readonly device: DeviceToken } =>
  typeof to !== "object" || to === null
    ? { address: to, device: NO_DEVICE }
    : { address: null, device: "slackId" in to ? NO_DEVICE : to }

/** How a Slack message names where it goes. */
export const slackAddress = (to: AddressTo): Pick<SlackMessage, "webhookUrl" | "botTo"> => ({
  webhookUrl: splitAddress(to).address,
  ...(typeof to === "object" && to !== null && "slackId" in to ? { botTo: to.slackId } : {}),
})

/** `to` is what the message carries; equal keys of one event, rule and channel share one delivery. */
export interface Address {
  readonly key: string
  readonly to: AddressTo
}

/** What the hub itself has of Slack. */
export interface SlackWays {
  /** Slack can be reached without the recipient's own webhook: one is configured, or Slack is captured. */
  readonly defaultSlack: boolean
  /** The bot can write to whoever has an id there. Default: no. */
  readonly slackBot?: boolean
}

/** Where a person is reached on a channel; empty: nowhere. Only a person's devices are several. */
export function addressesOf(recipient: Recipient, channel: PersonalChannel, ways: SlackWays): readonly Address[] {
  switch (channel) {
    case "email":
      return keyed(recipient.email, (email) => email.toLowerCase())
    case "sms":
    case "voice":
      return keyed(recipient.phone, (phone) => phone)
    case "telegram":
      return keyed(recipient.telegramChatId, (chat) => chat)
    case "slack": {
      // Only what the bot wrote can be changed later, so it comes first.
      const slackId = ways.slackBot === true ? (recipient.slackUserId?.trim() ?? "") : ""
      if (slackId !== "") return [{ key: `bot:${slackId}`, to: { slackId } }]
      return recipient.slackWebhookUrl === null && ways.defaultSlack
        ? [{ key: "default", to: null }]
        : keyed(recipient.slackWebhookUrl, (url) => url)
    }
    case "push":
      return devicesOf(recipient)
  }
}

const keyed = (address: string | null, key: (address: string) => string): readonly Address[] =>
  address === null || address.trim() === "" ? [] : [{ key: key(address.trim()), to: address.trim() }]

/** Each once, however often it was registered. */
function devicesOf({ deviceTokens }: Recipient): readonly Address[] {
  const devices = new Map<string, Address>()
  for (const device of deviceTokens) {
    if (pushServiceOf(device) === null || device.token === "") continue
    const key = `${device.platform}:${device.token}`
    if (!devices.has(key)) devices.set(key, { key, to: device })
  }
  return [...devices.values()]
}
