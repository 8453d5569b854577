/** The rules that timers were made under: those that run now, or those that were kept when they ran. */
import type { NewTimer } from "../domain/timer.ts"
import type { Database } from "../store/database.ts"
import { getRuleSet } from "../store/rule-sets.ts"
import { ruleSetFrom } from "./load.ts"
import { explainRuleError } from "./rule-error.ts"
import type { RuleSet } from "./rule-set.ts"

/** Sets that are held ready. A change of the rules makes one, and timers of more than a few changes ago are rare. */
const MOST_HELD = 8

type Made = Pick<NewTimer, "rulesHash" | "rulesRevision">

export class KeptRules {
  readonly #db: Database
  readonly #onBug: (error: unknown) => void
  /** Null: not kept, or this version cannot run it. The one that was used longest ago is first. */
  readonly #held = new Map<string, RuleSet | null>()

  /** `onBug` hears of a set that was kept and cannot be loaded. */
  constructor(db: Database, onBug: (error: unknown) => void) {
    this.#db = db
    this.#onBug = onBug
  }

  /** Loads what these timers need and is not at hand. Throws the driver's error. */
  async prepare(timers: readonly Made[], current: RuleSet): Promise<void> {
    const missing = new Set(timers.filter((timer) => !runsNow(timer, current)).map(({ rulesHash }) => rulesHash))
    for (const hash of missing) {
      const held = this.#held.get(hash)
      const ruleSet = held === undefined ? await this.#load(hash) : held
      this.#held.delete(hash)
      this.#held.set(hash, ruleSet)
    }
    for (const hash of this.#held.keys()) {
      if (this.#held.size <= Math.max(MOST_HELD, missing.size)) break
      this.#held.delete(hash)
    }
  }

  /** The timer's own set, where `prepare` found it; else that which runs now, by the name of its rule. */
  of(timer: Made, current: RuleSet): RuleSet {
    return runsNow(timer, current) ? current : (this.#held.get(timer.rulesHash) ?? current)
  }

  async #load(hash: string): Promise<RuleSet | null> {
    const kept = await getRuleSet(this.#db, hash)
    if (kept === null) return null
    const loaded = ruleSetFrom(kept.files, { revision: kept.revision, wallMillis: 0 })
    if ("ok" in loaded) return loaded.ok
    this.#onBug(
      new Error(
        `rules that ran once do not load any more: ${loaded.errors.slice(0, 3).map(explainRuleError).join("; ")}`,
      ),
    )
    return null
  }
}

/** A failover knows only the revision of its delivery, and content that is the same has several revisions. */
const runsNow = ({ rulesHash, rulesRevision }: Made, { hash, revision }: RuleSet): boolean =>
  rulesHash === hash || rulesRevision === revision
