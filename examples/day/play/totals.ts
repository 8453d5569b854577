// What the hub says it has: GET /v1/events/stats/summary, one business at a time, so that other tenants of the hub do
// not disturb the count; and how that differs from what expect.mjs works out.

import type { DayTotals, ExpectedDay } from "../expect.mjs"
import { type Client, isRecord } from "./client.ts"

type Counts = Record<string, number>
/** `statuses`: channel → status → messages. */
export type HubTotals = {
  events: number
  unrouted: number
  eventsByType: Counts
  notifications: number
  inbox: number
  byRule: Counts
  statuses: Record<string, Counts>
}

const IN_WORK = ["scheduled", "queued", "sending", "retrying"]

const numberAt = (record: unknown, name: string): number => {
  const value = isRecord(record) ? record[name] : undefined
  return typeof value === "number" ? value : 0
}
const countsAt = (record: unknown, name: string): Counts => {
  const value = isRecord(record) ? record[name] : undefined
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.keys(value).map((key) => [key, numberAt(value, key)]))
}

async function totalsOf(client: Client, business: string): Promise<HubTotals> {
  const path = `/v1/events/stats/summary?business_id=${encodeURIComponent(business)}`
  const { status, body } = await client.get(path)
  if (status !== 200) throw new Error(`GET ${path} answered ${status}: the key must be an admin key of all businesses`)
  const channels = isRecord(body["deliveries"]) ? body["deliveries"]["by_channel"] : undefined
  return {
    events: numberAt(body["events"], "total"),
    unrouted: numberAt(body["events"], "unrouted"),
    eventsByType: countsAt(body["events"], "by_type"),
    notifications: numberAt(body["notifications"], "total"),
    inbox: numberAt(body["notifications"], "inbox"),
    byRule: countsAt(body["notifications"], "by_rule"),
    statuses: isRecord(channels)
      ? Object.fromEntries(Object.keys(channels).map((channel) => [channel, countsAt(channels, channel)]))
      : {},
  }
}

/** Business → its totals. */
export async function hubTotals(client: Client, businesses: readonly string[]): Promise<Record<string, HubTotals>> {
  const entries = businesses.map(async (business) => [business, await totalsOf(client, business)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

const sum = (counts: Counts, wanted: (status: string) => boolean): number =>
  Object.entries(counts).reduce((total, [status, n]) => (wanted(status) ? total + n : total), 0)

/** Events not yet routed and messages not yet settled. */
export const workLeft = (totals: HubTotals): number =>
  totals.unrouted +
  Object.values(totals.statuses).reduce((left, counts) => left + sum(counts, (status) => IN_WORK.includes(status)), 0)

function compare(where: string, expected: DayTotals, got: HubTotals): string[] {
  const differences: string[] = []
  const same = (what: string, want: number, have: number): void => {
    if (want !== have) differences.push(`${where}: ${what}: expected ${want}, the hub has ${have}`)
  }
  const each = (what: string, want: Counts, have: Counts): void => {
    for (const name of new Set([...Object.keys(want), ...Object.keys(have)])) {
      same(`${what} ${name}`, want[name] ?? 0, have[name] ?? 0)
    }
  }
  same("events", expected.events, got.events)
  each("events of type", expected.events_by_type, got.eventsByType)
  same("notifications", expected.notifications.total, got.notifications)
  same("inbox items", expected.notifications.inbox, got.inbox)
  each("notifications of rule", expected.notifications.by_rule, got.byRule)
  for (const channel of new Set([...Object.keys(expected.deliveries), ...Object.keys(got.statuses)])) {
    const counts = got.statuses[channel] ?? {}
    const want = expected.deliveries[channel] ?? { sendable: 0, suppressed: 0 }
    same(
      `${channel} messages`,
      want.sendable,
      sum(counts, (status) => status !== "suppressed"),
    )
    same(`${channel} without an address`, want.suppressed, counts["suppressed"] ?? 0)
  }
  return differences
}

/** Every total that differs, as a sentence; none: the hub and the script agree. */
export function differencesOf(expected: ExpectedDay, got: Readonly<Record<string, HubTotals>>): string[] {
  return Object.entries(expected.businesses).flatMap(([business, totals]) => {
    const have = got[business]
    return have === undefined ? [`${business}: the hub knows nothing of it`] : compare(business, totals, have)
  })
}

/** Rule → notifications, and channel → status → messages, over all businesses. */
export function addUp(all: Readonly<Record<string, HubTotals>>): { byRule: Counts; statuses: Record<string, Counts> } {
  const byRule: Counts = {}
  const statuses: Record<string, Counts> = {}
  for (const totals of Object.values(all)) {
    for (const [rule, n] of Object.entries(totals.byRule)) byRule[rule] = (byRule[rule] ?? 0) + n
    for (const [channel, counts] of Object.entries(totals.statuses)) {
      const into = statuses[channel] ?? {}
      for (const [status, n] of Object.entries(counts)) into[status] = (into[status] ?? 0) + n
      statuses[channel] = into
    }
  }
  return { byRule, statuses }
}
