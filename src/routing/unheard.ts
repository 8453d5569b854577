/**
 * Most events of a business are only shown, and no rule names their type. What follows from them needs no router: they
 * are routed by the statement that stores them, which spares each a claim, a transaction and two rows.
 */
import type { Unheard } from "../store/events.ts"
import type { RuleSet } from "./rule-set.ts"

export interface UnheardTypes {
  /** The router has kept this set in the database. */
  readonly kept: (ruleSet: RuleSet) => void
  /** Null while the set that runs is not kept: what is stored of a decision names its rules. */
  readonly now: () => Unheard | null
}

/** `rules`: the set that runs now. */
export function unheardTypes(rules: () => RuleSet): UnheardTypes {
  let keptHash = ""
  let asked: RuleSet | null = null
  let known: Unheard | null = null
  return {
    kept({ hash }) {
      keptHash = hash
    },
    now() {
      const ruleSet = rules()
      if (ruleSet.hash !== keptHash) return null
      if (ruleSet !== asked) {
        asked = ruleSet
        known = { revision: ruleSet.revision, includes: (type) => ruleSet.rulesFor(type).length === 0 }
      }
      return known
    },
  }
}
