/**
 * All sockets are closed with 1012, one share after the other, because clients come back at once and without jitter: the
 * pace at which they are closed is the pace at which the other nodes, or the next process, see them. The close's reason
 * says when to come back, for clients that read it; the stock one does not, and `hubbub/client` has jitter of its own.
 */
import type { Clock, Timer } from "../runtime/clock.ts"

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

/** Closes `all` spread over `drainMs`, and cuts what is there a second after the last; `left` says what is. */
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
  const sockets = [...options.all]
  const overMs = sockets.length < SPREAD_FROM ? 0 : drainMs
  const began = clock.now()
  let closed = 0
  let deadline: Timer | null = null
  const emptied = (): void => {
    deadline?.cancel()
    resolve()
  }
  /** By what time it is, not by how often it ran: a busy loop would come to its end before the last ones were told. */
  const step = (): void => {
    const share = Math.min(1, (clock.now() - began + STEP_MS) / Math.max(STEP_MS, overMs))
    const due = Math.round(share * sockets.length)
    for (const one of sockets.slice(closed, due)) one.close(RESTART, retryHint(random() * AWAY_MS))
    closed = due
    if (share < 1) clock.after(STEP_MS, step)
    // Some are gone as soon as they are closed, before anybody could tell of the last one.
    else if (options.left()[Symbol.iterator]().next().done === true) emptied()
    else {
      deadline = clock.after(ANSWER_MS, () => {
        for (const one of options.left()) one.cut()
        resolve()
      })
    }
  }
  step()
  return { done: promise, emptied }
}
