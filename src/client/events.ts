/** Events: publishing them, reading them, and what followed from them. */

import { type ItemResult, inBatches } from "./batches.ts"
import type { DeliveryStatus } from "./deliveries.ts"
import { HubUnexpectedAnswer } from "./errors.ts"
import { newKey } from "./idempotency-key.ts"
import { isObject, type JsonObject } from "./json.ts"
import { Listing } from "./listing.ts"
import { type CallOptions, path, type Send } from "./transport.ts"

/** In rising order, with the same rank for `info` and `low`, `medium` and `warning`, `high` and `error`. */
export type Severity = "info" | "low" | "medium" | "warning" | "high" | "error" | "critical"

/** Something that happened and that people may have to be told of. */
export interface Event {
  /** Such as `invoice.overdue`: what rules listen to. */
  readonly type: string
  /** The system that tells of it. */
  readonly source: string
  /** The same key, business and source with the same content is a duplicate; with other content it is refused. */
  readonly idempotency_key?: string | number | null | undefined
  /** Default: `info`. */
  readonly severity?: Severity | undefined
  /** A string is RFC 3339. Default: now. */
  readonly occurred_at?: string | Date | undefined
  /** Default: the key's only business, else `default`. */
  readonly business_id?: string | number | undefined
  readonly location_id?: string | number | null | undefined
  readonly correlation_id?: string | number | null | undefined
  /** A JSON object of at most 256 KiB, 32 deep. Default: empty. */
  readonly payload?: object | undefined
}

/** Stored either way: `duplicate` names the event that was there already. */
export interface AcceptedEvent {
  readonly id: string
  readonly status: "accepted" | "duplicate"
}

/** What became of one event of a batch. */
export type EventResult = ItemResult<"accepted" | "duplicate">

export interface StoredEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly severity: Severity
  readonly business_id: string
  readonly location_id: string | null
  readonly occurred_at: string
  readonly accepted_at: string
  readonly correlation_id: string | null
  readonly idempotency_key: string | null
  readonly payload: JsonObject
  /** What a CloudEvent held besides. */
  readonly extensions?: JsonObject
}

export interface EventFilter {
  /** Exactly this type. */
  readonly type?: string | undefined
  readonly source?: string | undefined
  readonly business_id?: string | undefined
  /** Accepted at or after. */
  readonly since?: string | Date | undefined
  /** Accepted before. */
  readonly until?: string | Date | undefined
  /** Events a page, 1 to 200. Default: 50. */
  readonly limit?: number | undefined
}

/** What followed from an event, with reasons. */
export interface Trace {
  readonly event: JsonObject
  /** `waiting`: not routed yet. `failed`: some of it could not be carried out; its rule says what. */
  readonly status: "waiting" | "routed" | "failed"
  readonly rules_revision: string | null
  readonly rules: readonly TracedRule[]
  /** What could not be carried out. */
  readonly failures: readonly { readonly rule: string | null; readonly reason: string }[]
  readonly notifications: readonly TracedNotification[]
  /** What went to systems: no person has it. */
  readonly systems: readonly (TracedDelivery & { readonly rule: string })[]
  /** What was to happen later, and what became of it. */
  readonly timers: readonly TracedTimer[]
  /** The digests that the event went into. */
  readonly digests: readonly TracedDigest[]
  /** Not all are listed: `hub.deliveries.list({ event_id })` reads them. */
  /** More than the thousand that are listed. */
  readonly has_more_notifications: boolean
  readonly has_more_deliveries: boolean
}

export interface TracedRule {
  readonly rule: string | null
  readonly matched: boolean
  readonly failed?: boolean
  readonly reason: string
  /** The deciding clause with its operands. */
  readonly clause: string | null
}

export interface TracedNotification {
  readonly id: string
  readonly recipient: string
  readonly rule: string
  readonly rules_revision: string
  /** Whether it stands in the inbox. */
  readonly inbox: boolean
  /** Why it tells less than its rule says, or how it came about. */
  readonly reason: string | null
  readonly deliveries: readonly TracedDelivery[]
}

export interface TracedDelivery {
  readonly id: string
  readonly channel: string
  readonly status: DeliveryStatus
  readonly reason: string | null
  readonly maybe_duplicate: boolean
  /** Which telling it belongs to; null: the first. */
  readonly round: string | null
  readonly next_attempt_at: string | null
}

export interface TracedTimer {
  readonly id: string
  readonly kind: "delay" | "digest" | "escalate" | "failover"
  readonly rule: string
  readonly rules_revision: string
  /** The action's place in its rule, from 0. */
  readonly action: number
  readonly step: number
  readonly due_at: string
  readonly done_at: string | null
  /** Null while it waits. */
  readonly outcome: string | null
  /** What of it could not be carried out. */
  readonly failures: readonly string[]
}

