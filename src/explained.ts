/** What `POST /v1/rules/explain` needs of the rooms: how an event is read, who it concerns, what the rules make of it. */
import type { HubEvent } from "./domain/event.ts"
import { eventView } from "./domain/event.ts"
import { asEventId, newEventId } from "./domain/ids.ts"
import { confinedTo, maySee, type Principal } from "./domain/principal.ts"
import type { Problem } from "./http/problem.ts"
import type { RulesDeps } from "./http/rules.ts"
import { prepare, readAny } from "./ingest/item.ts"
import { explainEvent, explainedJson } from "./routing/explain-event.ts"
import type { RuleSet } from "./routing/rule-set.ts"
import type { PlanSettings } from "./routing/telling.ts"
import type { Clock } from "./runtime/clock.ts"
import { audienceOf } from "./store/audience.ts"
import type { Database } from "./store/database.ts"
import { getEvent } from "./store/events.ts"
import { inhibitorsOf } from "./store/inhibitors.ts"
import { getRecipient } from "./store/recipients.ts"

export interface ExplainingDeps {
  readonly db: Database
  readonly clock: Clock
  readonly rules: () => RuleSet
  readonly settings: PlanSettings
}

export const explaining = ({ db, clock, rules, settings }: ExplainingDeps): Omit<RulesDeps, "running"> => ({
  read(value, principal): HubEvent | Problem {
    const now = clock.wall().getTime()
    const item = prepare(value, readAny, (draft) => ({ draft }), { tenancy: principal.tenancy, now })
    switch (item.kind) {
      case "refused":
        return item.problem
      case "ready":
        return { ...item.incoming.event, id: newEventId(now), acceptedAt: now }
    }
  },

  async recorded(text, { tenancy }) {
    const id = asEventId(text)
    const event = id === null ? null : await getEvent(db, id)
    return event !== null && maySee(tenancy, event.business, event.location) ? event : null
  },

  async explain(event, asked, principal) {
    const person = async (id: Parameters<typeof getRecipient>[1]) => visibleTo(principal, await getRecipient(db, id))
    const ports = { audience: audienceOf(db), inhibitors: inhibitorsOf(db), person }
    const explained = await explainEvent(rules(), event, ports, { settings, ...asked })
    return { event: eventView(event), ...explainedJson(explained) }
  },
})

/** Somebody of another tenant is nobody. */
function visibleTo({ tenancy }: Principal, found: Awaited<ReturnType<typeof getRecipient>>) {
  const businesses = confinedTo(tenancy)
  const seen = businesses === null || found?.memberships.some(({ business }) => businesses.includes(business)) === true
  return seen ? found : null
}
