import { describe, expect, test } from "bun:test"
import type { HubEvent } from "../domain/event.ts"
import { countingIds } from "../domain/ids.ts"
import { business } from "../testing/builders.ts"
import { hubEvent } from "../testing/rule-fixtures.ts"
import { atMinute } from "../testing/rule-world.ts"
import { factsOf } from "./facts.ts"
import { inhibitorQuery } from "./inhibitors.ts"

const ids = countingIds()
const earlierId = ids.event()
const event = hubEvent({ id: ids.event(), acceptedAt: atMinute(10), payload: { site: { n: 1, m: 2 } } })
const laterId = ids.event()

const fits = (changes: Partial<HubEvent>): boolean => {
  const inhibition = {
    eventTypes: ["site.down", "power.**"],
    equal: ["payload.site", "event.location_id"],
    withinMs: 5 * 60_000,
  }
  const candidate = { ...event, id: earlierId, type: "site.down", acceptedAt: atMinute(9), ...changes }
  return inhibitorQuery(inhibition, event, factsOf(event)).fits(candidate)
}

describe("an event silences a later one", () => {
  test.each([
    ["of equal values, whatever the order of their keys", { payload: { site: { m: 2, n: 1 } } }, true],
    ["whose type fits another of the patterns", { type: "power.grid.off" }, true],
    ["accepted as early as the rule allows", { acceptedAt: atMinute(5) }, true],
    ["accepted in the same millisecond, by the order of their ids", { acceptedAt: atMinute(10) }, true],
    ["but not of another type", { type: "site.up" }, false],
    ["but not of other values", { payload: { site: { n: 1 } } }, false],
    ["but not of another business", { business: business("b2") }, false],
    ["but not too long before", { acceptedAt: atMinute(5) - 1 }, false],
    ["but not after it", { acceptedAt: atMinute(11) }, false],
    ["but not after it within a millisecond", { acceptedAt: atMinute(10), id: laterId }, false],
    ["but not itself", { acceptedAt: event.acceptedAt, id: event.id }, false],
  ] as const)("%s", (_, changes, expected) => {
    expect(fits(changes)).toBe(expected)
  })
})
