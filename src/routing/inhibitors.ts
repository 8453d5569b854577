/** Which earlier event silences a later one: the question to the store. */
import type { HubEvent } from "../domain/event.ts"
import { canonical, type Json } from "../domain/json.ts"
import type { Inhibition } from "../domain/rule.ts"
import type { InhibitorQuery } from "../store/decision-ports.ts"
import type { Facts } from "./conditions/logic.ts"
import { ownValue } from "./conditions/own-path.ts"
import { eventTypeFits } from "./event-pattern.ts"
import { factsOf } from "./facts.ts"

/** The values that must be equal, as one text. What is missing on both sides is equal. */
export const valuesAt = (equal: readonly string[], facts: Facts): string =>
  // Own values of an event's facts: JSON, or nothing.
  canonical(equal.map((path) => (ownValue(facts, path) ?? null) as Json))

/** True where the first was accepted before the second; of one millisecond, by the order of their ids. */
const isBefore = (a: HubEvent, b: HubEvent): boolean =>
  a.acceptedAt < b.acceptedAt || (a.acceptedAt === b.acceptedAt && a.id < b.id)

/** Is there an event that silences this one? */
export function inhibitorQuery(
  { eventTypes, equal, withinMs }: Inhibition,
  event: HubEvent,
  facts: Facts,
): InhibitorQuery {
  let wanted: string | null = null
  return {
    event,
    eventTypes,
    equal,
    withinMs,
    fits(candidate) {
      if (candidate.business !== event.business || candidate.acceptedAt < event.acceptedAt - withinMs) return false
      if (!isBefore(candidate, event) || !eventTypes.some((type) => eventTypeFits(type, candidate.type))) return false
      wanted ??= valuesAt(equal, facts)
      return valuesAt(equal, factsOf(candidate)) === wanted
    },
  }
}
