/** Which digest an event goes into. Pure but for the id of a digest that it opens. */
import type { DigestState, GateState } from "../domain/gates.ts"
import type { TimerId } from "../domain/ids.ts"
import type { Digest } from "../domain/rule.ts"

export interface GatheredIn {
  readonly timer: TimerId
  /** The event is the digest's first. */
  readonly opened: boolean
  /** Events in it, this one included. */
  readonly count: number
  /** When it is told: now, where the event fills it. Milliseconds since the Unix epoch. */
  readonly dueAt: number
  readonly full: boolean
  /** Null: it takes no more. */
  readonly state: DigestState | null
}

/** The open digest, or one that this event opens: where none is, where it is due, and after a full one. */
export function gather(
  state: GateState | null,
  at: number,
  { windowMs, max }: Digest,
  newId: () => TimerId,
): GatheredIn {
  const open = state?.kind === "digest" && at < state.dueAt ? state : null
  const timer = open?.timer ?? newId()
  const count = (open?.count ?? 0) + 1
  const closesAt = open?.dueAt ?? at + windowMs
  const full = count >= max
  return {
    timer,
    opened: open === null,
    count,
    dueAt: full ? at : closesAt,
    full,
    state: full ? null : { kind: "digest", timer, count, dueAt: closesAt },
  }
}
