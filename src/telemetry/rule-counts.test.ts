import { expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { NO_COUNTS, ruleTally } from "./rule-counts.ts"

test("what rules did is added up for those that run, and a rule that is gone is forgotten", () => {
  let running = ["a", "b"]
  const clock = fakeClock()
  const tally = ruleTally(clock, (rule) => running.includes(rule))
  const counted = (rule: string, counts: object) =>
    tally.subscriber({ kind: "rules_counted", rules: { [rule]: { ...NO_COUNTS, ...counts } } })
  counted("a", { matched: 2, notified: 3 })
  const at = clock.wall().getTime()
  counted("a", { matched: 0, suppressed: 1, failed: 1 })
  counted("stranger", { matched: 9 })
  expect(tally.of("a")).toEqual({ matched: 2, notified: 3, suppressed: 1, failed: 1, lastMatchedAt: at })
  expect(tally.of("b")).toEqual({ ...NO_COUNTS, lastMatchedAt: null })
  expect(tally.matches()).toEqual([{ labels: { rule: "a" }, value: 2 }])
  running = ["b"]
  tally.subscriber({ kind: "rules_loaded", revision: "r2", rules: 1, templates: 0, ms: 1 })
  expect(tally.matches()).toEqual([])
  expect(tally.of("a").matched).toBe(0)
})
