/**
 * The log is one subscriber of telemetry. It writes to stderr: stdout belongs to the command line's answers and to the
 * start banner. One event is one line whatever it holds, and a crash that repeats is folded (`fold.ts`), so that a
 * broken dependency cannot fill a disk.
 */
import type { Clock } from "../runtime/clock.ts"
import { systemClock } from "../runtime/clock.ts"
import type { Subscriber } from "./bus.ts"
import type { TelemetryEvent } from "./events.ts"
import { createFold } from "./fold.ts"
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

const longestValue = 500
const mostEntries = 20
const ranks = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const

type Fields = Readonly<Record<string, unknown>>

type Ended = Extract<TelemetryEvent, { kind: "actor_exited" }>

export function createLog(options: LogOptions): Log {
  const clock = options.clock ?? systemClock
  const write = options.write ?? ((line) => process.stderr.write(line))
  const least = ranks[options.level]
  const format = options.format === "json" ? jsonLine : prettyLine

  const put = (level: LineLevel, kind: string, fields: Fields): void =>
    void write(`${format(clock.wall(), level, kind, fields)}\n`)
  const fold = createFold(clock, (level, leftOut) => put(level, "suppressed", { ...leftOut, of: bounded(leftOut.of) }))

  const say = (event: TelemetryEvent): void => {
    const level = levelOf(event)
    if (ranks[level] >= least && fold.admits(event, level)) put(level, event.kind, fieldsOf(event))
  }

  /** A crash whose supervisor has not yet said what it makes of it: it does so in the same turn, or not at all. */
  let crashed: Ended | null = null
  const sayCrash = (): void => {
    const ended = crashed
    crashed = null
    if (ended !== null) say(ended)
  }

  return {
    subscriber(event) {
      if (event.kind === "actor_exited" && event.error !== null) {
        sayCrash()
        crashed = event
        queueMicrotask(sayCrash)
        return
      }
      // One crash, one line: the restart, or the giving up, says why as well.
      if (crashed !== null && follows(event, crashed)) crashed = null
      sayCrash()
      say(event)
    },
    close() {
      sayCrash()
      fold.close()
    },
  }
}

function follows(event: TelemetryEvent, ended: Ended): boolean {
  if (event.kind === "actor_restarted") return event.actor === ended.actor && event.incarnation === ended.incarnation
  return event.kind === "actor_gave_up" && event.child === ended.actor
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
