// Who has which name, and the refs that look it up at each send. One registry per tree; a name is held by a place in a
// supervisor, so it survives restarts while the process behind it changes.

import type { ActorInfo, ActorState, ChildSpec, Inbox, PendingCall, Process } from "./child-spec.ts"
import type { Clock, Timer } from "./clock.ts"
import type { DeadLetters } from "./dead-letters.ts"
import type { PoolRef, StartChild, StopChild } from "./pool.ts"
import { ActorDown, type ActorRef, Busy, CallTimeout, type SendResult } from "./ref.ts"
import type { DeleteChild, RestartChild, SupervisorRef, SupervisorStart, TerminateChild } from "./requests.ts"
import type { RestartAnswer } from "./tree.ts"

/** A supervisor's slot for one child, as everybody else needs it. */
export interface Place {
  readonly spec: ChildSpec
  readonly state: ActorState
  readonly incarnation: number
  /** Undefined while nothing runs in it. */
  readonly process: Process | undefined
  info(): ActorInfo
  restart(): Promise<RestartAnswer>
}

export interface PoolDoor {
  startChild(args: unknown): Promise<StartChild>
  stopChild(id: string): Promise<StopChild>
  childIds(): readonly string[]
}

export interface SupervisorDoor {
  startSpec(spec: ChildSpec): Promise<SupervisorStart>
  terminateChild(id: string): Promise<TerminateChild>
  restartChild(id: string): Promise<RestartChild>
  deleteChild(id: string): Promise<DeleteChild>
  infos(): readonly ActorInfo[]
}

/** What a ref keeps, so that it need not look up the name at each send: never a place that has lost its name. */
interface Name {
  place: Place | undefined
}

const ALWAYS = (): boolean => true

export class Registry {
  private readonly clock: Clock
  private readonly deadLetters: DeadLetters
  private readonly names = new Map<string, Name>()
  private readonly incarnations = new Map<string, number>()

  constructor(clock: Clock, deadLetters: DeadLetters) {
    this.clock = clock
    this.deadLetters = deadLetters
  }

  /** False when the name is taken. */
  claim(id: string, place: Place): boolean {
    if (this.names.has(id)) return false
    this.names.set(id, { place })
    return true
  }

  release(id: string, place: Place): void {
    const name = this.names.get(id)
    if (name?.place !== place) return
    name.place = undefined
    this.names.delete(id)
  }

  place(id: string): Place | undefined {
    return this.names.get(id)?.place
  }

  *all(): Iterable<Place> {
    for (const { place } of this.names.values()) if (place !== undefined) yield place
  }

  /** Counts on while the tree lives, also when a parent is restarted, so that two incarnations never share a number. */
  nextIncarnation(id: string): number {
    const next = (this.incarnations.get(id) ?? 0) + 1
    this.incarnations.set(id, next)
    return next
  }

  /** For children that are gone for good: their names would pile up for ever. */
  forgetIncarnations(id: string): void {
    this.incarnations.delete(id)
  }

  /** A ref by name. `allowed` fences the holder: once it says no, sends are dropped and calls reject. */
  ref<M>(id: string, allowed: () => boolean = ALWAYS): ActorRef<M> {
    let name: Name | undefined
    return this.refTo(id, allowed, () => {
      if (name?.place === undefined) name = this.names.get(id)
      return name?.place?.process?.inbox
    })
  }

  /** A ref to one incarnation. */
  selfRef<M>(id: string, inbox: Inbox): ActorRef<M> {
    return this.refTo(id, ALWAYS, () => inbox)
  }

  pool<A>(id: string, allowed: () => boolean = ALWAYS): PoolRef<A> {
    const door = (): PoolDoor | undefined => (allowed() ? this.place(id)?.process?.pool : undefined)
    return {
      id,
      startChild: async (args) => (await door()?.startChild(args)) ?? { kind: "down" },
      stopChild: async (child) => (await door()?.stopChild(child)) ?? "down",
      children: () => door()?.childIds() ?? [],
    }
  }

  supervisor(id: string, allowed: () => boolean = ALWAYS): SupervisorRef {
    const door = (): SupervisorDoor | undefined => (allowed() ? this.place(id)?.process?.supervisor : undefined)
    const down = { kind: "down" } as const
    return {
      id,
      startChild: async (spec) => (await door()?.startSpec(spec)) ?? down,
      terminateChild: async (child) => (await door()?.terminateChild(child)) ?? down,
      restartChild: async (child) => (await door()?.restartChild(child)) ?? down,
      deleteChild: async (child) => (await door()?.deleteChild(child)) ?? down,
      children: () => door()?.infos() ?? [],
    }
  }

  private refTo<M>(id: string, allowed: () => boolean, find: () => Inbox | undefined): ActorRef<M> {
    const send = (message: M): SendResult => {
      if (!allowed()) {
        this.undeliverable(id, "fenced", message)
        return "dropped"
      }
      const result = find()?.post(message) ?? "down"
      if (result === "down") this.undeliverable(id, "down", message)
      return result
    }
    const call = <R>(make: (reply: (value: R) => void) => M, timeoutMs: number): Promise<R> =>
      new Promise((resolve, reject) => {
        const inbox = allowed() ? find() : undefined
        if (inbox === undefined) return reject(new ActorDown(id))
        let timer: Timer | undefined
        const settle = (): void => {
          timer?.cancel()
          inbox.calls.delete(pending)
        }
        const pending: PendingCall = {
          fail(why) {
            settle()
            reject(why === "down" ? new ActorDown(id) : new Busy(id))
          },
        }
        // A reply after the timeout resolves a promise that is settled already: dropped, as it must be.
        const message = make((value) => {
          settle()
          resolve(value)
        })
        inbox.calls.add(pending)
        const result = inbox.post(message, pending)
        if (result !== "ok") return pending.fail(result === "down" ? "down" : "busy")
        timer = this.clock.after(timeoutMs, () => {
          settle()
          reject(new CallTimeout(id, timeoutMs))
        })
      })
    return { id, send, call }
  }

  private undeliverable(id: string, why: "down" | "fenced", message: unknown): void {
    const place = this.place(id)
    this.deadLetters.add({ id, kind: place?.spec.kind, incarnation: place?.incarnation ?? 0 }, why, message)
  }
}
