/**
 * The one door: whatever an event came by, it becomes durable here, and only what this returns may be acknowledged.
 * Concurrent callers share commits; after each commit the news of it goes out in one tick.
 */
import type { News, PubSub } from "../pubsub/pubsub.ts"
import type { Clock } from "../runtime/clock.ts"
import { createDeadlines } from "../runtime/deadlines.ts"
import { createBatcher } from "../store/batcher.ts"
import type { Database } from "../store/database.ts"
import { type Incoming, insertEvents, type Stored, type Unheard } from "../store/events.ts"
import { withOffset } from "../store/streams.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { acceptWait } from "./accept-wait.ts"
import { createGlimpses } from "./glimpses.ts"

export type Accepted = Stored | { readonly kind: "unstorable"; readonly sqlstate: string }

/** `overloaded`: nothing was taken. `late`: no commit within the deadline; it may still happen, so a repeat needs a key. */
export type AcceptResult = readonly Accepted[] | "overloaded" | "late"

export interface Accept {
  /** `via` names the door for telemetry: http, resources. Results stand in the order of the items. Throws what the database throws. */
  (items: readonly Incoming[], via: string): Promise<AcceptResult>
  /** How long an event that came now would wait, in milliseconds. Absent: nobody knows. */
  readonly expectedWaitMs?: () => number
}

export interface AcceptOptions {
  readonly db: Database
  readonly pubsub: PubSub
  readonly clock: Clock
  readonly telemetry: Emitter
  /** Types whose events nobody waits for in the router; asked once a batch. Absent or null: all are routed by it. */
  readonly unheard?: () => Unheard | null
  readonly maxItems?: number
  readonly maxInFlight?: number
  readonly maxWaiting?: number
  readonly deadlineMs?: number
}

interface Entry {
  readonly incoming: Incoming
  readonly via: string
}

export function createAccept(options: AcceptOptions): Accept {
  const { db, clock } = options
  const maxWaiting = options.maxWaiting ?? 10_000

  const glimpses = createGlimpses(clock)
  const run = async (entries: readonly Entry[]): Promise<readonly Accepted[]> => {
    const began = clock.now()
    // Written once, for the row and for the screens.
    const incoming = entries.map((entry) => ({
      ...entry.incoming,
      payloadText: JSON.stringify(entry.incoming.event.payload),
    }))
    const unheard = options.unheard?.() ?? null
    const results = await insertOrBisect(db, incoming, clock.wall().getTime(), unheard)
    const passing = glimpses(incoming, results)
    const news = newsOf(incoming, results, unheard)
    options.pubsub.publish(passing === null ? news : [...news, passing])
    report(options.telemetry, entries, results, { unheard, ms: clock.now() - began })
    return results
  }
  const maxItems = options.maxItems ?? 256
  const maxInFlight = options.maxInFlight ?? 2
  const wait = acceptWait(clock, { items: maxItems, inFlight: maxInFlight })
  const batcher = createBatcher<Entry, Accepted>({
    run: (entries) => wait.timed(() => run(entries)),
    maxItems,
    maxInFlight,
    maxWaiting,
  })

  const inTime = createDeadlines(clock, options.deadlineMs ?? 10_000)

  const accept: Accept = async (items, via) => {
    // All of one call or nothing of it, so that a refusal never leaves a part behind.
    if (batcher.waiting + items.length > maxWaiting) return "overloaded"
    const submit = (incoming: Incoming): Promise<Accepted> => {
      const result = batcher.submit({ incoming, via })
      if (result === null) throw new Error("the batcher refused within its own bound")
      return result
    }
    const [only] = items
    if (only === undefined || items.length > 1) return inTime(Promise.all(items.map(submit)))
    const result = await inTime(submit(only))
    return result === "late" ? result : [result]
  }
  return Object.assign(accept, { expectedWaitMs: () => wait.expectedMs(batcher.waiting) })
}

/** One poisoned item must not fail its neighbours: a batch that the database refuses is halved until it stands alone. */
async function insertOrBisect(
  db: Database,
  items: readonly Incoming[],
  wall: number,
  unheard: Unheard | null,
): Promise<readonly Accepted[]> {
  try {
    return await insertEvents(db, items, wall, unheard)
  } catch (error) {
    const sqlstate = badData(error)
    if (sqlstate === null) throw error
    if (items.length === 1) return [{ kind: "unstorable", sqlstate }]
    const middle = Math.ceil(items.length / 2)
    const left = await insertOrBisect(db, items.slice(0, middle), wall, unheard)
    const right = await insertOrBisect(db, items.slice(middle), wall, unheard)
    return [...left, ...right]
  }
}

/** SQLSTATE of "this value is wrong" (22) or "this row is not allowed" (23); everything else is not the item's fault. */
function badData(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null
  return /^2[23][0-9A-Z]{3}$/.test(error.code) ? error.code : null
}

function newsOf(
  items: readonly (Incoming & { readonly payloadText: string })[],
  results: readonly Accepted[],
  unheard: Unheard | null,
): readonly News[] {
  const messages: News[] = []
  let count = 0
  let toRoute = 0
  results.forEach((result, index) => {
    const item = items[index]
    if (result.kind !== "accepted" || item === undefined) return
    count += 1
    if (!unheard?.includes(item.event.type)) toRoute += 1
    for (const { stream, position } of result.positions)
      messages.push({
        kind: "stream_message",
        stream,
        event: "resource_update",
        position,
        payload: withOffset(item.payloadText, position),
      })
  })
  return count === 0 ? messages : [{ kind: "events_accepted", count, toRoute }, ...messages]
}

function report(
  telemetry: Emitter,
  entries: readonly Entry[],
  results: readonly Accepted[],
  { unheard, ms }: { readonly unheard: Unheard | null; readonly ms: number },
): void {
  const doors = new Map<
    string,
    { count: number; duplicates: number; unheard: number; byType: Record<string, number> }
  >()
  entries.forEach(({ incoming, via }, index) => {
    let door = doors.get(via)
    if (door === undefined) {
      door = { count: 0, duplicates: 0, unheard: 0, byType: Object.create(null) }
      doors.set(via, door)
    }
    const kind = results[index]?.kind
    if (kind === "duplicate") door.duplicates += 1
    if (kind !== "accepted") return
    door.count += 1
    if (unheard?.includes(incoming.event.type)) door.unheard += 1
    door.byType[incoming.event.type] = (door.byType[incoming.event.type] ?? 0) + 1
  })
  for (const [via, door] of doors)
    if (door.count + door.duplicates > 0) telemetry.emit({ kind: "events_accepted", via, ...door, ms })
}
