/**
 * One look at the sources: who has fallen silent, who speaks again, and when the next one could fall silent. An alarm is
 * a row first and an event after it, so that nodes which look at once, or die in between, make one alarm of it.
 */
import { type BusinessId, DEFAULT_BUSINESS, type EventId } from "../domain/ids.ts"
import { heldAgain, judge, type SourcePromise } from "../domain/source-promise.ts"
import type { Database } from "../store/database.ts"
import type { Incoming } from "../store/events.ts"
import {
  businessesOf,
  endSilence,
  forgetPromises,
  knowPromises,
  lastHeard,
  openSilence,
  type SilentSource,
  silenceOver,
  silenceTold,
  silentSources,
} from "../store/silent-sources.ts"
import type { Accept } from "./accept.ts"
import { resumedEvent, silentEvent } from "./silence-event.ts"

/** Businesses of one source that are watched. */
const MOST_BUSINESSES = 1_000
/** Events that one statement may have to read: 20,000 took 120 ms on two cores, and a statement has 5 s. */
const READ_AT_ONCE = 20_000

export interface LookOptions {
  readonly db: Database
  readonly accept: Accept
  readonly promises: readonly SourcePromise[]
  /** What the look before this one knew. */
  readonly known: Known
  /** Wall milliseconds. */
  readonly now: number
  /** Before this moment nobody is called silent: the hub itself may have been deaf. */
  readonly notBefore: number
}

/**
 * Since when this node has known each promise, in wall milliseconds. The database remembers one for a source; nodes whose
 * rules differ, while new ones are rolled out, would each make the other's look new at every look.
 */
export type Known = ReadonlyMap<string, number>

export interface Seen {
  /** For the next look. */
  readonly known: Known
  /** Open alarms about sources that are promised now. */
  readonly silent: readonly SilentSource[]
  /** When the next source could fall silent; null where nothing is promised. */
  readonly next: number | null
}

/** The door is shut for a moment: look again. */
export class NotAccepted extends Error {
  override readonly name = "NotAccepted"
}

/** One source in one business, under the promise that holds there. */
interface Watched {
  readonly promise: SourcePromise
  readonly business: BusinessId
  readonly firstSeen: number
  readonly heard: readonly number[]
}

/** Throws what the database throws, and NotAccepted. */
export async function look(options: LookOptions): Promise<Seen> {
  const { db, promises, now, notBefore } = options
  await tell(options, await silentSources(db))
  if (promises.length === 0) {
    await forgetPromises(db, now)
    return { known: new Map(), silent: [], next: null }
  }
  const alarms = new Map((await silentSources(db)).map((alarm) => [pair(alarm), alarm]))
  const firstSeen = await remember(options)
  const watched = await watch(options, firstSeen, [...alarms.values()])
  let next = Number.POSITIVE_INFINITY
  for (const { promise, business, firstSeen, heard } of watched) {
    const alarm = alarms.get(pair({ source: promise.source, business }))
    if (alarm !== undefined) {
      if (heldAgain(promise, heard, now)) await endSilence(db, alarm.key, heard[promise.atLeast - 1] ?? now)
      continue
    }
    const verdict = judge(promise, heard, firstSeen, now)
    switch (verdict.kind) {
      case "held":
      case "later":
        next = Math.min(next, verdict.until)
        break
      case "broken": {
        if (now < notBefore) {
          next = Math.min(next, notBefore)
          break
        }
        const { since, lastEventAt, seen } = verdict
        const key = JSON.stringify([promise.source, business, since])
        const { source, expected } = promise
        await openSilence(db, { source, business, key, expected, since, noticedAt: now, lastEventAt, seen })
      }
    }
    // One that has not spoken yet cannot fall silent sooner than this after its first word.
    if (promise.business === null) next = Math.min(next, now + promise.perMs)
  }
  await tell(options, await silentSources(db))
  // Only now, when what is promised is confirmed: after a week without a hub everything is older than a day.
  await forgetPromises(db, now)
  const pairs = new Set(watched.map(({ promise, business }) => pair({ source: promise.source, business })))
  const known = new Map(promises.map((promise, index) => [textOf(promise), firstSeen[index] ?? now]))
  return { known, silent: (await silentSources(db)).filter((alarm) => pairs.has(pair(alarm))), next }
}

