// Carries the outbox to the hub: woken after each commit, else on its poll, which finds what a crash or another server
// left behind. A few places are served at once, each in order. While the hub is away all wait together.
import type { Pool } from "pg"
import type { Outcome } from "./hub.ts"
import { sendRun, type Waiting } from "./outbox.ts"

export interface RelayOptions {
  readonly pool: Pool
  readonly send: (row: Waiting) => Promise<Outcome>
  /** How many places at once. */
  readonly width: number
  readonly pollMs: number
  /** The first pause; it doubles with each failure up to `longestPauseMs`, and each is jittered. */
  readonly pauseMs: number
  readonly longestPauseMs: number
}

export interface Relay {
  /** Something was committed. */
  wake(): void
  /** Why nothing leaves at the moment; null where all is well. */
  trouble(): string | null
  /** Ends after the calls that are under way. */
  stop(): Promise<void>
}

export function startRelay({ pool, send, width, pollMs, pauseMs, longestPauseMs }: RelayOptions): Relay {
  let stopped = false
  let rings = 0
  let failures = 0
  let pausedUntil = 0
  let trouble: string | null = null
  const sleepers = new Set<{ readonly wakeable: boolean; readonly done: () => void }>()

  const sleep = (ms: number, wakeable: boolean): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        sleepers.delete(sleeper)
        resolve()
      }
      const sleeper = { wakeable, done }
      const timer = setTimeout(done, ms)
      sleepers.add(sleeper)
    })

  const failed = (reason: string, waitMs: number | null): void => {
    if (trouble !== reason) console.error(`relay: ${reason}`)
    trouble = reason
    const longest = Math.min(pauseMs * 2 ** failures, longestPauseMs)
    failures += 1
    // A hub that names a time is believed; otherwise jitter keeps several servers from coming back as one.
    pausedUntil = Math.max(pausedUntil, performance.now() + (waitMs ?? longest * (0.5 + Math.random() / 2)))
  }

  const paused = (): number => Math.max(0, pausedUntil - performance.now())

  /** What an answer says about the hub is known to all workers before the row is free again. */
  const sendUnlessPaused = async (row: Waiting): Promise<Outcome | null> => {
    if (paused() > 0) return null
    const outcome = await send(row)
    if (outcome.kind === "later") failed(outcome.reason, outcome.waitMs)
    else {
      if (trouble !== null) console.error("relay: the hub answers again")
      failures = 0
      trouble = null
    }
    return outcome
  }

  const worker = async (): Promise<void> => {
    while (!stopped) {
      if (paused() > 0) {
        await sleep(paused(), false)
        continue
      }
      const heard = rings
      try {
        const worked = await sendRun(pool, sendUnlessPaused)
        if (!worked && rings === heard && !stopped) await sleep(pollMs, true)
      } catch (error) {
        failed(`the outbox cannot be read: ${error instanceof Error ? error.message : String(error)}`, null)
      }
    }
  }
  const workers = Array.from({ length: width }, worker)

  return {
    wake() {
      rings += 1
      for (const sleeper of sleepers) if (sleeper.wakeable) sleeper.done()
    },
    trouble: () => trouble,
    async stop() {
      stopped = true
      for (const sleeper of sleepers) sleeper.done()
      await Promise.all(workers)
    },
  }
}
