/** One entry of a YAML file under `rules/`, checked and compiled: when → whom → how. */
import type { Channel, PersonalChannel } from "./channel.ts"
import type { RuleName } from "./ids.ts"
import type { Json } from "./json.ts"

/** A recipient id, or an expression that gives one or a list of them. */
export type UserExpression = Json

/** What makes two things the same: an expression over the event, or null where the rule does not say. */
export type KeyExpression = Json

export interface Audience {
  readonly roles: readonly string[]
  readonly users: readonly UserExpression[]
  readonly lists: readonly string[]
  readonly everyone: boolean
}

export type Priority = "low" | "normal" | "high"

/** At most `limit` times for one person and key in any `windowMs`. A cooldown is a limit of 1. */
export interface Limit {
  readonly word: "cooldown" | "throttle"
  readonly key: KeyExpression | null
  readonly limit: number
  readonly windowMs: number
}

/** Events of one key within `windowMs` of the first, or the first `max` of them, are told in one message. */
export interface Digest {
  readonly key: KeyExpression | null
  readonly windowMs: number
  readonly max: number
}

/** Told `afterMs` after the first message, unless somebody reacted. `to` null: whom the action names. */
export interface EscalationStep {
  readonly afterMs: number
  readonly channels: readonly Channel[]
  readonly to: Audience | null
}

/** Not told while an event of one of these types, with equal values, came at most `withinMs` before. */
export interface Inhibition {
  /** Patterns, as a rule's `event_type`. */
  readonly eventTypes: readonly string[]
  /** Paths within the facts: `payload.x`, `event.location_id`. */
  readonly equal: readonly string[]
  readonly withinMs: number
}

/** What every kind of action can say. */
interface AnyAction {
  /** `shadow`: decided and recorded, never sent. */
  readonly mode: "live" | "shadow"
  readonly inhibitedBy: Inhibition | null
}

export interface NotifyAction extends AnyAction {
  readonly type: "notify"
  readonly to: Audience
  readonly channels: readonly Channel[]
  /** Name of the folder under `templates/`. */
  readonly template: string
  readonly priority: Priority
  readonly bypassQuietHours: boolean
  readonly category: string | null
  /** Solicits: quiet hours and the hours of the law hold, whatever else the rule says. */
  readonly commercial: boolean
  /** All must let a message through. Asked when it would be told: after `delay` and `digest`. */
  readonly limits: readonly Limit[]
  readonly delayMs: number | null
  readonly digest: Digest | null
  readonly escalate: readonly EscalationStep[]
  readonly until: "acknowledged" | "read"
  /** Tried one after the other, the next only when all before were definitely not sent. */
  readonly failover: readonly PersonalChannel[]
  /** Counted from the event's acceptance. */
  readonly expiresInMs: number | null
  readonly onUnknown: "retry" | "hold"
  /** Later news of the same key takes the earlier's place. */
  readonly update: KeyExpression | null
  /** Eta strings; null: the template's own. */
  readonly actionUrl: string | null
  readonly actionLabel: string | null
  readonly data: { readonly [key: string]: string } | null
}

/** A signed POST to a system. */
export interface WebhookAction extends AnyAction {
  readonly type: "webhook"
  readonly url: string
  /** `whsec_…`, or the name of one in `HUB_WEBHOOK_SECRETS`; null: not signed. */
  readonly secret: string | null
}

/** A message to the sockets that have joined a topic of the event's business. Seen by who is there, kept for nobody. */
export interface BroadcastAction extends AnyAction {
  readonly type: "broadcast"
  /** An Eta string. */
  readonly topic: string
  readonly event: string
}

export type Action = NotifyAction | WebhookAction | BroadcastAction

export interface Rule {
  readonly name: RuleName
  /** Patterns: `invoice.overdue`, `invoice.*` (one part), `**` (any). */
  readonly eventTypes: readonly string[]
  readonly source: string | null
  /** JSONLogic over `event.*` and `payload.*`; null matches always. */
  readonly condition: Json | null
  readonly actions: readonly Action[]
  /** `rules/invoicing.yaml:12:5`. */
  readonly at: string
}
