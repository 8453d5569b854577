/**
 * The states of a delivery and what may move it from one to another (contract §9). The table is here once: the statements
 * of `store/` each name the states that they expect, and a test holds every move that PostgreSQL makes against it.
 */
import type { DeliveryStatus } from "./delivery.ts"

/** Nobody holds it, and it is to be sent. */
export const WAITING = ["scheduled", "queued", "retrying"] as const satisfies readonly DeliveryStatus[]
/** It ended without having been sent for certain, and a person may have it sent again. */
export const DEAD_LETTERS = ["dead", "unknown"] as const satisfies readonly DeliveryStatus[]

interface Move {
  readonly from: readonly DeliveryStatus[]
  readonly to: readonly DeliveryStatus[]
  /** Asks for the attempt and the owner too: whoever has lost the lease moves nothing. */
  readonly fenced: boolean
}

/** Each kind of move. What is not here does not happen: nothing leaves `delivered`, `captured` or `cancelled`. */
export const MOVES = {
  /** A dispatcher takes it under a lease, and counts the attempt. */
  claim: { from: WAITING, to: ["sending"], fenced: false },
  /** The claim finds its time over. */
  expire: { from: WAITING, to: ["expired"], fenced: false },
  /** Somebody has reacted to what it tells. */
  cancel: { from: WAITING, to: ["cancelled"], fenced: false },
  /** Its reader has said STOP. */
  stop: { from: WAITING, to: ["suppressed"], fenced: false },
  /** What became of a try. */
  settle: {
    from: ["sending"],
    to: ["delivered", "captured", "retrying", "queued", "dead", "unknown", "expired"],
    fenced: true,
  },
  /** Right before the try: its people do not wish it, now or at all, or are gone. */
  withhold: { from: ["sending"], to: ["scheduled", "suppressed", "cancelled", "expired"], fenced: true },
  /** Right before the try: a limit does not let it out yet. */
  putOff: { from: ["sending"], to: ["scheduled"], fenced: true },
  /** Its holder stops before the try. */
  release: { from: ["sending"], to: ["queued", "retrying"], fenced: true },
  /** Its holder's lease ran out, which the update itself asks. */
  rescue: { from: ["sending"], to: ["retrying", "dead", "unknown", "expired"], fenced: false },
  /** An operator sends it again. */
  replay: { from: DEAD_LETTERS, to: ["queued", "scheduled"], fenced: false },
} as const satisfies Readonly<Record<string, Move>>
export type MoveName = keyof typeof MOVES

/** Which kinds of move lead from one state to another; none: it is illegal. */
export const movesBetween = (from: DeliveryStatus, to: DeliveryStatus): readonly MoveName[] =>
  Object.entries<Move>(MOVES).flatMap(([name, move]) =>
    move.from.includes(from) && move.to.includes(to) ? [name as MoveName] : [],
  ) // the table's own keys
