/**
 * All sockets are closed with 1012, one share after the other, because clients come back at once and without jitter: the
 * pace at which they are closed is the pace at which the other nodes, or the next process, see them. The close's reason
 * says when to come back, for clients that read it; the stock one does not, and `hubbub/client` has jitter of its own.
 */
import type { Clock } from "../runtime/clock.ts"

export interface Drained {
  close(code: number, reason: string): void
  cut(): void
}

export interface Draining {
  /** Resolves when no socket is left. */
  readonly done: Promise<void>
  /** To be told when the last one is gone. */
  emptied(): void
}

/** Fewer than this are closed at once: nobody is hurt by so few that come together. */
const SPREAD_FROM = 200
const STEP_MS = 100
/** Clients that do not answer the close have so long. */
const ANSWER_MS = 1_000
const RESTART = 1012
/** Until somebody listens again, where this is the only node. */
const AWAY_MS = 1_000

/** What a close's reason says of when to come back. Clients that do not know it come when they like. */
export const retryHint = (ms: number): string => `restarting; retry_after_ms=${Math.round(ms)}`

/** Closes `all` spread over `drainMs`, and cuts what is there a second later; `left` says what is. */
export function drainSockets<One extends Drained>(options: {
  readonly all: Iterable<One>
  readonly left: () => Iterable<One>
  readonly drainMs: number
  readonly clock: Clock
  /** [0, 1) */
  readonly random: () => number
}): Draining {
  const { clock, drainMs, random } = options
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiting = [...options.all]
  const steps = waiting.length < SPREAD_FROM ? 1 : Math.max(1, Math.floor(drainMs / STEP_MS))
  const share = Math.ceil(waiting.length / steps)
  const step = (): void => {
    for (const one of waiting.splice(0, share)) one.close(RESTART, retryHint(random() * AWAY_MS))
    if (waiting.length > 0) clock.after(STEP_MS, step)
    // Some are gone as soon as they are closed, before anybody could tell of the last one.
    else if (options.left()[Symbol.iterator]().next().done === true) emptied()
  }
  const deadline = clock.after(drainMs + ANSWER_MS, () => {
    for (const one of options.left()) one.cut()
    resolve()
  })
  const emptied = (): void => {
    deadline.cancel()
    resolve()
  }
  step()
  return { done: promise, emptied }
}
