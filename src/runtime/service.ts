// A service: a long-running part that is no mailbox, such as an HTTP listener or a connection pool. It starts, it runs,
// it reports its own failure, it stops; the supervisor does the rest.

import type { Backoff } from "./backoff.ts"
import {
  checkBackoff,
  checkDuration,
  checkKeys,
  checkName,
  checkOneOf,
  checkSignificant,
  RESTART_TYPES,
} from "./check.ts"
import type { ChildSpec, RestartType } from "./child-spec.ts"
import type { Clock } from "./clock.ts"
import type { ExitReason } from "./exit.ts"
import type { PoolRef } from "./pool.ts"
import type { ActorRef } from "./ref.ts"
import type { SupervisorRef } from "./requests.ts"
import { ServiceProcess } from "./service-process.ts"

export interface ServiceContext {
  readonly id: string
  /** Aborted when the service is asked to stop, ends or is abandoned. */
  readonly signal: AbortSignal
  readonly incarnation: number
  readonly clock: Clock
  /** Reports a crash: `stop` of this incarnation is run, then the supervisor decides. The first report counts. */
  fail(error: unknown): void
  ref<M>(id: string): ActorRef<M>
  pool<A>(id: string): PoolRef<A>
  /** A supervisor by name, to start, stop, restart and delete its children. */
  supervisor(id: string): SupervisorRef
}

/** What `start` of a service hands back. */
export interface RunningService {
  /** Frees everything, within `shutdownMs`; a throw is reported as the exit reason. */
  stop(reason: ExitReason): void | Promise<void>
}

export interface ServiceSpec {
  /** Unique in the whole tree. */
  readonly id: string
  /** Default: the id. */
  readonly kind?: string
  /** Ready when it returns or resolves. One that finishes after its deadline is stopped at once. */
  start(ctx: ServiceContext): RunningService | "ignore" | Promise<RunningService | "ignore">
  /** Default 30,000. */
  readonly startTimeoutMs?: number
  /** Default permanent. */
  readonly restart?: RestartType
  /** Default 5,000. */
  readonly shutdownMs?: number
  readonly backoff?: Backoff
  /** Its own end may end its supervisor (see `autoShutdown` there). Only for transient and temporary. Default false. */
  readonly significant?: boolean
}

const OPTIONS: Record<keyof ServiceSpec, true> = {
  id: true,
  kind: true,
  start: true,
  startTimeoutMs: true,
  restart: true,
  shutdownMs: true,
  backoff: true,
  significant: true,
}

/** A child spec for a service. Throws SpecError naming the field that cannot be meant. */
export function service(spec: ServiceSpec): ChildSpec {
  const { id, restart = "permanent" } = spec
  checkName(spec)
  checkKeys(id, spec, OPTIONS)
  checkOneOf(id, "restart", restart, RESTART_TYPES)
  checkDuration(id, "startTimeoutMs", spec.startTimeoutMs, 1)
  checkDuration(id, "shutdownMs", spec.shutdownMs, 0)
  checkBackoff(id, spec.backoff)
  checkSignificant(id, spec.significant, restart)
  const kind = spec.kind ?? id
  const settings = {
    id,
    kind,
    start: spec.start.bind(spec),
    startTimeoutMs: spec.startTimeoutMs ?? 30_000,
    shutdownMs: spec.shutdownMs ?? 5_000,
  }
  return {
    id,
    kind,
    type: "service",
    restart,
    backoff: spec.backoff,
    significant: spec.significant ?? false,
    childIds: [],
    create: (env, hooks) => new ServiceProcess(settings, env, hooks),
  }
}
