/**
 * Whose bucket an event is counted in. A caller is the key or the token's subject that it was known by, never anything
 * that it sends. A type is counted within its business, so that no tenant can use up another's; spellings of one word
 * that only differ in case or in Unicode's composition share a bucket.
 */
import { createHash } from "node:crypto"
import type { NewEvent } from "../domain/event.ts"
import type { Principal } from "../domain/principal.ts"
import type { Charge } from "../store/rate-ledger.ts"

/** Events per second; null: no limit. */
export interface Limits {
  readonly caller: number | null
  readonly business: number | null
  readonly type: number | null
}

export type LimitName = keyof Limits

/** What limits know a caller by. A person's id may be an address, so only its hash is kept. */
export const callerOf = (principal: Principal): string =>
  principal.recipient === null ? principal.label : `person:${digest(principal.recipient)}`

export const callerKey = (caller: string): string => `caller:${caller}`

/** The limit that a key belongs to. */
export function limitOf(key: string): LimitName {
  if (key.startsWith("caller:")) return "caller"
  return key.startsWith("business:") ? "business" : "type"
}

/** A request or a message as limits see it: `events` are counted everywhere, `unread` ones at their caller alone. */
export interface Load {
  /** `callerOf`; null: this way in has no callers. */
  readonly caller: string | null
  readonly events: readonly Pick<NewEvent, "business" | "type">[]
  /** What could not be read as an event. */
  readonly unread?: number
}

/** One charge for each limit that the load touches. */
export function chargesOf(limits: Limits, { caller, events, unread = 0 }: Load): readonly Charge[] {
  const charges: Charge[] = []
  const total = events.length + unread
  if (limits.caller !== null && caller !== null && total > 0)
    charges.push({ key: callerKey(caller), perSecond: limits.caller, count: total })
  if (limits.business !== null)
    charges.push(...counted(events, limits.business, ({ business }) => `business:${business}`))
  if (limits.type !== null) charges.push(...counted(events, limits.type, typeKey))
  return charges
}

type Counted = Load["events"][number]

function counted(events: readonly Counted[], perSecond: number, keyOf: (event: Counted) => string): readonly Charge[] {
  const counts = new Map<string, number>()
  for (const event of events) {
    const key = keyOf(event)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts].map(([key, count]) => ({ key, perSecond, count }))
}

/** Composition may make a word 18 times as long, and an index entry has its bound. */
const LONGEST_TYPE = 256

function typeKey({ business, type }: Counted): string {
  const folded = type.normalize("NFKC").toLowerCase()
  return `type:${business}:${folded.length > LONGEST_TYPE ? digest(folded) : folded}`
}

const digest = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 22)
