/** From an action and the answer about its audience to the turn in which it tells. */
import type { RoutingFailure } from "../domain/decision.ts"
import type { HubEvent } from "../domain/event.ts"
import type { RecipientId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Digest, KeyExpression } from "../domain/rule.ts"
import { namedUsers } from "./addressees.ts"
import { type Facts, LogicFailed } from "./conditions/logic.ts"
import { type GatePlace, keyValue, limitKey } from "./gate-keys.ts"
import type { LoadedAction, LoadedNotify, LoadedRule } from "./rule-set.ts"
import { eachInSlices, LIGHT, type Sliced } from "./slices.ts"

/** An action of a rule, by its place. */
export interface Taken<A extends LoadedAction = LoadedAction> {
  readonly rule: LoadedRule
  readonly place: number
  readonly action: A
}

/**
 * The gates of the action's limits for each of these people. A key that this event makes impossible to compute counts as
 * none, and is a failure.
 */
export function* limitKeysInSlices(
  { rule, place, action }: Taken<LoadedNotify>,
  people: readonly Recipient[],
  event: HubEvent,
  facts: Facts,
): Sliced<{
  readonly keys: ReadonlyMap<RecipientId, readonly string[]>
  readonly failures: readonly RoutingFailure[]
}> {
  const keys = new Map<RecipientId, readonly string[]>()
  if (action.limits.length === 0 || people.length === 0) return { keys, failures: [] }
  const failures: RoutingFailure[] = []
  const at: GatePlace = { rule: rule.name, action: place, business: event.business, mode: action.mode }
  const places = new Map<string, number>()
  const limits = action.limits.map((limit) => {
    const nth = places.get(limit.word) ?? 0
    places.set(limit.word, nth + 1)
    const { value, failure } = computed(rule, `${limit.word}.key`, limit.key, facts, event)
    if (failure !== null) failures.push(failure)
    return { limit, nth, value }
  })
  yield* eachInSlices(
    people,
    ({ id }) => {
      const own = limits.map(({ limit, nth, value }) => limitKey(at, limit, nth, id, value))
      keys.set(id, own)
    },
    LIGHT,
  )
  return { keys, failures }
}

/** The value of a rule's key, or null with a failure. */
export function computed(
  rule: LoadedRule,
  what: string,
  key: KeyExpression | null,
  facts: Facts,
  event: HubEvent,
): { readonly value: Json; readonly failure: RoutingFailure | null } {
  try {
    return { value: keyValue(key, facts, event), failure: null }
  } catch (error) {
    if (!(error instanceof LogicFailed)) throw error
    return { value: null, failure: { rule: rule.name, reason: `${what}: ${error.message}` } }
  }
}

/** A rule that tells only the people whom its events name gathers for each of them, unless it says otherwise. */
export function digestValue(
  rule: LoadedRule,
  { to }: LoadedNotify,
  { key }: Digest,
  event: HubEvent,
  facts: Facts,
): { readonly value: Json; readonly failure: RoutingFailure | null } {
  if (key !== null) return computed(rule, "digest.key", key, facts, event)
  const namesOnly = to.users.length > 0 && to.roles.length === 0 && to.lists.length === 0 && !to.everyone
  return { value: namesOnly ? namedUsers(to, facts, event.acceptedAt).users.toSorted() : null, failure: null }
}

/** When nothing of it is sent any more: counted from the oldest event. Null: it does not expire. */
export const expiryOf = ({ expiresInMs }: LoadedNotify, events: readonly HubEvent[]): number | null =>
  expiresInMs === null ? null : Math.min(...events.map(({ acceptedAt }) => acceptedAt)) + expiresInMs
