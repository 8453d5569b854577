/** One entry of a YAML file under `rules/`, checked and compiled: when → whom → how. */
import type { Channel } from "./channel.ts"
import type { RuleName } from "./ids.ts"
import type { Json } from "./json.ts"

/** A recipient id, or an expression that gives one or a list of them. */
export type UserExpression = Json

export interface Audience {
  readonly roles: readonly string[]
  readonly users: readonly UserExpression[]
  readonly everyone: boolean
}

export type Priority = "low" | "normal" | "high"

export interface NotifyAction {
  readonly type: "notify"
  readonly to: Audience
  readonly channels: readonly Channel[]
  /** Name of the folder under `templates/`. */
  readonly template: string
  readonly priority: Priority
  readonly bypassQuietHours: boolean
  readonly category: string | null
  /** Eta strings; null: the template's own. */
  readonly actionUrl: string | null
  readonly actionLabel: string | null
  readonly data: { readonly [key: string]: string } | null
}

export type Action = NotifyAction

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
