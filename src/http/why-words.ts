/**
 * Why a person was told, or not, in plain sentences for that person. Pure. Nothing of a provider, an operator's trouble or
 * anybody else is said: a word that is not meant for them is passed over.
 */
import type { Channel, SendingChannel } from "../domain/channel.ts"
import type { Notification } from "../domain/notification.ts"
import type { TracedDelivery, TracedTimer } from "../store/traces.ts"

export interface WhyParts {
  readonly notification: Notification
  readonly deliveries: readonly TracedDelivery[]
  /** Null: the event is gone, or there were several. */
  readonly eventType: string | null
  /** The deciding clause with its operands; null: not known, or about more than this person's news. */
  readonly clause: string | null
  /** Several events were told in one message. */
  readonly gathered: boolean
  /** The next step of the rule, where one waits. */
  readonly next: NextStep | null
  /** When the last step before it went out; null: none has. */
  readonly wentOnAt: Date | null
  /** IANA name; null: UTC. */
  readonly zone: string | null
  readonly now: Date
}

export interface NextStep extends Pick<TracedTimer, "dueAt" | "until"> {
  /** Null: the rules have changed since. */
  readonly how: StepWords | null
}

/** What a person may know of a step: who they are that are named next is not their matter. */
export interface StepWords {
  readonly channels: readonly Channel[]
  /** It tells whom the step names, and not those who were told before. */
  readonly others: boolean
}

const WORDS: Readonly<
  Record<SendingChannel, { readonly by: string; readonly message: string; readonly address: string }>
> = {
  email: { by: "by e-mail", message: "e-mail", address: "e-mail address" },
  sms: { by: "by SMS", message: "SMS", address: "phone number" },
  voice: { by: "by phone", message: "call", address: "phone number" },
  push: { by: "on a device", message: "push", address: "device" },
  telegram: { by: "by Telegram", message: "Telegram message", address: "Telegram chat" },
  slack: { by: "by Slack", message: "Slack message", address: "Slack webhook" },
  webhook: { by: "by webhook", message: "webhook", address: "address" },
}

/** The whole in one paragraph: what reached the person, because of what, and what of it did not or has not yet. */
export function whySentence(parts: WhyParts): string {
  const { notification, deliveries } = parts
  const reached = [
    ...(notification.inbox ? ["in the inbox"] : []),
    ...new Set(deliveries.filter(isSent).map(({ channel }) => WORDS[channel].by)),
  ]
  const refusal = refusalOf(notification.reason)
  const what = `“${notification.content.title}”`
  const yet = deliveries.some(({ status }) => WAITING.includes(status)) ? "have not been told" : "were not told"
  const told = reached.length > 0 ? `You were told ${what} ${joined(reached)}` : `You ${yet} ${what}`
  const first =
    reached.length === 0 && refusal !== null
      ? `${told}: ${refusal}. It would have been ${causeOf(parts)}.`
      : `${told}${reached.length === 0 ? " by any message. It is there" : ""} ${causeOf(parts)}.`
  const others =
    refusal !== null ? [] : deliveries.filter((one) => !isSent(one)).map((one) => channelSentence(one, parts))
  return [...new Set([first, ...others, ...stepSentences(parts)])].join(" ")
}

function stepSentences(parts: WhyParts): readonly string[] {
  const { notification, next, wentOnAt } = parts
  const gone =
    wentOnAt === null ? [] : [`It went on at ${moment(wentOnAt, parts)}, because nobody had reacted by then.`]
  if (next === null || notification.acknowledgedAt !== null) return gone
  const { dueAt, until, how } = next
  const where = how === null ? "" : ` ${joined(how.channels.map(byChannel))}, to ${how.others ? OTHERS : "all of you"}`
  return [
    ...gone,
    `It goes on at ${moment(dueAt, parts)}${where}, unless somebody has ${until ?? "acknowledged"} it by then.`,
  ]
}

const OTHERS = "whom the rule names next"
const byChannel = (channel: Channel): string => (channel === "inapp" ? "in the inbox" : WORDS[channel].by)

const WAITING: readonly TracedDelivery["status"][] = ["scheduled", "queued", "sending", "retrying"]

const isSent = ({ status }: TracedDelivery): boolean => status === "delivered"

function causeOf({ notification: { rule }, eventType, clause, gathered }: WhyParts): string {
  if (gathered) return `because of events that the rule ${rule} gathers into one message`
  const event = eventType === null ? "an event" : `the event ${eventType}`
  const why = clause === null ? "" : `: ${clause.replaceAll(/ is true(?= and |$)/g, "")}`
  return `because ${event} fits the rule ${rule}${why}`
}

