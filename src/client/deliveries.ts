/** Deliveries: what left for which channel, what did not, and why. */
import { Listing } from "./listing.ts"
import { type CallOptions, path, type Send } from "./transport.ts"

/** `delivered`: the provider accepted it. What it reports later is the `receipt`. */
export type DeliveryStatus =
  | "scheduled"
  | "queued"
  | "sending"
  | "delivered"
  | "retrying"
  | "dead"
  | "unknown"
  | "suppressed"
  | "expired"
  | "captured"
  | "cancelled"

/** One message to one address on one channel. */
export interface Delivery {
  readonly id: string
  readonly event_id: string
  readonly notification_ids: readonly string[]
  readonly rule: string
  readonly rules_revision: string
  readonly channel: string
  readonly status: DeliveryStatus
  readonly reason: string | null
  readonly receipt: string | null
  readonly maybe_duplicate: boolean
  readonly next_attempt_at: string | null
  /** Whether it is tried again, and why or why not. */
  readonly next: DeliveryNext
  readonly created_at: string
  /** When it ended; null while it is open. */
  readonly settled_at: string | null
  /** Nothing is sent from then on. */
  readonly expires_at: string | null
  /** When it was last sent again from the dead letters. */
  readonly replayed_at: string | null
  /** Every try, oldest first. */
  readonly attempts: readonly Attempt[]
}

/** What is to come, as a code and as a sentence for a person. */
export interface DeliveryNext {
  readonly again: boolean
  readonly code: string
  readonly sentence: string
  /** Null: at once, or never. */
  readonly at: string | null
}

/** One try. */
export interface Attempt {
  readonly number: number
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly outcome: string
  readonly reason: string | null
  readonly detail: string | null
  readonly provider_message_id: string | null
  /** What followed from it; null: an older hub wrote it down. */
  readonly next: DeliveryNext | null
}

export interface DeliveryFilter {
  readonly status?: DeliveryStatus | undefined
  readonly channel?: string | undefined
  readonly notification_id?: string | undefined
  readonly event_id?: string | undefined
  /** Deliveries a page, 1 to 200. Default: 50. */
  readonly limit?: number | undefined
}

/** `hub.deliveries`. */
export class Deliveries {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  /** One delivery with each attempt. Rejects with `HubProblem` `not_found` where this key sees none of that id. */
  async get(id: string, options?: CallOptions): Promise<Delivery> {
    return this.#send({ method: "GET", path: path`/v1/deliveries/${id}`, options })
  }

  /** Deliveries, newest first. */
  list(filter: DeliveryFilter = {}, options?: CallOptions): Listing<Delivery> {
    return new Listing((after) =>
      this.#send({ method: "GET", path: "/v1/deliveries", query: { ...filter, after }, options }),
    )
  }
}
