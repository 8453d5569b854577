// What is asked of a supervisor or a pool from outside while it runs, with the answers supervisor.erl gives. Requests
// about one child are taken in turn; one that meets the start, the stop or a group restart of all is told "not now".

import { type AutoShutdown, checkFits } from "./auto-shutdown.ts"
import type { ActorInfo, ChildSpec } from "./child-spec.ts"
import { type ExitReason, exitFromThrown, SHUTDOWN } from "./exit.ts"
import type { StartChild, StopChild } from "./pool.ts"
import type { PoolDoor, SupervisorDoor } from "./registry.ts"
import { nameTaken, type Siblings } from "./siblings.ts"
import type { Slot } from "./slot.ts"
import type { RestartAnswer } from "./tree.ts"

/** `already_present`: known but not running (stopped, or waiting for its restart). A child that failed is not kept, whatever its backoff. */
export type StartedChild =
  | { readonly kind: "started" | "ignored"; readonly id: string }
  | { readonly kind: "already_started" | "already_present"; readonly id: string }
  | { readonly kind: "failed"; readonly id: string; readonly reason: ExitReason }

/**
 * Why a request was not looked at. `not_now`: the supervisor is starting or restarting a group. `down`: it is not running
 * or stopping. `pool`: children of a pool come from its template and are never kept; ask its PoolRef.
 */
export interface Refused {
  readonly kind: "not_now" | "down" | "pool"
}

export type SupervisorStart = StartedChild | Refused
/** A temporary child is forgotten, any other one stays down and known until it is asked for or its group restarts. */
export type TerminateChild = { readonly kind: "terminated" | "unknown" } | Refused
/** `restarting`: it waits for its restart already. A child that `failed` stays down and known. */
export type RestartChild =
  | { readonly kind: "started" | "ignored"; readonly id: string }
  | { readonly kind: "failed"; readonly id: string; readonly reason: ExitReason }
  | { readonly kind: "unknown" | "running" | "restarting" }
  | Refused
export type DeleteChild = { readonly kind: "deleted" | "unknown" | "running" | "restarting" } | Refused

/** A supervisor by name, stable over its restarts. After one, children that were started here are gone. */
export interface SupervisorRef {
  readonly id: string
  /** Starts one more child, after the others; resolves when it is ready, has declined or has failed. */
  startChild(spec: ChildSpec): Promise<SupervisorStart>
  /** Stops a child within its own shutdown time, or calls off the restart it waits for. */
  terminateChild(id: string): Promise<TerminateChild>
  /** Starts a child that is known and down. Nothing is counted. */
  restartChild(id: string): Promise<RestartChild>
  /** Forgets a child that is known and down. */
  deleteChild(id: string): Promise<DeleteChild>
  /** In start order; empty when the supervisor is down. */
  children(): readonly ActorInfo[]
}

/** The supervisor, as the requests need it. */
export interface RequestOwner {
  readonly siblings: Siblings
  readonly autoShutdown: AutoShutdown
  readonly template: { readonly bound: number; readonly child: (args: unknown) => ChildSpec } | undefined
  phase(): "running" | "starting" | "down"
  /** The restart of a group that is under way. */
  groupDone(): Promise<void> | undefined
  /** A child could not be restarted: it is tried again, as after a crash. */
  again(slot: Slot, reason: ExitReason): void
}

export class Requests implements PoolDoor, SupervisorDoor {
  private readonly owner: RequestOwner

  constructor(owner: RequestOwner) {
    this.owner = owner
  }

  async startChild(args: unknown): Promise<StartChild> {
    const { template, siblings } = this.owner
    if (template === undefined || this.owner.phase() !== "running") return { kind: "down" }
    const spec = template.child(args)
    const present = this.present(spec.id)
    if (present !== undefined) return present
    if (siblings.size >= template.bound) return { kind: "full", bound: template.bound }
    return this.startNew(spec, "pool")
  }

  async stopChild(id: string): Promise<StopChild> {
    const { siblings } = this.owner
    if (this.owner.phase() !== "running") return "down"
    const slot = siblings.get(id)
    if (slot === undefined) return "unknown"
    return this.inTurn(slot, async () => {
      if (this.owner.phase() !== "running") return "down"
      if (!siblings.has(slot)) return "unknown"
      await siblings.stop(slot)
      this.forgetIfDown(slot)
      return "stopped"
    })
  }

  childIds(): readonly string[] {
    return this.owner.siblings.ids()
  }

  infos(): readonly ActorInfo[] {
    return this.owner.siblings.from().map((slot) => slot.info())
  }

  async startSpec(spec: ChildSpec): Promise<SupervisorStart> {
    return this.refused() ?? this.present(spec.id) ?? this.startNew(spec, this.owner.autoShutdown)
  }