/** Why nothing at all was told; null: it was meant to be. */
function refusalOf(reason: string | null): string | null {
  switch (reason) {
    case "cooldown":
      return "the rule had told you shortly before, and its cooldown was not over"
    case "throttled":
      return "the rule had already told you as often as it may"
    case "expired":
      return "it was too late, the news had expired"
    case "shadow":
      return "the rule is being tried out and tells nobody yet"
    default:
      return null
  }
}

/** What became of the message on one channel. */
export function channelSentence(
  delivery: TracedDelivery,
  parts: Pick<WhyParts, "notification" | "zone" | "now">,
): string {
  const { channel, status, reason, nextAttemptAt } = delivery
  const { message } = WORDS[channel]
  const twice = delivery.maybeDuplicate ? " You may have got it twice." : ""
  switch (status) {
    case "delivered":
      return `The ${message} was sent.${twice}`
    case "captured":
      return `The ${message} was kept in the hub's outbox and not sent: this hub is not connected to a provider.`
    case "sending":
      return `The ${message} is being sent.`
    case "queued":
      return `The ${message} is waiting to be sent.`
    case "retrying":
      return `The ${message} could not be sent yet${nextAttemptAt === null ? "" : `, it is tried again at ${moment(nextAttemptAt, parts)}`}.`
    case "scheduled":
      return `The ${message} waits${nextAttemptAt === null ? "" : ` until ${moment(nextAttemptAt, parts)}`}${HELD.get(reason ?? "") ?? ""}.`
    case "suppressed":
      return `No ${message} was sent${suppression(delivery, parts.notification)}.`
    case "expired":
      return `No ${message} was sent: it was too late, the news had expired.`
    case "cancelled":
      return `No ${message} was sent${reason === "acknowledged" ? ": the news had been acknowledged before" : ""}.`
    case "dead":
      return `The ${message} could not be sent${REFUSED.get(reason ?? "") ?? ""}.${twice}`
    case "unknown":
      return `It is not known whether the ${message} was sent.`
  }
}

const HELD: ReadonlyMap<string, string> = new Map([
  ["quiet_hours", ", the end of your quiet hours"],
  ["solicitation_hours", ", because such messages are sent by day only"],
])

const REFUSED: ReadonlyMap<string, string> = new Map([
  ["address_dead", ": the address that is known of you does not take messages"],
  ["address_not_found", ": the address that is known of you does not exist"],
  ["bad_number", ": the phone number that is known of you is not valid"],
  ["blocked_by_recipient", ": you have blocked its sender"],
  ["unsubscribed", ": you have unsubscribed from it"],
])

function suppression({ channel, reason }: TracedDelivery, { category }: Notification): string {
  const { message, address } = WORDS[channel]
  switch (reason) {
    case "no_address":
      return `: no ${address} of yours is known`
    case "preference_channel":
      return `: you have turned it off`
    case "preference_category":
      return `: you have turned it off for ${category === null ? "this category" : `the category ${category}`}`
    case "preference_severity":
      return `: you want an ${message} only for more severe news`.replace(/an (Telegram|Slack|webhook)/, "a $1")
    case "stop":
      return `: you have answered STOP to an earlier one`
    case "unsubscribed":
      return ": you have unsubscribed from it"
    case "bounced":
      return `: mail to the ${address} that is known of you came back`
    case "complained":
      return ": you have reported an earlier one as unwanted"
    case "gone":
      return `: the ${address} that is known of you did not take an earlier one`
    case "superseded":
      return ": newer news of the same thing has taken its place"
    case "quiet_hours":
    case "solicitation_hours":
      return ": your quiet hours leave no time for it"
    default: {
      const refusal = refusalOf(reason)
      return refusal === null ? "" : `: ${refusal}`
    }
  }
}

const FOR_THE_PERSON: ReadonlySet<string> = new Set([
  ...HELD.keys(),
  ...REFUSED.keys(),
  "no_address",
  "preference_channel",
  "preference_category",
  "preference_severity",
  "stop",
  "bounced",
  "complained",
  "gone",
  "superseded",
  "cooldown",
  "throttled",
  "expired",
  "expires_in",
  "shadow",
  "acknowledged",
])

/** A delivery's reason, where it is one that its reader can make something of; null: an operator's matter. */
export const personalReason = (reason: string | null): string | null =>
  reason !== null && FOR_THE_PERSON.has(reason) ? reason : null

function joined(words: readonly string[]): string {
  const last = words.at(-1) ?? ""
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`
}

/** `07:00 in Europe/Berlin`; with its day where that is not today. */
function moment(at: Date, { zone, now }: Pick<WhyParts, "zone" | "now">): string {
  const timeZone = zone ?? "UTC"
  const day = new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "long", day: "numeric", month: "long" })
  const time = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
  const when = day.format(at) === day.format(now) ? time.format(at) : `${time.format(at)} on ${day.format(at)}`
  return zone === null ? `${when} UTC` : `${when} in ${zone}`
}
