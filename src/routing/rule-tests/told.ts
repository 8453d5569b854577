/**
 * What a world has told, as a person would say it: one telling is what one rule told one person at one moment, on which
 * channels, and what became of it. What became of it differently on another channel is another telling.
 */
import type { Channel } from "../../domain/channel.ts"
import type { RoutingFailure } from "../../domain/decision.ts"
import type { Fired } from "../../domain/firing.ts"
import type { EventId } from "../../domain/ids.ts"
import type { Message } from "../../domain/message.ts"
import type { Plan } from "../../domain/plan.ts"
import type { RuleSet } from "../rule-set.ts"
import type { World } from "../world/world.ts"
import type { WorldDelivery, WorldNotification } from "../world/world-matter.ts"

/** `replaced`: later news of the same key took its place in the inbox. `failed`: the rule could not be carried out. */
export const TELLING_STATUSES = [
  "delivered",
  "scheduled",
  "suppressed",
  "expired",
  "cancelled",
  "dead",
  "unknown",
  "replaced",
  "failed",
] as const
export type TellingStatus = (typeof TELLING_STATUSES)[number]

export type ToldOn = Channel | "webhook" | "broadcast"

export interface Telling {
  /** The same telling later, unless something became of it. */
  readonly key: string
  readonly event: EventId
  readonly rule: string | null
  /** Null: a system, or a socket's topic. */
  readonly to: string | null
  readonly channels: readonly ToldOn[]
  readonly title: string | null
  readonly subject: string | null
  readonly bodies: readonly string[]
  readonly status: TellingStatus
  readonly reason: string | null
  /** When it was told, is to be, or it was clear that it would not be. Milliseconds since the Unix epoch. */
  readonly at: number
}

/** What is seen of one channel. */
type Piece = Omit<Telling, "channels" | "bodies"> & { readonly channel: ToldOn; readonly body: string | null }

/** What a world does not keep of what it did. */
export interface Seen {
  readonly plans: readonly Plan[]
  readonly fired: readonly Fired[]
}

/** All that a world has told so far, by time. */
export function tellingsOf(world: World, { plans, fired }: Seen, ruleSet: RuleSet): readonly Telling[] {
  const { notifications, deliveries } = world
  const byId = new Map(notifications.map((held) => [held.notification.id, held]))
  const inapp = new Set(
    ruleSet.rules.filter(({ actions }) => actions.some(isForInbox)).map(({ name }) => name as string), // looked up by text
  )
  const pieces = [
    ...notifications.flatMap((held) => inboxPiece(held, inapp)),
    ...deliveries.flatMap((held) => deliveryPieces(held, byId)),
    ...plans.flatMap(broadcastPieces),
  ]
  const tellings = [
    ...[...Map.groupBy(pieces, ({ key }) => key).values()].map(together),
    ...plans.flatMap(({ event, failures }) => failed(event.id, event.acceptedAt, failures)),
    ...fired.flatMap(({ timer, failures }) => failed(timer.event, timer.dueAt, failures)),
  ]
  return tellings.sort((a, b) => a.at - b.at)
}

const isForInbox = (action: RuleSet["rules"][number]["actions"][number]): boolean =>
  action.type === "notify" && [action, ...action.escalate].some(({ channels }) => channels.includes("inapp"))

function inboxPiece(held: WorldNotification, inapp: ReadonlySet<string>): readonly Piece[] {
  const { notification, at, replaced } = held
  const { rule, recipient, inbox, reason, content, event } = notification
  if (!inbox && (reason === null || reason === "digest" || !inapp.has(rule))) return []
  const status = inbox ? (replaced ? "replaced" : "delivered") : reason === "expired" ? "expired" : "suppressed"
  const about = {
    event,
    rule,
    to: recipient,
    status,
    reason: reason === "expired" ? "expires_in" : reason,
    at,
  } as const
  const words = { title: content.title, subject: null, channel: "inapp", body: content.body } as const
  return [{ ...about, ...words, key: keyOf(notification.id, about) }]
}

function deliveryPieces(held: WorldDelivery, byId: ReadonlyMap<string, WorldNotification>): readonly Piece[] {
  const { delivery, reason, settledAt } = held
  const { start, channel, rule, event } = delivery
  const status = TELLING_STATUSES.find((each) => each === held.status)
  if (status === undefined) {
    throw new Error(`a delivery that stays ${held.status} in a world that waits for nothing`)
  }
  const at = settledAt ?? (start.status === "scheduled" ? start.at : held.at)
  const message = "message" in start ? start.message : null
  const words = {
    subject: message?.channel === "email" ? message.subject : null,
    channel,
    body: message === null ? null : textOf(message),
  }
  if (channel === "webhook") {
    const about = { event, rule, to: null, status, reason, at }
    return [{ ...about, ...words, title: null, key: keyOf(delivery.id, about) }]
  }
  return delivery.notifications.flatMap((id): readonly Piece[] => {
    const notification = byId.get(id)?.notification
    if (notification === undefined) return []
    const came = status === "delivered" ? notification.reason : null
    const about = { event, rule, to: notification.recipient, status, reason: reason ?? came, at }
    return [{ ...about, ...words, title: notification.content.title, key: keyOf(id, about) }]
  })
}

const textOf = (message: Message): string => {
  switch (message.channel) {
    case "email":
    case "sms":
    case "voice":
    case "push":
    case "slack":
      return message.text
    case "telegram":
      return message.html
    case "webhook":
      return message.body
  }
}

/** Of whatever is said of somebody, nothing is known. */
const NOBODY = { to: null, title: null, subject: null } as const

const failed = (event: EventId, at: number, failures: readonly RoutingFailure[]): readonly Telling[] =>
  failures.map(({ rule, reason }) => ({
    ...NOBODY,
    key: JSON.stringify([event, at, rule, reason]),
    event,
    rule,
    channels: [],
    bodies: [],
    status: "failed",
    reason,
    at,
  }))

function broadcastPieces({ event, broadcasts }: Plan): readonly Piece[] {
  return broadcasts.map(({ rule, stream, event: name, payload }, place) => ({
    ...NOBODY,
    event: event.id,
    at: event.acceptedAt,
    channel: "broadcast",
    rule,
    status: "delivered",
    reason: null,
    body: `${stream} ${name} ${JSON.stringify(payload)}`,
    key: `${event.id}\nbroadcast\n${place}`,
  }))
}

const keyOf = (id: string, { status, reason, at }: Pick<Telling, "status" | "reason" | "at">): string =>
  JSON.stringify([id, status, reason, at])

function together(pieces: readonly Piece[]): Telling {
  const [first] = pieces
  if (first === undefined) throw new Error("a telling of nothing")
  const { channel: _, body: __, ...same } = first
  return {
    ...same,
    title: pieces.find(({ title }) => title !== null)?.title ?? null,
    subject: pieces.find(({ subject }) => subject !== null)?.subject ?? null,
    channels: [...new Set(pieces.map(({ channel }) => channel))],
    bodies: pieces.flatMap(({ body }) => (body === null ? [] : [body])),
  }
}
