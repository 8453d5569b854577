// Who has which name, and the refs that look it up at each send. One registry per tree; a name is held by a place in a
// supervisor, so it survives restarts while the process behind it changes.

import type { ActorInfo, Inbox, PendingCall } from "./child-spec.ts"
import type { Clock, Timer } from "./clock.ts"
import type { PoolRef, StartChild, StopChild } from "./pool.ts"
import { ActorDown, type ActorRef, Busy, CallTimeout, type SendResult } from "./ref.ts"
import type { RestartAnswer } from "./tree.ts"

/** A supervisor's slot for one child, as the registry needs it. */
export interface Place {
  readonly inbox: Inbox | undefined
  /** Set when the child is a running pool. */
  readonly pool: PoolDoor | undefined
  info(): ActorInfo
  restart(): Promise<RestartAnswer>
}

export interface PoolDoor {
  startChild(args: unknown): Promise<StartChild>
  stopChild(id: string): Promise<StopChild>
  childIds(): readonly string[]
}

const ALWAYS = (): boolean => true

export class Registry {
  deadLetters = 0
  private readonly clock: Clock
  private readonly places = new Map<string, Place>()
  private readonly incarnations = new Map<string, number>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** False when the name is taken. */
  claim(id: string, place: Place): boolean {
    if (this.places.has(id)) return false
    this.places.set(id, place)
    return true
  }

  release(id: string, place: Place): void {
    if (this.places.get(id) === place) this.places.delete(id)
  }

  place(id: string): Place | undefined {
    return this.places.get(id)
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
    return this.refTo(id, allowed, () => this.places.get(id)?.inbox)
  }

  /** A ref to one incarnation. */
  selfRef<M>(id: string, inbox: Inbox): ActorRef<M> {
    return this.refTo(id, ALWAYS, () => inbox)
  }

  pool<A>(id: string, allowed: () => boolean = ALWAYS): PoolRef<A> {
    const door = (): PoolDoor | undefined => (allowed() ? this.places.get(id)?.pool : undefined)
    return {
      id,
      startChild: async (args) => (await door()?.startChild(args)) ?? { kind: "down" },
      stopChild: async (child) => (await door()?.stopChild(child)) ?? "down",
      children: () => door()?.childIds() ?? [],
    }
  }

  private refTo<M>(id: string, allowed: () => boolean, find: () => Inbox | undefined): ActorRef<M> {
    const send = (message: M): SendResult => {
      const result = allowed() ? (find()?.post(message) ?? "down") : "dropped"
      if (result === "down" || (result === "dropped" && !allowed())) this.deadLetters++
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
}
