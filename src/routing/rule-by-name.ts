/** Finds a set's rule by its name. */
import type { LoadedRule, RuleSet } from "./rule-set.ts"

/** Sets come and go as files change; what was found out about one goes with it. */
const indexes = new WeakMap<RuleSet, ReadonlyMap<string, LoadedRule>>()

/** Null: the set has no such rule. */
export function ruleNamed(ruleSet: RuleSet, name: string): LoadedRule | null {
  let index = indexes.get(ruleSet)
  if (index === undefined) {
    index = new Map(ruleSet.rules.map((rule): [string, LoadedRule] => [rule.name, rule]))
    indexes.set(ruleSet, index)
  }
  return index.get(name) ?? null
}
