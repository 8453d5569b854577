/**
 * The log is one subscriber of telemetry. It writes to stderr: stdout belongs to the command line's answers and to the
 * start banner. One event is one line whatever it holds, and a crash that repeats is folded, so that a broken
 * dependency cannot fill a disk.
 */
import type { Clock, Timer } from "../runtime/clock.ts"
import { systemClock } from "../runtime/clock.ts"
import type { Subscriber } from "./bus.ts"
import type { TelemetryEvent, TelemetryKind } from "./events.ts"
import { type LineLevel, levelOf } from "./level.ts"
import { scrub } from "./scrub.ts"

export interface LogOptions {
  readonly level: LineLevel | "silent"
  readonly format: "pretty" | "json"
  /** Gets whole lines, each ending in a newline. Default: stderr. */
  readonly write?: (line: string) => void
  readonly clock?: Clock
}

export interface Log {
  readonly subscriber: Subscriber
  /** Tells of what is still folded, and stops the timers. */
  close(): void
}

const linesPerSecond = 10
const windowMs = 1_000
const longestValue = 500
const mostEntries = 20
const ranks = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const

type Fields = Readonly<Record<string, unknown>>

interface Window {
  written: number
  suppressed: number
  readonly level: LineLevel
  readonly timer: Timer
}

export function createLog(options: LogOptions): Log {
  const clock = options.clock ?? systemClock
  const write = options.write ?? ((line) => process.stderr.write(line))
  const least = ranks[options.level]
  const format = options.format === "json" ? jsonLine : prettyLine
  const windows = new Map<TelemetryKind, Window>()

  const put = (level: LineLevel, kind: TelemetryKind | "suppressed", fields: Fields) =>
    write(`${format(clock.wall(), level, kind, fields)}\n`)

  const finish = (kind: TelemetryKind) => {
    const window = windows.get(kind)
    windows.delete(kind)
    if (window !== undefined && window.suppressed > 0)
      put(window.level, "suppressed", { kind, lines: window.suppressed, within_ms: windowMs })
  }

  return {
    subscriber(event) {
      const level = levelOf(event)
      if (ranks[level] < least) return
      let window = windows.get(event.kind)
      if (window === undefined) {
        const timer = clock.after(windowMs, () => finish(event.kind))
        window = { written: 0, suppressed: 0, level, timer }
        windows.set(event.kind, window)
      }
      if (window.written >= linesPerSecond) {
        window.suppressed += 1
        return
      }
      window.written += 1
      put(level, event.kind, fieldsOf(event))
    },
    close() {
      for (const [kind, window] of windows) {
        window.timer.cancel()
        finish(kind)
      }
    },
  }
}

/** The event's own fields in `snake_case`, bounded; `null` says nothing and is left out. */
function fieldsOf(event: TelemetryEvent): Fields {
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(event)) {
    if (name !== "kind" && value !== null)
      fields[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = bounded(value)
  }
  return fields
}

function bounded(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? value : Math.round(value * 1_000) / 1_000
  if (typeof value === "string") {
    const short = value.length > longestValue ? `${value.slice(0, longestValue - 1)}…` : value
    // Recipients' ids may be e-mail addresses, and so may anything that is built from one.
    return short.includes("@") ? scrub(short) : short
  }
  if (Array.isArray(value)) return value.slice(0, mostEntries).map(bounded)
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).slice(0, mostEntries)
    return Object.fromEntries(entries.map(([name, entry]) => [bounded(name), bounded(entry)]))
  }
  return value
}

function jsonLine(time: Date, level: LineLevel, kind: string, fields: Fields): string {
  return printable(JSON.stringify({ time: time.toISOString(), level, event: kind, ...fields }))
}

const colours = { debug: "\u001b[2m", info: "\u001b[36m", warn: "\u001b[33m", error: "\u001b[31m" } as const
const plain = "\u001b[0m"

function prettyLine(time: Date, level: LineLevel, kind: string, fields: Fields): string {
  const said = Object.entries(fields).map(([name, value]) => `${name}=${prettyValue(value)}`)
  const clockTime = time.toISOString().slice(11, 23)
  return `${clockTime} ${colours[level]}${level.padEnd(5)}${plain} ${kind.replaceAll("_", " ")}  ${said.join(" ")}`.trimEnd()
}

function prettyValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return printable(/^[\w.:/+-]+$/.test(text) || typeof value !== "string" ? text : JSON.stringify(text))
}

/** JSON leaves some characters alone that terminals and log readers take for line ends or commands. */
function printable(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}
