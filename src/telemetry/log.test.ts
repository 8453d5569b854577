import { describe, expect, test } from "bun:test"
import type { Clock } from "../runtime/clock.ts"
import type { TelemetryEvent } from "./events.ts"
import { createLog, type LogOptions } from "./log.ts"
import { scrub } from "./scrub.ts"

/** A clock whose timers run when the test says that a second has passed. */
function handClock() {
  let waiting: (() => void)[] = []
  let now = 0
  const clock: Clock = {
    now: () => now,
    wall: () => new Date("2026-01-05T09:00:00.000Z"),
    after(_ms, run) {
      waiting.push(run)
      return { cancel: () => (waiting = waiting.filter((other) => other !== run)) }
    },
  }
  const secondPasses = () => {
    now += 1_000
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
    log.subscriber({ kind: "events_accepted", via: "http", count: 500, duplicates: 0, unheard: 0, ms: 1, byType })
    log.subscriber({ kind: "config_warning", setting: "x".repeat(100_000), problem: "y" })
    expect(lines.every((line) => line.length < 1_000)).toBe(true)
  })

  test("masks a person's address in an id", () => {
    const { log, lines } = start()
    log.subscriber({ kind: "config_warning", setting: "notifications:canary@example.com", problem: "x" })
    expect(lines.join("")).not.toContain("canary")
  })

  test("folds what repeats to three lines a second, and says how much it left out of what", () => {
    const { log, secondPasses, parsed, lines } = start()
    for (let index = 0; index < 1_000; index += 1) log.subscriber(bug("again"))
    log.subscriber(rescued)
    expect(lines.length).toBe(4)
    secondPasses()
    expect(parsed().at(-1)).toMatchObject({
      level: "error",
      event: "suppressed",
      lines: 997,
      within_ms: 1_000,
      of: { "bug_found router": 997 },
    })
    log.subscriber(bug("later"))
    expect(lines.length).toBe(6)
  })

  test("tells what is still folded when it closes, and leaves no timer", () => {
    const { log, parsed, pending } = start()
    for (let index = 0; index < 12; index += 1) log.subscriber(bug("again"))
    log.close()
    expect(parsed().at(-1)).toMatchObject({ event: "suppressed", lines: 9 })
    expect(pending()).toBe(0)
  })
})

describe("a crash in the log", () => {
  const actor = { actor: scrub("dispatcher:slack"), actorKind: "dispatcher", incarnation: 3 }
  const error = scrub("TypeError: x is not a function")
  const exited: TelemetryEvent = { kind: "actor_exited", ...actor, reason: "error", asked: false, error }
  const restarted: TelemetryEvent = { kind: "actor_restarted", ...actor, reason: "error", delayMs: 0, error }
  const gaveUp: TelemetryEvent = {
    kind: "actor_gave_up",
    actor: scrub("channel:slack"),
    child: actor.actor,
    restarts: 3,
    withinMs: 30_000,
    reason: "error",
    error,
  }

  test("is one line together with its restart, which says why", async () => {
    const { log, parsed } = start()
    log.subscriber(exited)
    log.subscriber(restarted)
    await Promise.resolve()
    expect(parsed()).toEqual([
      {
        time: "2026-01-05T09:00:00.000Z",
        level: "warn",
        event: "actor_restarted",
        actor: "dispatcher:slack",
        actor_kind: "dispatcher",
        incarnation: 3,
        reason: "error",
        delay_ms: 0,
        error: "TypeError: x is not a function",
      },
    ])
  })

  test("is one line together with its supervisor's giving up", async () => {
    const { log, parsed } = start()
    log.subscriber(exited)
    log.subscriber(gaveUp)
    await Promise.resolve()
    expect(parsed()).toMatchObject([{ level: "error", event: "actor_gave_up", child: "dispatcher:slack", error }])
  })

  test("that nobody answers by a restart has a line of its own, at once or at the latest when the log closes", async () => {
    const { log, parsed } = start()
    log.subscriber(exited)
    await Promise.resolve()
    expect(parsed()).toMatchObject([{ event: "actor_exited", actor: "dispatcher:slack", error }])
    log.subscriber({ ...exited, actor: scrub("rescuer") })
    log.subscriber(restarted)
    expect(parsed().slice(1)).toMatchObject([
      { event: "actor_exited", actor: "rescuer" },
      { event: "actor_restarted", actor: "dispatcher:slack" },
    ])
    log.subscriber(exited)
    log.close()
    expect(parsed()).toHaveLength(4)
  })
})
