/**
 * One long-polling client: a transport whose frames wait, bounded, for its next poll. A poll is held for a window at
 * most, and a client that does not come back for half as long again is gone. What goes to every session is bounded too
 * (`Shelf`), since nobody reads as slowly as somebody who has stopped asking.
 */
import type { Clock, Timer } from "../runtime/clock.ts"
import type { Transport } from "./connection.ts"
import type { Encoded } from "./frame.ts"
import type { RealtimeLimits } from "./limits.ts"
import type { LocalTopics } from "./local-topics.ts"

/** What a poll brings: frames, nothing within its window, or that the session is no more. */
export type Polled =
  | { readonly kind: "messages"; readonly messages: readonly string[] }
  | { readonly kind: "none" | "gone" }

/** What all sessions share: who hears what, and how much waits for all of them together. */
export interface Shelf {
  waitingBytes: number
  /** Ends whoever has most waiting: a client that does not fetch must not cost one that does. */
  makeRoom(): void
  readonly topics: LocalTopics
}

export interface SessionDeps {
  readonly limits: RealtimeLimits
  readonly clock: Clock
  readonly shelf: Shelf
  /** It has ended, by whomever: nothing is taken from its client any more. */
  ended(code: number): void
  /** It is being ended for what its client has not fetched. */
  dropped(backlogBytes: number): void
  /** Nothing is left to be asked for: its token may be forgotten. */
  forget(): void
}

/** As a socket that just went away has it. */
const ABNORMAL = 1006
const GONE: Polled = { kind: "gone" }
const NONE: Polled = { kind: "none" }

export class LongPollSession implements Transport {
  readonly name = "longpoll"
  /** Settles when it has ended. */
  readonly over: Promise<void>
  readonly #deps: SessionDeps
  readonly #markOver: () => void
  readonly #names = new Set<string>()
  #messages: string[] = []
  #bytes = 0
  #ended = false
  #overflown = false
  /** Answers the poll that is held. */
  #held: ((polled: Polled) => void) | null = null
  #releasing = false
  #absence: Timer | null = null

  constructor(deps: SessionDeps) {
    this.#deps = deps
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.#markOver = resolve
    this.#awaitPoll()
  }

  /** Characters that wait for its next poll. */
  get waiting(): number {
    return this.#bytes
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Holds until there is something to say, a window at most. A newer poll ends an older one; `signal`: its client hung up. */
  poll(signal: AbortSignal): Promise<Polled> {
    this.#held?.(NONE)
    if (this.#messages.length > 0 || this.#ended) {
      const polled = this.#take()
      if (this.#ended) this.#forget()
      else this.#awaitPoll()
      return Promise.resolve(polled)
    }
    this.#absence?.cancel()
    return new Promise((resolve) => {
      const window = this.#deps.clock.after(this.#deps.limits.pollWindowMs, () => answer(NONE))
      const hungUp = (): void => answer(NONE)
      const answer = (polled: Polled): void => {
        if (this.#held !== answer) return
        this.#held = null
        window.cancel()
        signal.removeEventListener("abort", hungUp)
        this.#awaitPoll()
        resolve(polled)
      }
      this.#held = answer
      signal.addEventListener("abort", hungUp)
      if (signal.aborted) hungUp()
    })
  }

  /** Nobody listens to the poll that is held: what comes now waits for the next one. */
  hangUp(): void {
    this.#held?.(NONE)
  }

  send(frame: Encoded): void {
    if (this.#ended || this.#overflown) return
    const { limits, shelf } = this.#deps
    // Bytes have no place in JSON. As Phoenix has it where they are text; no byte is lost where they are not.
    const text = typeof frame === "string" ? frame : Buffer.from(frame).toString("latin1")
    // A join that brings back all it may is one frame, and must fit.
    const most = limits.backlogBytes + limits.recoveredBytes
    if (this.#bytes + text.length > most || this.#messages.length >= limits.pollMessages) this.overflow()
    else if (shelf.waitingBytes + text.length > limits.pollBufferedBytes) shelf.makeRoom()
    if (this.#overflown) return
    this.#messages.push(text)
    this.#bytes += text.length
    shelf.waitingBytes += text.length
    if (this.#held === null || this.#releasing) return
    // What one tick brings travels in one answer.
    this.#releasing = true
    queueMicrotask(() => {
      this.#releasing = false
      if (this.#held !== null && this.#messages.length > 0) this.#held(this.#take())
    })
  }

  /** Ends it for what its client has not fetched. Not at once: whoever sends is in the middle of something. */
  overflow(): void {
    if (this.#ended || this.#overflown) return
    this.#overflown = true
    this.#deps.dropped(this.#bytes)
    this.#drop()
    queueMicrotask(() => this.#end(ABNORMAL))
  }

  subscribe(name: string): void {
    if (this.#ended) return
    this.#names.add(name)
    this.#deps.shelf.topics.subscribe(name, this)
  }

  unsubscribe(name: string): void {
    if (this.#names.delete(name)) this.#deps.shelf.topics.unsubscribe(name, this)
  }

  close(code: number): void {
    this.#end(code)
  }

  cut(): void {
    this.#end(ABNORMAL)
  }

  /** What one recovery brings is no sign of a slow reader. */
  backlog(): number {
    return Math.max(0, this.#bytes - this.#deps.limits.recoveredBytes)
  }

  #take(): Polled {
    const messages = this.#messages
    if (messages.length === 0) return this.#ended ? GONE : NONE
    this.#messages = []
    this.#deps.shelf.waitingBytes -= this.#bytes
    this.#bytes = 0
    return { kind: "messages", messages }
  }

  /** An ended session is kept this long too, for the frames that say why. */
  #awaitPoll(): void {
    this.#absence?.cancel()
    this.#absence = this.#deps.clock.after(this.#deps.limits.pollWindowMs * 1.5, () => {
      if (!this.#ended) this.#end(ABNORMAL)
      this.#forget()
    })
  }

  #end(code: number): void {
    if (this.#ended) return
    this.#ended = true
    for (const name of this.#names) this.#deps.shelf.topics.unsubscribe(name, this)
    this.#names.clear()
    if (this.#held !== null) this.#held(this.#take())
    this.#markOver()
    this.#deps.ended(code)
    if (this.#messages.length === 0) this.#forget()
  }

  #forget(): void {
    this.#absence?.cancel()
    this.#drop()
    this.#deps.forget()
  }

  #drop(): void {
    this.#deps.shelf.waitingBytes -= this.#bytes
    this.#bytes = 0
    this.#messages = []
  }
}
