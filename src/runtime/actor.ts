// An actor: one mailbox, one message at a time, state nobody else can touch. This file is what an actor's author needs;
// how it runs is in actor-process.ts.

import { ActorProcess } from "./actor-process.ts"
import type { Backoff } from "./backoff.ts"
import {
  checkBackoff,
  checkDuration,
  checkKeys,
  checkName,
  checkOneOf,
  checkSignificant,
  checkWhole,
  RESTART_TYPES,
} from "./check.ts"
import type { ChildSpec, RestartType } from "./child-spec.ts"
import type { Clock, Timer } from "./clock.ts"
import type { ExitReason } from "./exit.ts"
import type { Down, Monitor } from "./links.ts"
import type { PoolRef } from "./pool.ts"
import type { ActorRef } from "./ref.ts"
import type { SupervisorRef } from "./requests.ts"

export type { Down, Monitor } from "./links.ts"
export { type ServiceContext, type ServiceSpec, service } from "./service.ts"

/** What came of a task. `error` is always an Error, whatever was thrown. */
export type TaskOutcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: Error }
  | { readonly kind: "timeout"; readonly afterMs: number }

export interface TaskOptions {
  /** The task's signal is aborted and its outcome is `timeout` after this long. Default 30,000. */
  readonly timeoutMs?: number
  /** `abort` (default) fires the task's signal when the actor is asked to stop; `finish` only at its timeout or at the kill. */
  readonly atStop?: "abort" | "finish"
}

/** What one incarnation of an actor may do. After its end everything here is refused: no send, timer or task has effect. */
export interface ActorContext<M> {
  readonly id: string
  /** This incarnation; after a restart a ref taken here is down. Use `ref(id)` for "whoever has this name". */
  readonly self: ActorRef<M>
  /** Aborted when the actor is asked to stop, ends or is abandoned. */
  readonly signal: AbortSignal
  /** Counts the starts of this id, from 1. */
  readonly incarnation: number
  readonly clock: Clock
  /** A message to itself later; does not count against the mailbox bound; cancelled at the end. */
  sendAfter(ms: number, message: M): Timer
  /**
   * Runs a promise beside the mailbox; its outcome comes back as a message (beyond the mailbox bound, so it is never
   * lost). At a polite stop running tasks are waited for and their outcomes still handled before `terminate`; at a crash
   * they are aborted and their outcomes refused.
   */
  task<T>(run: (signal: AbortSignal) => Promise<T>, done: (outcome: TaskOutcome<T>) => M, options?: TaskOptions): void
  /** Ends this actor after the current message. The first reason counts. */
  exit(reason: ExitReason): void
  /**
   * Hears once of the end of whoever has this name now, as a message behind those already sent, beyond the mailbox bound.
   * With reason `noproc` and incarnation 0, at once, where nobody is running.
   */
  monitor(id: string, make: (down: Down) => M): Monitor
  /**
   * From now on the end of one ends the other with the same reason: at once when it is abnormal, politely when it is a
   * shutdown, not at all when it is normal. Nobody running there counts as an end with `noproc`. Gone after a restart.
   */
  link(id: string): void
  /** Ends a link, without flushing an exit that has become a message already. */
  unlink(id: string): void
  /** Every end of somebody linked, a normal one too, becomes a message instead. */
  trapExits(make: (exit: Down) => M): void
  /** Another actor by name, stable over its restarts; sends are dropped once this incarnation is over. */
  ref<N>(id: string): ActorRef<N>
  /** A pool by name, to start and stop its children. */
  pool<A>(id: string): PoolRef<A>
  /** A supervisor by name, to start, stop, restart and delete its children. */
  supervisor(id: string): SupervisorRef
}

export interface Behaviour<M> {
  /** One message at a time: the next waits until a returned promise settles. A throw ends the actor. */
  handle(message: M): void | Promise<void>
  /** Runs last, within `shutdownMs`; skipped when the actor was abandoned. */
  terminate?(reason: ExitReason): void | Promise<void>
}

export type Overflow = "reject" | "drop_oldest" | "drop_newest"

const MAILBOX = { bound: 1_000, overflow: "reject" } as const

export interface ActorSpec<M> {
  /** Unique in the whole tree. */
  readonly id: string
  /** What it is one of, for metrics and screens ("dispatcher"). Default: the id. */
  readonly kind?: string
  /** Builds fresh state for one incarnation; ready when it returns or resolves. "ignore": nothing to do, no error. */
  start(ctx: ActorContext<M>): Behaviour<M> | "ignore" | Promise<Behaviour<M> | "ignore">
  /** Default: 1,000 messages, reject. */
  readonly mailbox?: { readonly bound: number; readonly overflow: Overflow }
  /** A handler still unsettled after this long: abort, exit `timeout`, abandoned. Checked every 100 ms. Default 30,000. */
  readonly handlerTimeoutMs?: number
  /** Default 10,000. */
  readonly startTimeoutMs?: number
  /** Default permanent. */
  readonly restart?: RestartType
  /** How long a polite stop may take, tasks and `terminate` included; 0 abandons at once. Default 5,000. */
  readonly shutdownMs?: number
  /** Restart with delays that never count against the supervisor's intensity. */
  readonly backoff?: Backoff
  /** Its own end may end its supervisor (see `autoShutdown` there). Only for transient and temporary. Default false. */
  readonly significant?: boolean
}

const OPTIONS: Record<keyof ActorSpec<never>, true> = {
  id: true,
  kind: true,
  start: true,
  mailbox: true,
  handlerTimeoutMs: true,
  startTimeoutMs: true,
  restart: true,
  shutdownMs: true,
  backoff: true,
  significant: true,
}

const MAILBOX_OPTIONS: Record<keyof NonNullable<ActorSpec<never>["mailbox"]>, true> = { bound: true, overflow: true }

/** A child spec for an actor. Throws SpecError naming the field that cannot be meant. */
export function actor<M>(spec: ActorSpec<M>): ChildSpec {
  const { id, mailbox = MAILBOX, restart = "permanent" } = spec
  checkName(spec)
  checkKeys(id, spec, OPTIONS)
  checkKeys(id, mailbox, MAILBOX_OPTIONS, "mailbox")
  checkWhole(id, "mailbox.bound", mailbox.bound, 1)
  checkOneOf(id, "mailbox.overflow", mailbox.overflow, ["reject", "drop_oldest", "drop_newest"])
  checkOneOf(id, "restart", restart, RESTART_TYPES)
  checkDuration(id, "handlerTimeoutMs", spec.handlerTimeoutMs, 1)
  checkDuration(id, "startTimeoutMs", spec.startTimeoutMs, 1)
  checkDuration(id, "shutdownMs", spec.shutdownMs, 0)
  checkBackoff(id, spec.backoff)
  checkSignificant(id, spec.significant, restart)
  const kind = spec.kind ?? id
  const settings = {
    id,
    kind,
    start: spec.start.bind(spec),
    mailbox,
    handlerTimeoutMs: spec.handlerTimeoutMs ?? 30_000,
    startTimeoutMs: spec.startTimeoutMs ?? 10_000,
    shutdownMs: spec.shutdownMs ?? 5_000,
  }
  return {
    id,
    kind,
    type: "actor",
    restart,
    backoff: spec.backoff,
    significant: spec.significant ?? false,
    childIds: [],
    create: (env, hooks) => new ActorProcess(settings, env, hooks),
  }
}
