/** What a `webhook` action posts: a delivery to a system, of which nobody has a notification. */
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { canonical } from "../domain/json.ts"
import type { WebhookAction } from "../domain/rule.ts"
import type { Facts } from "./conditions/logic.ts"
import { itemOf } from "./facts.ts"
import type { LoadedRule, RuleSet } from "./rule-set.ts"

interface Posting {
  readonly ruleSet: RuleSet
  readonly rule: LoadedRule
  readonly place: number
  readonly action: WebhookAction
  readonly event: HubEvent
  readonly facts: Facts
}

/** The body is the event with its payload, and which rule of which revision posts it. */
export function webhookDelivery({ ruleSet, rule, place, action, event, facts }: Posting, id: DeliveryId): NewDelivery {
  const { url, secret, mode } = action
  const body = canonical({ ...itemOf(facts), rule: rule.name, rules_revision: ruleSet.revision })
  return {
    id,
    event: event.id,
    notifications: [],
    rule: rule.name,
    rulesRevision: ruleSet.revision,
    business: event.business,
    channel: "webhook",
    priority: "normal",
    // Two actions may post to one address with different secrets.
    addressKey: `${place}:${url}`,
    action: place,
    round: null,
    expiresAt: null,
    holdUnknown: false,
    failover: false,
    wishes: false,
    start:
      mode === "shadow"
        ? { status: "suppressed", reason: "shadow" }
        : { status: "queued", message: { channel: "webhook", url, secret, body } },
  }
}
