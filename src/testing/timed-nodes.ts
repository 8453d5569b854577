// Two nodes on one database that route and fire without actors, as fast as they can: events are accepted at moments that
// the test chooses, so that hours of timers are due at once.
import type { EventId } from "../domain/ids.ts"
import { newIdsAt } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { decideBatch } from "../routing/decide-batch.ts"
import { fireBatch } from "../routing/fire-batch.ts"
import { CROWD } from "../routing/plan.ts"
import type { RuleSet } from "../routing/rule-set.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { insertEvents } from "../store/events.ts"
import { type Decide, routeAlone, routeBatch } from "../store/plans.ts"
import { nextSuspect, nextSuspectTimer } from "../store/suspects.ts"
import { type Claimable, type Fire, type FiredBatch, fireTimers } from "../store/timers.ts"
import { incoming } from "./builders.ts"
import { testDatabase } from "./postgres.ts"

export interface TimedEvent {
  readonly type: string
  readonly payload: { readonly [key: string]: Json }
  /** When it was accepted, milliseconds since the Unix epoch. */
  readonly at: number
}

export interface TimedNodes {
  readonly url: string
  readonly nodes: readonly [Database, Database]
  /** The rules change; what was begun under others goes on under them. */
  change(ruleSet: RuleSet): void
  /** Stores events for the router; answers their ids, in order. */
  accept(events: readonly TimedEvent[]): Promise<readonly EventId[]>
  /** A batch, or the suspects where there is nothing else, one by one. */
  route(node: Database, limit: number): Promise<number>
  /** What follows from timers, by the rules that they were made under. */
  readonly decide: Fire
  /** As `route`. */
  fire(node: Database, limit: number, which: Claimable): Promise<FiredBatch>
  /** Both nodes at once, until nothing is queued and no timer is due. What one of them throws is thrown. */
  settle(limits?: readonly [number, number]): Promise<void>
  /** Empties every table that fills. */
  clear(): Promise<void>
  close(): Promise<void>
}

const OPEN = `
select (select count(*)::int from routing_queue)
  + (select count(*)::int from timers where done_at is null and next_at <= now()) as open`

export async function timedNodes(first: RuleSet): Promise<TimedNodes> {
  const { url, drop } = await testDatabase()
  const nodes = [openDatabase({ url }), openDatabase({ url })] as const
  const [db] = nodes
  let ruleSet = first
  const known = new Map([[first.hash, first]])
  const options = () => ({
    settings: { publicUrl: "https://hub.example", defaultSlack: false },
    ids: newIdsAt(Date.now()),
    onBug: (error: unknown) => {
      throw error
    },
    breathe: () => Promise.resolve(),
  })
  const route: TimedNodes["route"] = async (node, limit) => {
    const decideEvents: Decide = (events, ports) => decideBatch(ruleSet, events, ports, options())
    const { plans } = await routeBatch(node, limit, decideEvents)
    if (plans > 0) return plans
    let alone = 0
    for (let more = true; more && alone < limit; ) {
      const suspect = await nextSuspect(node)
      more = suspect !== null
      if (suspect !== null) alone += (await routeAlone(node, suspect.id, decideEvents)).plans
    }
    return alone
  }
  const decide: Fire = (due, ports) =>
    fireBatch(due, ({ rulesHash }) => known.get(rulesHash) ?? ruleSet, ports, { ...options(), crowd: CROWD })
  const fire: TimedNodes["fire"] = async (node, limit, which) => {
    const batch = await fireTimers(node, { which, limit }, decide)
    let fired = batch.fired
    for (let more = fired.length === 0; more && fired.length < limit; ) {
      const suspect = await nextSuspectTimer(node)
      more = suspect !== null
      if (suspect === null) continue
      const alone = await fireTimers(node, { which: suspect.which, suspect: suspect.id }, decide)
      fired = [...fired, ...alone.fired]
    }
    return { ...batch, fired }
  }
  const work = async (node: Database, limit: number): Promise<void> => {
    for (;;) {
      const done =
        (await route(node, limit)) +
        (await fire(node, limit, "first")).fired.length +
        (await fire(node, limit, "following")).fired.length +
        (await fire(node, 1, "crowd")).fired.length
      if (done > 0) continue
      // What is left may be in the other node's hands.
      const [row] = await node.query<{ open: number }>(OPEN)
      if (row?.open === 0) return
    }
  }
  return {
    url,
    nodes,
    route,
    decide,
    fire,
    change(next) {
      ruleSet = next
      known.set(next.hash, next)
    },
    async accept(events) {
      const stored = await insertEvents(
        db,
        events.map(({ type, payload }) => incoming({ type, payload })),
        Date.now(),
      )
      const ids = stored.map(({ id }) => id)
      await db.execute(
        `update events e set accepted_at = to_timestamp(i.at / 1000)
         from unnest($1::text[], $2::float8[]) as i (id, at) where e.id = i.id`,
        [ids, events.map(({ at }) => at)],
      )
      return ids
    },
    async settle(limits = [3, 5]) {
      await Promise.all(nodes.map((node, i) => work(node, limits[i] ?? 1)))
    },
    async clear() {
      await db.execute(`truncate events, routing_queue, routes, notifications, deliveries, messages, attempts, streams,
        stream_entries, gates, timers, digest_events`)
    },
    async close() {
      await Promise.all(nodes.map((node) => node.close()))
      await drop()
    },
  }
}
