// What the runtime reports. Nothing here logs; the hub turns these into its own telemetry. No event carries a message's
// content: only ids, counts and reasons.

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
  /** Messages nobody will handle: still in the mailbox at the end (`exit`), or too many for it (`overflow`). */
  | ({ readonly type: "dead_letters"; readonly why: "exit" | "overflow"; readonly count: number } & About)