  terminateChild(id: string): Promise<TerminateChild> {
    return this.about<TerminateChild>(id, async (slot) => {
      await this.owner.siblings.stop(slot)
      if (slot.spec.restart === "temporary") this.forgetIfDown(slot)
      return { kind: "terminated" }
    })
  }

  restartChild(id: string): Promise<RestartChild> {
    return this.about<RestartChild>(id, async (slot) => {
      if (slot.isUp) return { kind: slot.process === undefined ? "restarting" : "running" }
      const outcome = await this.owner.siblings.startAndWait(slot)
      if (outcome === "ready") return { kind: "started", id }
      if (outcome === "ignored") return { kind: "ignored", id }
      return { kind: "failed", id, reason: outcome === "cancelled" ? SHUTDOWN : outcome }
    })
  }

  deleteChild(id: string): Promise<DeleteChild> {
    return this.about<DeleteChild>(id, async (slot) => {
      if (slot.isUp) return { kind: slot.process === undefined ? "restarting" : "running" }
      this.owner.siblings.forget(slot)
      return { kind: "deleted" }
    })
  }

  /** An operator's restart: stop and start of one child, whatever its state. */
  async restart(slot: Slot): Promise<RestartAnswer> {
    const { owner } = this
    const { siblings } = owner
    const busy = slot.onStopped.length > 0 || slot.state === "starting" || slot.turn !== undefined
    if (owner.phase() !== "running" || owner.groupDone() !== undefined || busy) return { kind: "not_now" }
    return this.inTurn(slot, async () => {
      await siblings.stop(slot)
      // A sibling may have crashed meanwhile: its group restart goes first, and may have started this one as well.
      for (let group = owner.groupDone(); group !== undefined; group = owner.groupDone()) await group
      if (owner.phase() !== "running" || !siblings.has(slot)) return { kind: "not_now" }
      if (slot.process !== undefined) return { kind: slot.state === "running" ? "restarted" : "not_now" }
      const outcome = await siblings.startAndWait(slot)
      if (outcome === "ready" || outcome === "ignored") return { kind: "restarted" }
      if (outcome === "cancelled") return { kind: "not_now" }
      if (slot.spec.restart === "temporary") siblings.forget(slot)
      else if (owner.phase() === "running") owner.again(slot, outcome)
      return { kind: "failed", reason: outcome }
    })
  }

  private refused(): Refused | undefined {
    const { owner } = this
    const phase = owner.phase()
    if (phase === "down") return { kind: "down" }
    if (owner.template !== undefined) return { kind: "pool" }
    if (phase === "starting" || owner.groupDone() !== undefined) return { kind: "not_now" }
    return undefined
  }

  /** Looks at a child in its turn, unless the request must be refused by then. */
  private async about<T>(id: string, work: (slot: Slot) => Promise<T>): Promise<T | Refused | { kind: "unknown" }> {
    const { siblings } = this.owner
    const refused = this.refused()
    if (refused !== undefined) return refused
    const slot = siblings.get(id)
    if (slot === undefined) return { kind: "unknown" }
    return this.inTurn(slot, async () => this.refused() ?? (siblings.has(slot) ? work(slot) : { kind: "unknown" }))
  }

  private inTurn<T>(slot: Slot, work: () => Promise<T>): Promise<T> {
    const result = slot.turn === undefined ? work() : slot.turn.then(work)
    const turn = result
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        if (slot.turn === turn) slot.turn = undefined
      })
    slot.turn = turn
    return result
  }

  private present(id: string): StartedChild | undefined {
    const slot = this.owner.siblings.get(id)
    if (slot === undefined) return undefined
    return { kind: slot.state === "running" ? "already_started" : "already_present", id }
  }

  private async startNew(spec: ChildSpec, mode: AutoShutdown | "pool"): Promise<StartedChild> {
    const { id } = spec
    try {
      checkFits(spec, mode)
    } catch (error) {
      return { kind: "failed", id, reason: exitFromThrown(error) }
    }
    const slot = this.owner.siblings.add(spec)
    if (slot === undefined) return { kind: "failed", id, reason: nameTaken(id) }
    const outcome = await this.owner.siblings.startAndWait(slot)
    if (outcome === "ready") return { kind: "started", id }
    if (outcome === "ignored") return { kind: "ignored", id }
    this.forgetIfDown(slot)
    return { kind: "failed", id, reason: outcome === "cancelled" ? SHUTDOWN : outcome }
  }

  private forgetIfDown(slot: Slot): void {
    if (this.owner.siblings.has(slot) && slot.process === undefined) this.owner.siblings.forget(slot)
  }
}
