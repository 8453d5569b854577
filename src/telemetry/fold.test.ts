import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { fakeClock } from "../testing/fake-clock.ts"
import type { TelemetryEvent } from "./events.ts"
import { createFold, type LeftOut } from "./fold.ts"
import { levelOf } from "./level.ts"
import { scrub } from "./scrub.ts"

const crash = (actor: string, incarnation = 1): TelemetryEvent => ({
  kind: "actor_restarted",
  actor: scrub(actor),
  actorKind: "dispatcher",
  incarnation,
  delayMs: 0,
  reason: "error",
  error: scrub("boom"),
})
const bug = (where: string): TelemetryEvent => ({ kind: "bug_found", where, error: scrub("boom") })
const opened = (channel: string): TelemetryEvent => ({
  kind: "breaker_opened",
  channel,
  reason: "timeout",
  forMs: 1_000,
})
const down: TelemetryEvent = { kind: "database_down", error: scrub("away") }

function start() {
  const clock = fakeClock()
  const leftOut: LeftOut[] = []
  /** When a line was written, in milliseconds. */
  const lines: number[] = []
  const fold = createFold(clock, (_, one) => {
    leftOut.push(one)
    lines.push(clock.now())
  })
  const say = (event: TelemetryEvent): boolean => {
    const admitted = fold.admits(event, levelOf(event))
    if (admitted) lines.push(clock.now())
    return admitted
  }
  return { clock, fold, leftOut, lines, say }
}

/** The most lines in any second. */
const most = (lines: readonly number[]): number =>
  Math.max(0, ...lines.map((from) => lines.filter((at) => at >= from && at < from + 1_000).length))

describe("what repeats", () => {
  test("a hundred times a second is a few lines a second, for as long as it lasts", async () => {
    const { clock, leftOut, lines, say } = start()
    for (let n = 0; n < 3_000; n += 1) {
      say(crash("dispatcher:slack", n))
      say(crash("channel:slack", n))
      say({
        kind: "delivery_settled",
        channel: "slack",
        deliveryId: "dlv_1",
        status: "dead",
        reason: "x",
        latencySeconds: 1,
      })
      await clock.advance(10)
    }
    expect(most(lines)).toBeLessThanOrEqual(7)
    await clock.advance(2_000)
    const said = leftOut.reduce((all, one) => all + one.lines, 0)
    expect(said + lines.length - leftOut.length).toBe(9_000)
    expect(Object.keys(leftOut[3]?.of ?? {}).sort()).toEqual([
      "actor_restarted channel:slack",
      "actor_restarted dispatcher:slack",
      "delivery_settled slack",
    ])
  })

  test("leaves room for a trouble that is new, of another kind or of somebody else", async () => {
    const { clock, say } = start()
    for (let n = 0; n < 200; n += 1) {
      for (const one of ["dispatcher:slack", "channel:slack", "rescuer"]) say(crash(one))
      await clock.advance(10)
    }
    expect(say(crash("nats"))).toBe(true)
    expect(say(down)).toBe(true)
  })

  test("is told apart by whom it is about, though not without end", async () => {
    const { say, clock, leftOut } = start()
    for (let n = 0; n < 5_000; n += 1) say(crash(`topic:${n}`))
    await clock.advance(1_000)
    expect(Object.keys(leftOut[0]?.of ?? {}).length).toBeLessThanOrEqual(500)
    expect(leftOut[0]?.lines).toBe(5_000 - 6)
    // Their time is over, so names are told again.
    expect(say(opened("slack"))).toBe(true)
    expect(say(opened("slack"))).toBe(true)
  })

  test("of a start's many steps is written, and so is each warning about a setting", () => {
    const { say } = start()
    const steps = Array.from({ length: 10 }, (_, n) => say({ kind: "migration_applied", name: String(n), ms: 1 }))
    const warnings = Array.from({ length: 9 }, (_, n) =>
      say({ kind: "config_warning", setting: `S${n}`, problem: "x" }),
    )
    expect([...steps, ...warnings]).not.toContain(false)
  })
})

test("whatever goes wrong, and however often, is under ten lines in any second, and every event is written or counted", async () => {
  const names = ["slack", "telegram", "email", "sms"]
  const trouble = fc.oneof(
    fc.constantFrom(...names).map((name) => crash(`dispatcher:${name}`)),
    fc.constantFrom(...names).map((name) => opened(name)),
    fc.constantFrom(...names).map((name) => bug(`channels/${name}`)),
    fc.constant(down),
  )
  const step = fc.record({ trouble, times: fc.integer({ min: 1, max: 20 }), waitMs: fc.integer({ min: 0, max: 700 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const { clock, fold, leftOut, lines, say } = start()
      let events = 0
      for (const { trouble, times, waitMs } of steps) {
        for (let n = 0; n < times; n += 1) say(trouble)
        events += times
        await clock.advance(waitMs)
      }
      fold.close()
      expect(most(lines.slice(0, -1))).toBeLessThan(10)
      expect(lines.length - leftOut.length + leftOut.reduce((all, one) => all + one.lines, 0)).toBe(events)
    }),
    { numRuns: 300 },
  )
})
