/** What a batch came to for each of its rules. Rules that only listened are left out. */
import type { Plan } from "../domain/plan.ts"
import { NO_COUNTS, type RuleCounts } from "../telemetry/rule-counts.ts"

type Counted = Pick<Plan, "notifications" | "failures"> & Partial<Pick<Plan, "decisions">>

/** Reasons of those who are told: the others give why nobody tells them. */
const TOLD: readonly (string | null)[] = [null, "digest"]

export function countsByRule(batch: readonly Counted[]): Readonly<Record<string, RuleCounts>> {
  const counts = new Map<string, { -readonly [K in keyof RuleCounts]: number }>()
  const of = (rule: string) => {
    let own = counts.get(rule)
    if (own === undefined) {
      own = { ...NO_COUNTS }
      counts.set(rule, own)
    }
    return own
  }
  for (const { decisions = [], notifications, failures } of batch) {
    for (const { rule, matched } of decisions) if (matched) of(rule).matched += 1
    for (const { rule, reason } of notifications) of(rule)[TOLD.includes(reason) ? "notified" : "suppressed"] += 1
    for (const { rule } of failures) if (rule !== null) of(rule).failed += 1
  }
  return Object.fromEntries(counts)
}