export interface TracedDigest extends TracedTimer {
  /** The event whose id the notifications have. */
  readonly opened_by: string
  readonly events: number
  readonly notifications: readonly { readonly id: string; readonly recipient: string; readonly reason: string | null }[]
}

/** Totals over what the hub keeps. */
export interface EventStats {
  readonly events: {
    readonly total: number
    readonly unrouted: number
    readonly failed: number
    readonly by_type: Readonly<Record<string, number>>
    readonly by_business: Readonly<Record<string, number>>
  }
  readonly notifications: {
    readonly total: number
    readonly inbox: number
    readonly unread: number
    readonly by_rule: Readonly<Record<string, number>>
  }
  readonly deliveries: { readonly by_channel: Readonly<Record<string, Readonly<Record<string, number>>>> }
  readonly decisions: { readonly unexplained: number }
}

export interface PublishOptions extends CallOptions {
  /** Names what happened, so that telling of it again is no second event. Default: one that only this call knows. */
  readonly idempotencyKey?: string | undefined
}

/** `hub.events`. */
export class Events {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  /**
   * Publishes one event. When this resolves, the event is stored: for the first time (`accepted`) or already
   * (`duplicate`). Every try carries the same key, so one call makes at most one event. Rejects with a `HubError`, whose
   * `idempotencyKey` is the key to go on with, where whether the event was stored is not known.
   */
  async publish(event: Event, options: PublishOptions = {}): Promise<AcceptedEvent> {
    const key = agreed(event.idempotency_key, options.idempotencyKey) ?? newKey()
    const body = JSON.stringify({ ...event, idempotency_key: key })
    const answer = await this.#send<unknown>({ method: "POST", path: "/v1/events", body, idempotencyKey: key, options })
    return accepted(answer, key)
  }

  /**
   * Publishes many, in requests of at most 1,000 events and 8 MiB, one after the other; the results are in the order of
   * the events, each with its own `accepted`, `duplicate` or `invalid`. Events without a key get `<key>:<place>`, where
   * `key` is the option or one that is made for this call. Rejects where a request fails: call again with the same list
   * and the error's `idempotencyKey`, and what was stored meanwhile answers `duplicate`.
   */
  publishBatch(events: readonly Event[], options: PublishOptions = {}): Promise<readonly EventResult[]> {
    const key = options.idempotencyKey ?? newKey()
    const keyed = events.map((event, index) => ({
      ...event,
      idempotency_key: event.idempotency_key ?? `${key}:${index}`,
    }))
    return inBatches(keyed, ["accepted", "duplicate"], key, ({ body }) =>
      this.#send({ method: "POST", path: "/v1/events/batch", body, idempotencyKey: key, options }),
    )
  }

  /** One event. Rejects with `HubProblem` `not_found` where this key sees none of that id. */
  async get(id: string, options?: CallOptions): Promise<StoredEvent> {
    return this.#send({ method: "GET", path: path`/v1/events/${id}`, options })
  }

  /** Events, newest first. */
  list(filter: EventFilter = {}, options?: CallOptions): Listing<StoredEvent> {
    return new Listing((after) =>
      this.#send({ method: "GET", path: "/v1/events", query: { ...filter, after }, options }),
    )
  }

  /** Everything that followed from an event: which rules matched and why, who was told, on which channel. */
  async trace(id: string, options?: CallOptions): Promise<Trace> {
    return this.#send({ method: "GET", path: path`/v1/events/${id}/trace`, options })
  }

  /** Totals, of one business where it is named. */
  async stats(filter: { readonly business_id?: string } = {}, options?: CallOptions): Promise<EventStats> {
    return this.#send({ method: "GET", path: "/v1/events/stats/summary", query: { ...filter }, options })
  }
}

/** The key, where event and options name one. Throws TypeError where they name two. */
function agreed(field: Event["idempotency_key"], option: string | undefined): string | undefined {
  const own = field === null || field === undefined ? undefined : String(field)
  if (own !== undefined && option !== undefined && own !== option)
    throw new TypeError("the event's idempotency_key and the option idempotencyKey differ")
  return own ?? option
}

/** A promise of durability is read, not assumed. */
export function accepted(answer: unknown, key: string): AcceptedEvent {
  if (isObject(answer)) {
    const { id, status } = answer
    if (typeof id === "string" && (status === "accepted" || status === "duplicate")) return { id, status }
  }
  throw new HubUnexpectedAnswer("the answer does not say that the event was taken", { tries: 1, idempotencyKey: key })
}
