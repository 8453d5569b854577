// What a supervisor knows about a child, whatever it is: an actor, a service or another supervisor. Made by actor(),
// service(), supervisor() and pool(); nobody else writes one by hand.

import type { Backoff } from "./backoff.ts"
import type { Clock } from "./clock.ts"
import type { DeadLetters } from "./dead-letters.ts"
import type { RuntimeEvent } from "./event.ts"
import type { ExitReason } from "./exit.ts"
import type { Figures } from "./figures.ts"
import type { Down, Links } from "./links.ts"
import type { PoolDoor, Registry, SupervisorDoor } from "./registry.ts"
import type { Sweep } from "./sweep.ts"

/** permanent: always restarted. transient: only after an abnormal end. temporary: never, and forgotten. */
export type RestartType = "permanent" | "transient" | "temporary"

export interface ChildSpec {
  readonly id: string
  readonly kind: string
  readonly type: "actor" | "service" | "supervisor" | "pool"
  readonly restart: RestartType
  readonly backoff: Backoff | undefined
  /** Its own end may end its supervisor (see `autoShutdown`). */
  readonly significant: boolean
  /** Ids of static descendants, to refuse duplicates before anything starts. */
  readonly childIds: readonly string[]
  /** A new process, not started yet; called anew for each incarnation. */
  create(env: TreeEnv, hooks: ProcessHooks): Process
}

/** What all processes of a tree share. */
export interface TreeEnv {
  readonly clock: Clock
  readonly random: () => number
  readonly emit: (event: RuntimeEvent) => void
  readonly registry: Registry
  readonly sweep: Sweep
  readonly links: Links
  readonly figures: Figures
  readonly deadLetters: DeadLetters
}

/** How a process reports to its supervisor. After `ignored` or `exited` it says nothing more. */
export interface ProcessHooks {
  readonly incarnation: number
  ready(): void
  ignored(): void
  exited(reason: ExitReason): void
}

/** One incarnation of a child, as its supervisor sees it. */
export interface Process {
  start(): void
  /** Politely; the end is reported by `hooks.exited`, within the process's own shutdown time. */
  stop(reason: ExitReason): void
  /** Abandons and fences at once; reports `killed` before it returns unless the end was reported before. */
  kill(): void
  /** Set from the moment the end is certain: a crash seen here before `stop` was asked counts as the child's own. */
  readonly leaving: ExitReason | undefined
  /** How messages reach it; services and supervisors have none. */
  readonly inbox: Inbox | undefined
  /** Set while it is a running pool. */
  readonly pool: PoolDoor | undefined
  /** Set while it is a supervisor or a pool that has begun to start and has not begun to stop. */
  readonly supervisor: SupervisorDoor | undefined
  /** Somebody it is linked to has ended. */
  linkedEnd(down: Down): void
  info(): ProcessInfo
  /** Of this incarnation; only actors have these two. */
  readonly handled: number | undefined
  readonly mailboxDepth: number | undefined
}

/** The receiving side of an actor. Messages are `unknown` here because a name can be looked up as any message type. */
export interface Inbox {
  post(message: unknown, call?: PendingCall): "ok" | "dropped" | "busy" | "down"
  /** Calls waiting for a reply: rejected when the actor ends. */
  readonly calls: Set<PendingCall>
}

export interface PendingCall {
  fail(why: "down" | "busy"): void
}

export interface ProcessInfo {
  readonly mailbox?: { readonly depth: number; readonly bound: number; readonly dropped: number }
  readonly handled?: number
  readonly handlerAgeMs?: number | undefined
  readonly children?: readonly ActorInfo[]
}

export interface RestartRecord {
  readonly at: Date
  readonly reason: ExitReason
}

/** `ignored`: its start declined. `backoff`: waits to be started again. `stopped`: ended and stays so until asked. */
export type ActorState = "starting" | "running" | "stopping" | "stopped" | "backoff" | "ignored"

/** One line of the tree, as shown to an operator. */
export interface ActorInfo extends ProcessInfo {
  readonly id: string
  readonly kind: string
  readonly type: ChildSpec["type"]
  readonly significant: boolean
  readonly state: ActorState
  readonly incarnation: number
  readonly restarts: number
  /** The last ten, newest last. */
  readonly recentRestarts: readonly RestartRecord[]
}

/** A spec that cannot be meant. Thrown where the spec is written, before anything starts. */
export class SpecError extends Error {
  override readonly name = "SpecError"
  readonly field: string
  constructor(id: unknown, field: string, expected: string, got: unknown) {
    super(
      `child "${String(id)}": ${field} must be ${expected}, got ${typeof got === "string" ? `"${got}"` : String(got)}`,
    )
    this.field = field
  }
}