const pair = ({ source, business }: { readonly source: string; readonly business: BusinessId }): string =>
  JSON.stringify([source, business])

const textOf = ({ source, business, expected }: SourcePromise): string => JSON.stringify([source, business, expected])

/** When each promise was first known, in their order. */
function remember({ db, promises, known, now }: LookOptions): Promise<readonly number[]> {
  const all = promises.map((promise) => {
    const { source, business, expected } = promise
    return { source, business, expected, since: known.get(textOf(promise)) ?? now }
  })
  return knowPromises(db, all, now)
}

/** Every promise in every business that it is about, with what was heard there. */
async function watch(
  { db, promises, now }: LookOptions,
  firstSeen: readonly number[],
  alarms: readonly SilentSource[],
): Promise<readonly Watched[]> {
  const named = new Set(
    promises.flatMap(({ source, business }) => (business === null ? [] : [pair({ source, business })])),
  )
  const watched: Omit<Watched, "heard">[] = []
  /** A source that nobody has heard of yet is the default business's, until somebody speaks for it. */
  const silentFromTheStart = new Map<string, readonly BusinessId[]>()
  for (const [index, promise] of promises.entries()) {
    const known = { promise, firstSeen: firstSeen[index] ?? now }
    if (promise.business !== null) {
      watched.push({ ...known, business: promise.business })
      continue
    }
    const { source } = promise
    const speaking = await businessesOf(db, source, MOST_BUSINESSES)
    const alarmed = alarms.filter((alarm) => alarm.source === source).map(({ business }) => business)
    const businesses = new Set([...speaking, ...alarmed, ...(speaking.length === 0 ? [DEFAULT_BUSINESS] : [])])
    for (const business of businesses) {
      if (!named.has(pair({ source, business }))) watched.push({ ...known, business })
    }
    if (speaking.length > 0 && !speaking.includes(DEFAULT_BUSINESS)) silentFromTheStart.set(source, speaking)
  }
  const heard = await hear(db, watched)
  const all = watched.map((each, index) => ({ ...each, heard: heard[index] ?? [] }))
  return all.map((each) => {
    const speaking = each.business === DEFAULT_BUSINESS ? silentFromTheStart.get(each.promise.source) : undefined
    if (speaking === undefined || each.promise.business !== null) return each
    const others = all.filter(({ promise }) => promise === each.promise).flatMap((other) => other.heard)
    return { ...each, heard: others.sort((a, b) => b - a).slice(0, each.promise.atLeast) }
  })
}

async function hear(db: Database, watched: readonly Omit<Watched, "heard">[]): Promise<readonly (readonly number[])[]> {
  const asks = watched.map(({ promise: { source, atLeast }, business }) => ({ source, business, atMost: atLeast }))
  const heard: (readonly number[])[] = []
  for (let from = 0, to = 0; from < asks.length; from = to) {
    for (let reads = 0; to < asks.length; to++) {
      reads += asks[to]?.atMost ?? 0
      if (reads > READ_AT_ONCE && to > from) break
    }
    heard.push(...(await lastHeard(db, asks.slice(from, to))))
  }
  return heard
}

/** Accepts the events that alarms still lack, those of a node that died before it did included. */
async function tell({ db, accept }: LookOptions, alarms: readonly SilentSource[]): Promise<void> {
  for (const alarm of alarms) {
    if (alarm.eventId === null) await silenceTold(db, alarm.key, await accepted(accept, silentEvent(alarm)))
    if (alarm.resumedAt === null) continue
    await accepted(accept, resumedEvent(alarm, alarm.resumedAt))
    await silenceOver(db, alarm.key)
  }
}

async function accepted(accept: Accept, event: Incoming): Promise<EventId> {
  const results = await accept([event], "hub")
  if (typeof results === "string") throw new NotAccepted(results)
  const [result] = results
  if (result === undefined) throw new Error("an event without an answer")
  switch (result.kind) {
    case "accepted":
    case "duplicate":
    case "reused":
      return result.id
    case "unstorable":
      throw new Error(`the hub's own event cannot be stored: ${result.sqlstate}`)
  }
}
