// What the runtime reports. Nothing here logs; the hub turns these into its own telemetry. No event carries a message's
// content: only ids, counts and reasons.

import type { DeadLetterWhy } from "./dead-letters.ts"
import type { ExitReason } from "./exit.ts"

interface About {
  readonly id: string
  /** The kind named in the child's spec: metrics count by it. */
  readonly kind: string
  /** Counts the starts of this id, from 1. */
  readonly incarnation: number
}

export type RuntimeEvent =
  | ({ readonly type: "started"; readonly tookMs: number } & About)
  /** Every end, `asked` or not, of every incarnation that had begun to start. */
  | ({
      readonly type: "exited"
      readonly reason: ExitReason
      readonly asked: boolean
      readonly wasReady: boolean
    } & About)
  /** It will be started again, `delayMs` from now; `counted` says whether this burned the supervisor's budget. */
  | ({
      readonly type: "restarting"
      readonly reason: ExitReason
      readonly delayMs: number
      readonly counted: boolean
      readonly supervisor: string
    } & About)
  /** More than `intensity` restarts within `periodMs`: this supervisor stops its children and itself. */
  | {
      readonly type: "gave_up"
      readonly id: string
      readonly intensity: number
      readonly periodMs: number
      readonly child: string
      readonly reason: ExitReason
    }
  /** It did not stop, start or answer in time; whatever it still does is refused. */
  | ({ readonly type: "abandoned"; readonly doing: "start" | "handler" | "stop" } & About)
  /** Something abandoned has ended after all; `error` if it threw. */
  | ({ readonly type: "abandoned_settled"; readonly error: Error | undefined } & About)
  /** A handler has not settled for a while, and is waited for: said once per message, long before it is abandoned. */
  | ({ readonly type: "stalled"; readonly ageMs: number } & About)
  /**
   * Messages nobody will handle. The first of a name at once, then at most one report a second that sums up the rest.
   * `kind` is "unknown" and `incarnation` 0 where there is no such child.
   */
  | ({ readonly type: "dead_letters"; readonly why: DeadLetterWhy; readonly count: number } & About)
