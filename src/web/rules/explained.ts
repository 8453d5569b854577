/** What `POST /v1/rules/explain` answers, read with care. */
import { A_READER, type Captured, readMessage } from "../outbox/captured.ts"
import { each, fields, text, textOrNull } from "../shared/fields.ts"
import { laterWords, type Said } from "./action-words.ts"

/** `unknown`: it cannot be computed for this event. */
export type Value = "true" | "false" | "unknown"

export interface Clause {
  readonly text: string
  readonly value: Value
  readonly decides: boolean
  readonly operands: readonly { readonly text: string; readonly value: string }[]
  readonly children: readonly Clause[]
}

export interface Fate {
  readonly channel: string
  readonly status: string
  readonly reason: string | null
  readonly until: string | null
}

export interface Told {
  readonly recipient: string
  readonly inbox: boolean
  readonly reason: string | null
  readonly at: string
  readonly channels: readonly Fate[]
}

/** In the inbox there is no frame but the hub's own. */
export interface InboxWords {
  readonly title: string
  readonly body: string
  readonly actionUrl: string | null
  readonly actionLabel: string | null
}

export interface Rendered {
  readonly action: number
  readonly channel: string
  readonly inbox: InboxWords | null
  readonly message: Captured["message"]
  /** Why it cannot be written for this event. */
  readonly problem: string | null
}

export interface Later {
  readonly kind: string
  /** Null: when what came before cannot be sent. */
  readonly dueAt: string | null
  /** `by SMS and by a call, to the role manager` */
  readonly how: Said
  readonly until: string | null
}

export interface Explained {
  readonly rule: string
  readonly at: string
  readonly verdict: "matched" | "not_matched" | "failed"
  readonly reason: string
  /** What beside the condition decided what follows. */
  readonly notes: readonly string[]
  readonly clauses: Clause | null
  readonly people: number
  readonly told: readonly Told[]
  readonly rendered: readonly Rendered[]
  readonly systems: readonly Fate[]
  readonly later: readonly Later[]
  readonly failures: readonly string[]
  readonly whyNot: string | null
}

export interface Explanation {
  readonly type: string
  readonly revision: string
  readonly rules: readonly Explained[]
}

/** Null for what is no explanation. */
export function readExplanation(body: unknown): Explanation | null {
  const of = fields(body)
  if (of === null || !Array.isArray(of["rules"])) return null
  return {
    type: text(fields(of["event"])?.["type"]),
    revision: text(of["rules_revision"]),
    rules: each(of["rules"], readRule),
  }
}

function readRule(value: unknown): Explained | null {
  const of = fields(value)
  if (of === null) return null
  const audience = fields(of["audience"])
  const clauses = readClause(of["clauses"])
  const failures = each(of["failures"], textOrNull)
  const matched = of["matched"] === true
  const told = each(audience?.["told"], readTold)
  const people = audience?.["people"]
  return {
    rule: text(of["rule"]),
    at: text(of["at"]),
    verdict: matched ? "matched" : failures.length > 0 ? "failed" : "not_matched",
    reason: text(of["reason"]),
    notes: each(of["notes"], textOrNull),
    clauses,
    people: typeof people === "number" ? people : told.length,
    told,
    rendered: each(of["messages"], readRendered),
    systems: each(of["systems"], readFate),
    later: each(of["later"], (one) => {
      const timer = fields(one)
      if (timer === null) return null
      const { kind, due_at: dueAt, until } = timer
      return { kind: text(kind), dueAt: textOrNull(dueAt), how: laterWords(timer), until: textOrNull(until) }
    }),
    failures,
    whyNot: textOrNull(of["why_not"]),
  }
}

function readClause(value: unknown): Clause | null {
  const of = fields(value)
  if (of === null) return null
  return {
    text: text(of["text"]),
    value: of["holds"] === true ? "true" : of["holds"] === false ? "false" : "unknown",
    decides: of["decides"] === true,
    operands: each(of["operands"], (one) => {
      const operand = fields(one)
      return operand === null ? null : { text: text(operand["text"]), value: text(operand["value"]) }
    }),
    children: each(of["children"], readClause),
  }
}

function readTold(value: unknown): Told | null {
  const of = fields(value)
  if (of === null) return null
  return {
    recipient: text(of["recipient"]),
    inbox: of["inbox"] === true,
    reason: textOrNull(of["reason"]),
    at: text(of["at"]),
    channels: each(of["channels"], readFate),
  }
}

function readFate(value: unknown): Fate | null {
  const of = fields(value)
  if (of === null) return null
  return {
    channel: text(of["channel"]),
    status: text(of["status"]),
    reason: textOrNull(of["reason"]),
    until: textOrNull(of["until"]),
  }
}

function readRendered(value: unknown): Rendered | null {
  const of = fields(value)
  if (of === null) return null
  const channel = text(of["channel"])
  const words = fields(of["message"])
  const action = of["action"]
  const inbox =
    words === null || channel !== "inapp"
      ? null
      : {
          title: text(words["title"]),
          body: text(words["body"]),
          actionUrl: textOrNull(words["action_url"]),
          actionLabel: textOrNull(words["action_label"]),
        }
  return {
    action: typeof action === "number" ? action : 0,
    channel,
    inbox,
    message: words === null ? null : readMessage(channel, { ...words, to: A_READER }),
    problem: textOrNull(of["problem"]),
  }
}
