/**
 * Names of what rules remember. What a key was made of cannot be read back: it may hold a person's id or payload data.
 */
import type { PersonalChannel } from "../domain/channel.ts"
import type { HubEvent } from "../domain/event.ts"
import type { BusinessId, RecipientId, RuleName } from "../domain/ids.ts"
import { canonical, type Json } from "../domain/json.ts"
import type { Audience, KeyExpression, Limit, NotifyAction } from "../domain/rule.ts"
import { evaluate, type Facts } from "./conditions/logic.ts"

/** Where a gate stands: an action of a rule, for one business. */
export interface GatePlace {
  readonly rule: RuleName
  /** The action's place in its rule. */
  readonly action: number
  readonly business: BusinessId
  /** What was only recorded counts for nothing that is sent. */
  readonly mode: NotifyAction["mode"]
}

/** What a key expression says of an event; null where it says nothing. Throws LogicFailed. */
export function keyValue(key: KeyExpression | null, facts: Facts, { acceptedAt }: HubEvent): Json {
  if (key === null) return null
  // JSONLogic gives back what is in the event, or what it makes of it: both are JSON.
  return (evaluate(key, facts, acceptedAt) ?? null) as Json
}

const hashed = (parts: Json): string => Bun.CryptoHasher.hash("sha256", canonical(parts), "hex")

/**
 * The gate of a digest. Keys of digests sort before those of limits: whoever fires a digest holds its gate first, reads
 * the digest's events, and only then knows which limits to hold. A digest is told as its first event found the rule: where
 * the rule names others since, or has become a live one, what comes goes into a digest of its own.
 */
export const digestKey = ({ rule, action, business, mode }: GatePlace, to: Audience, value: Json): string => {
  return `digest:${hashed([rule, action, business, mode, [to.roles, to.users, to.lists, to.everyone], value])}`
}

/** The gate of one limit for one person. `nth`: the limit's place among those of its word. */
export const limitKey = (
  { rule, action, business, mode }: GatePlace,
  { word }: Limit,
  nth: number,
  recipient: RecipientId,
  value: Json,
): string => `limit:${hashed([rule, action, business, mode, word, nth, recipient, value])}`

/** One address's part of it, which gives away neither. */
export const placeKey = (key: string, channel: PersonalChannel, address: string): string =>
  hashed([key, channel, address])

/** What later news of the same thing has in common with it, by whichever action of the rule. */
export const updateKey = (business: BusinessId, rule: RuleName, value: Json): string => hashed([rule, business, value])
