/**
 * What the statements of `store/` do to one delivery, in memory and without time: a model to hold PostgreSQL against, and,
 * where it agrees, its stand-in for tests of more orders of events than a database could be asked for.
 */
import type { Outcome } from "../domain/delivery.ts"
import { DEFAULT_RETRY, type DeliveryStatus, type RetryPolicy, type Settlement, settle } from "../domain/delivery.ts"
import { DEAD_LETTERS, WAITING } from "../domain/delivery-states.ts"

export interface Row {
  readonly status: DeliveryStatus
  readonly owner: string | null
  readonly attempt: number
  readonly forgiven: number
  readonly maybeDuplicate: boolean
  /** The timer of the next channel was set. */
  readonly failedOver: boolean
  /** `<number> <outcome>` of each try that was written down. */
  readonly log: readonly string[]
  /** Its lease has run out. */
  readonly lapsed: boolean
  /** Its rule allows nothing to be sent any more. */
  readonly over: boolean
  readonly failover: boolean
  readonly holdUnknown: boolean
}

/** As routing stores it: waiting, or held by `owner` from the beginning. */
export const newRow = (how: Pick<Row, "failover" | "holdUnknown">, owner: string | null = null): Row => ({
  status: owner === null ? "queued" : "sending",
  owner,
  attempt: owner === null ? 0 : 1,
  forgiven: 0,
  maybeDuplicate: false,
  failedOver: false,
  log: [],
  lapsed: false,
  over: false,
  ...how,
})

/** What a claim gave out: whoever names it may have lost it since. */
export interface Holding {
  readonly owner: string
  readonly attempt: number
  readonly tries: number
}

export type Command =
  | { readonly do: "claim"; readonly owner: string }
  | { readonly do: "settle"; readonly of: Holding; readonly outcome: Outcome }
  | { readonly do: "renew"; readonly of: Holding }
  /** Its people wish it later or never, or are gone. */
  | { readonly do: "withhold"; readonly of: Holding; readonly wished: "later" | "never" | "gone" }
  | { readonly do: "putOff" | "release"; readonly of: Holding }
  /** The lease runs out; the rule's time runs out. */
  | { readonly do: "lapse" | "over" }
  | { readonly do: "rescue" | "replay" | "cancel" | "stop" }

export const policyFor = ({ holdUnknown }: Pick<Row, "holdUnknown">): RetryPolicy =>
  holdUnknown ? { ...DEFAULT_RETRY, onUnknown: "hold" } : DEFAULT_RETRY

/** What `settle` makes of it, with the same dice on both sides. */
export const settlementOf = (row: Pick<Row, "holdUnknown">, of: Holding, outcome: Outcome): Settlement =>
  settle({ attempt: of.tries, ageMs: 0 }, outcome, policyFor(row), 0.5)

const among = (list: readonly DeliveryStatus[], status: DeliveryStatus): boolean => list.includes(status)
const holds = (row: Row, of: Holding): boolean =>
  row.status === "sending" && row.owner === of.owner && row.attempt === of.attempt

const free = { owner: null, lapsed: false } as const
/** Definitely not sent: the next channel is due, once. */
const ended = (row: Row): Row => ({
  ...row,
  failedOver:
    row.failedOver || (row.failover && !row.maybeDuplicate && among(["dead", "suppressed", "expired"], row.status)),
})

/** Whether the command was obeyed, and the row after it. A claim of what is over ends it, and gives out nothing. */
export function obey(row: Row, command: Command): { readonly row: Row; readonly done: boolean } {
  const no = { row, done: false }
  switch (command.do) {
    case "claim":
      if (!among(WAITING, row.status)) return no
      if (row.over) return { row: ended({ ...row, ...free, status: "expired" }), done: false }
      return { row: { ...row, ...free, status: "sending", owner: command.owner, attempt: row.attempt + 1 }, done: true }
    case "settle":
      return holds(row, command.of) ? { row: settled(row, command.of, command.outcome), done: true } : no
    case "renew":
      return holds(row, command.of) ? { row: { ...row, lapsed: false }, done: true } : no
    case "withhold": {
      if (!holds(row, command.of)) return no
      const later = row.over ? "expired" : "scheduled"
      const status = ({ later, never: "suppressed", gone: "cancelled" } as const)[command.wished]
      return { row: ended({ ...row, ...free, status, forgiven: row.forgiven + 1 }), done: true }
    }
    case "putOff":
      return holds(row, command.of)
        ? { row: { ...row, ...free, status: "scheduled", forgiven: row.forgiven + 1 }, done: true }
        : no
    case "release": {
      if (!holds(row, command.of)) return no
      const status = row.attempt > row.forgiven + 1 ? "retrying" : "queued"
      return { row: { ...row, ...free, status, forgiven: row.forgiven + 1 }, done: true }
    }
    case "lapse":
      return row.status === "sending" ? { row: { ...row, lapsed: true }, done: true } : no
    case "over":
      return { row: { ...row, over: true }, done: true }
    case "rescue":
      return row.status === "sending" && row.lapsed ? { row: rescued(row), done: true } : no
    case "replay":
      if (!among(DEAD_LETTERS, row.status) || row.over) return no
      return {
        row: {
          ...row,
          status: "queued",
          forgiven: row.attempt,
          maybeDuplicate: row.maybeDuplicate || row.status === "unknown",
        },
        done: true,
      }
    case "cancel":
      // What a channel has in its hands is not called back, and not tried again either.
      if (row.status === "sending") return { row: { ...row, over: true }, done: false }
      return among(WAITING, row.status) ? { row: { ...row, ...free, status: "cancelled" }, done: true } : no
    case "stop":
      return among(WAITING, row.status) ? { row: ended({ ...row, ...free, status: "suppressed" }), done: true } : no
  }
}

function settled(row: Row, of: Holding, outcome: Outcome): Row {
  const settlement = settlementOf(row, of, outcome)
  const again = "delayMs" in settlement
  const costsNoTry = settlement.status === "queued" || (again && settlement.because === "throttled")
  return ended({
    ...row,
    ...free,
    status: again && row.over ? "expired" : settlement.status,
    forgiven: row.forgiven + (costsNoTry ? 1 : 0),
    maybeDuplicate: row.maybeDuplicate || outcome.kind === "unknown",
    log: [...row.log, `${of.attempt} ${outcome.kind}`],
  })
}

function rescued(row: Row): Row {
  const spent = row.attempt - row.forgiven >= DEFAULT_RETRY.maxAttempts
  const status = row.holdUnknown ? "unknown" : spent ? "dead" : row.over ? "expired" : "retrying"
  return { ...row, ...free, status, maybeDuplicate: true, log: [...row.log, `${row.attempt} lost`] }
}
