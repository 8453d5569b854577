/**
 * What each rule did lately: counted by this node since it started, for whoever looks at the rules. A hub's nodes share
 * the work, so the sum over all nodes is in the metric; nothing is written for it, and a restart begins anew.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Subscriber } from "./bus.ts"
import type { Reading } from "./registry.ts"

/** `notified` and `suppressed`: people, of whom the second were not to be told (cooldown, throttle, shadow, too late). */
export interface RuleCounts {
  readonly matched: number
  readonly notified: number
  readonly suppressed: number
  /** What could not be carried out. */
  readonly failed: number
}

export interface RuleLately extends RuleCounts {
  /** Milliseconds since the Unix epoch; null: not since this node started. */
  readonly lastMatchedAt: number | null
}

export const NO_COUNTS: RuleCounts = { matched: 0, notified: 0, suppressed: 0, failed: 0 }

export interface RuleTally {
  readonly subscriber: Subscriber
  of(rule: string): RuleLately
  /** Matches of each rule that runs and has matched. */
  readonly matches: () => Reading
}

/** `runs`: whether a rule does now. Those that ran before are forgotten, or every renamed rule would be a series for ever. */
export function ruleTally(clock: Clock, runs: (rule: string) => boolean): RuleTally {
  const counts = new Map<string, RuleLately>()
  const of = (rule: string): RuleLately => counts.get(rule) ?? { ...NO_COUNTS, lastMatchedAt: null }
  return {
    of,
    matches: () => [...counts].map(([rule, { matched }]) => ({ labels: { rule }, value: matched })),
    subscriber(event) {
      if (event.kind !== "rules_counted" && event.kind !== "rules_loaded") return
      if (event.kind === "rules_loaded") {
        for (const rule of counts.keys()) if (!runs(rule)) counts.delete(rule)
        return
      }
      const now = clock.wall().getTime()
      for (const [rule, more] of Object.entries(event.rules)) {
        if (!runs(rule)) continue
        const before = of(rule)
        counts.set(rule, {
          matched: before.matched + more.matched,
          notified: before.notified + more.notified,
          suppressed: before.suppressed + more.suppressed,
          failed: before.failed + more.failed,
          lastMatchedAt: more.matched > 0 ? now : before.lastMatchedAt,
        })
      }
    },
  }
}
