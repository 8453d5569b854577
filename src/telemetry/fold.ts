/**
 * Keeps the log readable while something goes wrong many times a second: what repeats is counted instead of written,
 * and once a second one line says how much was left out and of what. All troubles together stay under ten lines in any
 * second, and one that has just begun is written even then, because it is what the operator does not know yet.
 */
import type { Clock, Timer } from "../runtime/clock.ts"
import type { TelemetryEvent } from "./events.ts"
import type { LineLevel } from "./level.ts"

export interface Fold {
  /** Whether the event gets a line; it is counted where it does not. */
  admits(event: TelemetryEvent, level: LineLevel): boolean
  /** Says what is still counted, and stops the timer. */
  close(): void
}

/** The fields of the line about what was left out. */
export interface LeftOut {
  readonly lines: number
  readonly within_ms: number
  /** By kind and subject, the most frequent first. */
  readonly of: Readonly<Record<string, number>>
}

const WINDOW_MS = 1_000
/** Lines of one kind about one subject. */
const EACH = 3
/** The same of what is no trouble: a start has many steps, and whoever asks for debug wants to see. */
const EACH_CALM = 10
/** Troubles in any second: what repeats ends first, so that there is room for what is new, and most of all for an error. */
const REPEATED = 5
const NEW = 6
/** Two lines about what was left out can come on top: nine. */
const NEW_ERROR = 7
/** Subjects are ids, of which there may be very many. */
const MAX_KEYS = 500

interface Window {
  readonly since: number
  written: number
}

export function createFold(clock: Clock, tell: (level: LineLevel, leftOut: LeftOut) => void): Fold {
  const windows = new Map<string, Window>()
  const leftOut = new Map<string, number>()
  /** When troubles of the last second were written, oldest first. */
  let troubles: number[] = []
  let worst: LineLevel = "debug"
  let timer: Timer | null = null

  const summary = (): void => {
    timer = null
    if (leftOut.size === 0) return
    const most = [...leftOut].toSorted(([, a], [, b]) => b - a)
    const lines = most.reduce((all, [, count]) => all + count, 0)
    tell(worst, { lines, within_ms: WINDOW_MS, of: Object.fromEntries(most) })
    leftOut.clear()
    worst = "debug"
  }

  const leave = (key: string, level: LineLevel): false => {
    leftOut.set(key, (leftOut.get(key) ?? 0) + 1)
    worst = worse(worst, level)
    timer ??= clock.after(WINDOW_MS, summary)
    return false
  }

  const keyOf = (event: TelemetryEvent, now: number): string => {
    const subject = subjectOf(event)
    if (subject === null) return event.kind
    if (windows.size >= MAX_KEYS)
      for (const [key, { since }] of windows) if (now - since >= WINDOW_MS) windows.delete(key)
    return windows.size >= MAX_KEYS ? event.kind : `${event.kind} ${subject}`
  }

  const windowOf = (key: string, now: number): Window => {
    const known = windows.get(key)
    if (known !== undefined && now - known.since < WINDOW_MS) return known
    const window = { since: now, written: 0 }
    windows.set(key, window)
    return window
  }

  /** Whether all troubles together leave room for another. */
  const roomForTrouble = (written: number, level: LineLevel, now: number): boolean => {
    troubles = troubles.filter((at) => now - at < WINDOW_MS)
    const most = written > 0 ? REPEATED : level === "error" ? NEW_ERROR : NEW
    return troubles.length < most
  }

  return {
    admits(event, level) {
      const now = clock.now()
      const trouble = isTrouble(event, level)
      const key = trouble ? keyOf(event, now) : event.kind
      const window = windowOf(key, now)
      if (window.written >= (trouble ? EACH : EACH_CALM)) return leave(key, level)
      if (trouble) {
        if (!roomForTrouble(window.written, level, now)) return leave(key, level)
        troubles.push(now)
      }
      window.written += 1
      return true
    },
    close() {
      timer?.cancel()
      summary()
    },
  }
}

/** Warnings about settings are said once, at the start, and each is about another one. */
const isTrouble = (event: TelemetryEvent, level: LineLevel): boolean =>
  (level === "warn" || level === "error") && event.kind !== "config_warning"

/** Whom a repetition would be of: somebody else's trouble of the same kind is news. */
function subjectOf(event: TelemetryEvent): string | null {
  if ("actor" in event) return event.actor
  if ("channel" in event) return event.channel
  if ("where" in event) return event.where
  if ("route" in event) return event.route
  return null
}

const RANKS: readonly LineLevel[] = ["debug", "info", "warn", "error"]
const worse = (a: LineLevel, b: LineLevel): LineLevel => (RANKS.indexOf(a) >= RANKS.indexOf(b) ? a : b)
