import { describe, expect, test } from "bun:test"
import type { Clock } from "../runtime/clock.ts"
import type { TelemetryEvent } from "./events.ts"
import { createLog, type LogOptions } from "./log.ts"
import { scrub } from "./scrub.ts"

/** A clock whose timers run when the test says that a second has passed. */
function handClock() {
  let waiting: (() => void)[] = []
  const clock: Clock = {
    now: () => 0,
    wall: () => new Date("2026-01-05T09:00:00.000Z"),
    after(_ms, run) {
      waiting.push(run)
      return { cancel: () => (waiting = waiting.filter((other) => other !== run)) }
    },
  }
  const secondPasses = () => {
    const due = waiting
    waiting = []
    for (const run of due) run()
  }
  return { clock, secondPasses, pending: () => waiting.length }
}

function start(options: Partial<LogOptions> = {}) {
  const { clock, secondPasses, pending } = handClock()
  const lines: string[] = []
  const log = createLog({ level: "info", format: "json", clock, write: (line) => lines.push(line), ...options })
  return { log, lines, secondPasses, pending, parsed: () => lines.map((line): unknown => JSON.parse(line)) }
}

const bug = (text: string): TelemetryEvent => ({ kind: "bug_found", where: "router", error: scrub(text) })
const rescued: TelemetryEvent = { kind: "deliveries_rescued", count: 3 }

describe("the log", () => {
  test("writes one JSON line per event, in snake_case, without what is null", () => {
    const { log, parsed } = start()
    log.subscriber({ kind: "route_failed", eventId: "evt_1", rule: null, error: scrub("boom") })
    expect(parsed()).toEqual([
      { time: "2026-01-05T09:00:00.000Z", level: "error", event: "route_failed", event_id: "evt_1", error: "boom" },
    ])
  })

  test("leaves out what is below its level", () => {
    const { log, lines } = start({ level: "error" })
    log.subscriber(rescued)
    log.subscriber(bug("x"))
    expect(lines.length).toBe(1)
  })

  test("says nothing when silent", () => {
    const { log, lines } = start({ level: "silent" })
    log.subscriber(bug("x"))
    expect(lines).toEqual([])
  })

  for (const format of ["json", "pretty"] as const) {
    test(`keeps an event on one line whatever its texts hold (${format})`, () => {
      const { log, lines } = start({ format })
      const hostile = 'a\nb\r\n{"level":"info"}\u2028c\u2029d\u0085e\u001b[2Jf\u009b'
      log.subscriber({ kind: "config_warning", setting: hostile, problem: hostile })
      const [line = ""] = lines
      expect(lines.length).toBe(1)
      expect(line.endsWith("\n")).toBe(true)
      const body = line.slice(0, -1).replaceAll("\u001b[33m", "").replaceAll("\u001b[0m", "")
      expect(/[\p{Cc}\p{Zl}\p{Zp}]/u.test(body)).toBe(false)
    })
  }

  test("bounds long texts and wide maps", () => {
    const { log, lines } = start({ level: "debug" })
    const byType = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`type.${index}`, 1]))
    log.subscriber({ kind: "events_accepted", via: "http", count: 500, duplicates: 0, ms: 1, byType })
    log.subscriber({ kind: "config_warning", setting: "x".repeat(100_000), problem: "y" })
    expect(lines.every((line) => line.length < 1_000)).toBe(true)
  })

  test("masks a person's address in an id", () => {
    const { log, lines } = start()
    log.subscriber({ kind: "config_warning", setting: "notifications:canary@example.com", problem: "x" })
    expect(lines.join("")).not.toContain("canary")
  })

  test("folds a repeating crash to ten lines a second and says how many it left out", () => {
    const { log, secondPasses, parsed, lines } = start()
    for (let index = 0; index < 1_000; index += 1) log.subscriber(bug("again"))
    log.subscriber(rescued)
    expect(lines.length).toBe(11)
    secondPasses()
    expect(parsed().at(-1)).toMatchObject({ level: "error", event: "suppressed", kind: "bug_found", lines: 990 })
    log.subscriber(bug("later"))
    expect(lines.length).toBe(13)
  })

  test("tells what is still folded when it closes, and leaves no timer", () => {
    const { log, parsed, pending } = start()
    for (let index = 0; index < 12; index += 1) log.subscriber(bug("again"))
    log.close()
    expect(parsed().at(-1)).toMatchObject({ event: "suppressed", lines: 2 })
    expect(pending()).toBe(0)
  })
})
