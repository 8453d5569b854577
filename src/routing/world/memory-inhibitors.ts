/** Which event silences another, for events that are given in the order of their acceptance: the latest of each sort is enough. */
import type { HubEvent } from "../../domain/event.ts"
import type { Inhibition } from "../../domain/rule.ts"
import type { FindInhibitors, InhibitorQuery } from "../../store/decision-ports.ts"
import { eventTypeFits } from "../event-pattern.ts"
import { factsOf } from "../facts.ts"
import { valuesAt } from "../inhibitors.ts"
import type { RuleSet } from "../rule-set.ts"

type Sort = Pick<Inhibition, "eventTypes" | "equal">

export class MemoryInhibitors {
  readonly #sorts = new Map<string, Sort>()
  /** The latest event by sort, business and values. */
  readonly #latest = new Map<string, HubEvent>()
  readonly #byType = new Map<string, readonly (readonly [string, Sort])[]>()

  constructor({ rules }: RuleSet) {
    for (const { inhibitedBy } of rules.flatMap((rule) => rule.actions)) {
      if (inhibitedBy !== null) this.#sorts.set(nameOf(inhibitedBy), inhibitedBy)
    }
  }

  /** After it was decided: no event silences itself. */
  remember(event: HubEvent): void {
    if (this.#sorts.size === 0) return
    const sorts = this.#sortsOf(event.type)
    if (sorts.length === 0) return
    const facts = factsOf(event)
    for (const [name, { equal }] of sorts) this.#latest.set(keyOf(name, event, valuesAt(equal, facts)), event)
  }

  readonly find: FindInhibitors = async (queries) => queries.map((query) => this.#answer(query))

  #answer(query: InhibitorQuery): HubEvent | null {
    const { event, equal, fits } = query
    const latest = this.#latest.get(keyOf(nameOf(query), event, valuesAt(equal, factsOf(event))))
    return latest !== undefined && fits(latest) ? latest : null
  }

  #sortsOf(type: string): readonly (readonly [string, Sort])[] {
    let sorts = this.#byType.get(type)
    if (sorts === undefined) {
      sorts = [...this.#sorts].filter(([, { eventTypes }]) =>
        eventTypes.some((pattern) => eventTypeFits(pattern, type)),
      )
      this.#byType.set(type, sorts)
    }
    return sorts
  }
}

const nameOf = ({ eventTypes, equal }: Sort): string => JSON.stringify([eventTypes, equal])
const keyOf = (name: string, { business }: HubEvent, values: string): string => `${name}\n${business}\n${values}`
