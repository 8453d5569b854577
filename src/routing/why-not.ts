/** Why a rule that fits does not tell a certain person. Of whoever it does tell, the planning says the rest. */
import type { HubEvent } from "../domain/event.ts"
import type { RecipientId } from "../domain/ids.ts"
import type { Membership, Recipient } from "../domain/recipient.ts"
import type { Audience } from "../domain/rule.ts"
import { namedUsers } from "./addressees.ts"
import type { Facts } from "./conditions/logic.ts"
import type { LoadedRule } from "./rule-set.ts"

/** A sentence. */
export type WhyNot = string

/** `known`: with all memberships; null: nobody has this id. */
export function whyNotTold(
  id: RecipientId,
  known: Recipient | null,
  rule: LoadedRule,
  event: HubEvent,
  facts: Facts,
): WhyNot {
  const { business, location } = event
  const here = known?.memberships.find((membership) => membership.business === business)
  // Whether there is such a person in another business is not for everybody who asks.
  if (here === undefined) return `${id} is no recipient of business ${business}`
  const later = rule.actions.some(
    (action) => action.type === "notify" && action.escalate.some((step) => step.to !== null && names(step.to, here)),
  )
  const reasons = rule.actions.flatMap((action) => {
    if (action.type !== "notify") return []
    const { to } = action
    if (namedUsers(to, facts, event.acceptedAt).users.includes(id)) return []
    const elsewhere = location !== null && here.locations !== null && !here.locations.includes(location)
    const wanted = wantedText(to)
    if (wanted === "") return ["the event does not name them"]
    return elsewhere && (to.everyone || to.lists.length > 0 || to.roles.some((role) => here.roles.includes(role)))
      ? [`${id} does not belong to location ${location} of business ${business}`]
      : [`${id} is ${wanted} in business ${business}${rolesText(here.roles)}`]
  })
  if (reasons.length === 0) return "the rule tells nobody of this event, or what it says to them cannot be written"
  return [...new Set(reasons), ...(later ? ["a later step is for them, unless somebody reacts before"] : [])].join("; ")

  function names(to: Audience, { roles, locations }: Membership): boolean {
    if (namedUsers(to, facts, event.acceptedAt).users.includes(id)) return true
    const there = location === null || locations === null || locations.includes(location)
    return there && (to.everyone || to.roles.some((role) => roles.includes(role)))
  }
}

function wantedText({ roles, users, lists }: Audience): string {
  const parts = [
    ...(users.length > 0 ? ["not named by the event"] : []),
    ...(roles.length > 0 ? [`not ${roles.join(" or ")}`] : []),
    ...(lists.length > 0 ? [`not on the list ${lists.join(" or ")}`] : []),
  ]
  return roles.length === 0 && lists.length === 0 ? "" : parts.join(" and ")
}

const rolesText = (roles: readonly string[]): string =>
  roles.length === 0 ? ", and has no role there" : `, but ${roles.join(", ")}`
