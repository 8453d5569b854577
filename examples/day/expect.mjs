// What the day must come to, worked out without the hub. This file shares no code with it and reads neither rules/ nor
// templates/: the rules are stated here a second time, by hand, from what people expect of them. If the hub and this
// script agree on every total, two independent readings of the rules agree.
//
//   node examples/day/expect.mjs           a table
//   node examples/day/expect.mjs --json    the same as JSON (committed as expected.json)
//   node examples/day/expect.mjs --check   exit 1 where expected.json says something else
//
// Plain Node, no imports but node:fs.
import { readFileSync, realpathSync } from "node:fs"

// ── 1. reading: five ways to write an event down, one meaning ───────────────────────────────────────────────────────

/** The event that a line of day.ndjson means. */
function read(line) {
  const { body, headers = {} } = line
  if (line.path === "/api/notifications") {
    return {
      type: body.type.replace("resource_", "resource."),
      source: "resources",
      // Without a header the body itself is the key.
      key: headers["Idempotency-Key"] ?? `body ${JSON.stringify(body)}`,
      severity: "info",
      business: body.businessId,
      location: body.locationId ?? null,
      payload: body,
    }
  }
  if (line.content_type === "application/cloudevents+json") {
    return {
      type: body.type,
      source: body.source,
      key: body.id,
      severity: body.severity ?? "info",
      business: body.businessid,
      location: body.locationid ?? null,
      payload: body.data,
    }
  }
  return {
    type: body.type ?? body.event_type,
    source: body.source ?? body.source_module ?? body.producer,
    key:
      body.idempotency_key ??
      body.producer_idempotency_key ??
      body.dedupe_key ??
      body.event_id ??
      headers["Idempotency-Key"],
    severity: body.severity ?? "info",
    business: body.business_id,
    location: body.location_id ?? body.branch_id ?? null,
    payload: body.payload,
  }
}

// ── 2. the rules, by hand ───────────────────────────────────────────────────────────────────────────────────────────

const SERIOUS = ["high", "error", "critical"]
const isNumber = (value) => typeof value === "number"
const startsWithMenu = (type) => typeof type === "string" && type.toLowerCase().startsWith("menu")
const changed = ["resource.updated", "resource.patched"]

/**
 * One entry per rule: `when` it speaks, which `roles` hear it, which `user` the event names, whether `everyone` does,
 * and where. `e` is the event, `p` its payload.
 */
// biome-ignore format: one rule, one line
const RULES = [
  { name: "invoice-created", when: (e) => e.type === "invoice.created" && e.source === "invoicing", roles: ["accountant"], channels: ["inapp"] },
  { name: "invoice-created-large", when: (e, p) => e.type === "invoice.created" && p.amount >= 10_000_000, roles: ["finance_manager"], channels: ["inapp", "email"] },
  { name: "invoice-overdue-first-week", when: (e, p) => e.type === "invoice.overdue" && isNumber(p.days_overdue) && p.days_overdue >= 1 && p.days_overdue <= 6, roles: ["accountant"], user: (p) => p.owner_id, channels: ["inapp"] },
  { name: "invoice-overdue", when: (e, p) => e.type === "invoice.overdue" && isNumber(p.days_overdue) && p.days_overdue >= 7, roles: ["accountant", "finance_manager"], user: (p) => p.owner_id, channels: ["inapp", "email"] },
  { name: "invoice-overdue-month", when: (e, p) => e.type === "invoice.overdue" && isNumber(p.days_overdue) && p.days_overdue >= 30, roles: ["manager"], channels: ["inapp", "sms"] },
  { name: "invoice-paid", when: (e) => e.type === "invoice.paid", roles: ["accountant"], user: (p) => p.salesperson_id, channels: ["inapp"] },
  { name: "invoice-paid-large", when: (e, p) => e.type === "invoice.paid" && p.amount >= 10_000_000, roles: ["finance_manager"], channels: ["inapp", "slack"] },
  { name: "invoice-partially-paid", when: (e, p) => e.type === "invoice.partially_paid" && p.balance_due > 0, roles: ["accountant"], user: (p) => p.salesperson_id, channels: ["inapp", "email"] },

  { name: "stock-low", when: (e, p) => e.type === "stock.low" && e.source === "inventory" && isNumber(p.quantity) && p.quantity >= 1 && p.quantity <= p.reorder_level, roles: ["warehouse", "purchasing"], channels: ["inapp", "telegram"] },
  { name: "stock-out", when: (e) => e.type === "stock.out", roles: ["warehouse", "purchasing"], channels: ["inapp", "sms"] },
  { name: "stock-out-buyers", when: (e, p) => e.type === "stock.out" && p.sku !== undefined, roles: ["purchasing"], channels: ["slack"] },
  { name: "stock-adjusted-loss", when: (e, p) => e.type === "stock.adjusted" && p.value_change <= -500_000 && ["theft", "damage", "expired"].includes(p.reason?.toLowerCase()), roles: ["auditor", "manager"], channels: ["inapp", "email"] },
  { name: "stock-adjusted-count", when: (e, p) => e.type === "stock.adjusted" && (p.reason === "recount" || p.reason === "correction"), roles: ["warehouse"], channels: ["inapp"] },
  { name: "stock-transferred", when: (e, p) => e.type === "stock.transferred" && p.quantity > 0, roles: ["warehouse"], user: (p) => p.requested_by, channels: ["inapp"] },

  { name: "order-created", when: (e) => e.type === "order.created", roles: ["sales"], channels: ["inapp"] },
  { name: "order-large", when: (e, p) => e.type === "order.created" && p.currency === "IQD" && p.total > 5_000_000, roles: ["sales_manager", "manager"], channels: ["inapp", "telegram", "email"] },
  { name: "order-approved", when: (e) => e.type === "order.approved", roles: ["warehouse"], user: (p) => p.salesperson_id, channels: ["inapp"] },
  { name: "order-on-its-way", when: (e) => e.type === "order.shipped" || e.type === "order.delivered", roles: [], user: (p) => p.salesperson_id, channels: ["inapp"] },
  { name: "order-cancelled", when: (e) => e.type === "order.cancelled", roles: ["sales_manager"], user: (p) => p.salesperson_id, channels: ["inapp", "email"] },
  { name: "order-feed", when: (e, p) => ["order.created", "order.approved", "order.shipped", "order.delivered", "order.cancelled"].includes(e.type) && p.currency === "IQD" && p.total >= 1_000_000, roles: ["sales", "sales_manager"], channels: ["slack"] },

  { name: "po-created", when: (e, p) => e.type === "po.created" && e.source === "purchasing" && p.total > 0, roles: ["purchasing_manager"], channels: ["inapp", "email"] },
  { name: "po-created-large", when: (e, p) => e.type === "po.created" && p.total >= { IQD: 20_000_000, USD: 15_000 }[p.currency], roles: ["owner"], channels: ["inapp", "sms", "email"] },
  { name: "po-approved", when: (e) => e.type === "po.approved", roles: [], user: (p) => p.requester_id, channels: ["inapp"] },
  { name: "po-received", when: (e) => e.type === "po.received", roles: ["warehouse"], user: (p) => p.requester_id, channels: ["inapp", "telegram"] },
  { name: "po-rejected", when: (e) => e.type === "po.rejected", roles: [], user: (p) => p.requester_id, channels: ["inapp", "email", "telegram"] },

  { name: "order-filled", when: (e) => e.type === "ORDER_FILLED" && e.source === "trading-engine", roles: [], user: (p) => p.trader_id, channels: ["inapp", "telegram"] },
  { name: "order-filled-large", when: (e, p) => e.type === "ORDER_FILLED" && p.notional >= 250_000_000, roles: ["risk_officer"], channels: ["inapp", "slack"] },
  { name: "margin-call", when: (e) => e.type === "MARGIN_CALL" && SERIOUS.includes(e.severity), roles: ["risk_officer"], user: (p) => p.trader_id, channels: ["inapp", "sms", "telegram", "email"] },
  { name: "margin-call-early", when: (e) => e.type === "MARGIN_CALL" && !SERIOUS.includes(e.severity), roles: [], user: (p) => p.trader_id, channels: ["inapp"] },

  { name: "reservation-created", when: (e, p) => e.type === "resource.created" && e.source === "resources" && p.resourceType === "reservation", roles: ["host", "floor_manager"], channels: ["inapp"] },
  { name: "reservation-changed", when: (e, p) => changed.includes(e.type) && e.source === "resources" && p.resourceType === "reservation", roles: ["floor_manager"], channels: ["inapp", "telegram"] },
  { name: "reservation-cancelled", when: (e, p) => e.type === "resource.deleted" && e.source === "resources" && p.resourceType === "reservation", roles: ["floor_manager", "host"], channels: ["inapp", "sms"] },
  { name: "resource-deleted", when: (e, p) => e.type === "resource.deleted" && p.resourceType !== undefined && p.resourceType !== "reservation", roles: ["manager"], channels: ["inapp", "email"] },
  { name: "menu-changed", when: (e, p) => ["resource.created", ...changed].includes(e.type) && e.source === "resources" && startsWithMenu(p.resourceType), roles: ["kitchen", "floor_manager"], channels: ["inapp"] },
  { name: "announcement", when: (e, p) => e.type === "resource.created" && e.source === "resources" && p.resourceType === "announcement" && e.location === null, roles: [], everyone: true, channels: ["inapp", "email"] },
]

// ── 3. who is told, and where they can be reached ───────────────────────────────────────────────────────────────────

/** The field of a recipient that holds the address of a channel. `inapp` has none: the inbox row is the delivery. */
const ADDRESS = { email: "email", sms: "phone", telegram: "telegram_chat_id", slack: "slack_webhook_url" }

/** The person's places, whether written as memberships or in the short form. */
const placesOf = (person) => person.memberships ?? [person]
const worksFor = (person, business) => placesOf(person).some((place) => place.business_id === business)

function hasRole(person, roles, event) {
  return placesOf(person).some(
    (place) =>
      place.business_id === event.business &&
      (event.location === null || place.location_ids === undefined || place.location_ids.includes(event.location)) &&
      place.roles.some((role) => roles.includes(role)),
  )
}

/** The ids of those whom the rule tells of the event, each once. `people` grows by ids that nobody has had before. */
function told(rule, event, people) {
  const ids = new Set()
  for (const person of people.values()) {
    if (rule.everyone ? worksFor(person, event.business) : hasRole(person, rule.roles, event)) ids.add(person.id)
  }
  const named = rule.user?.(event.payload)
  if (named !== undefined && named !== null) {
    const id = String(named)
    if (!people.has(id)) people.set(id, { id, memberships: [{ business_id: event.business, roles: [] }] })
    // Somebody of another business is not told, even by name.
    if (worksFor(people.get(id), event.business)) ids.add(id)
  }
  return ids
}

// ── 4. counting ─────────────────────────────────────────────────────────────────────────────────────────────────────

const emptyTotals = () => ({
  events: 0,
  events_by_type: {},
  matched: {},
  notifications: { total: 0, inbox: 0, by_rule: {} },
  deliveries: Object.fromEntries(Object.keys(ADDRESS).map((channel) => [channel, { sendable: 0, suppressed: 0 }])),
})
const add = (counts, name, more = 1) => {
  counts[name] = (counts[name] ?? 0) + more
}

/** The totals of the day. `ndjson` and `recipients` are the texts of the two files. */
export function expectDay(ndjson, recipients) {
  const people = new Map(JSON.parse(recipients).map((person) => [person.id, person]))
  const lines = ndjson.split("\n").filter((line) => line !== "")
  const seen = new Set()
  const all = emptyTotals()
  const businesses = {}
  let duplicates = 0

  for (const line of lines) {
    const event = read(JSON.parse(line))
    const identity = JSON.stringify([event.business, event.source, event.key])
    if (seen.has(identity)) {
      duplicates++
      continue
    }
    seen.add(identity)
    businesses[event.business] ??= emptyTotals()
    const totals = [all, businesses[event.business]]
    for (const t of totals) {
      t.events++
      add(t.events_by_type, event.type)
    }
    for (const rule of RULES) {
      if (!rule.when(event, event.payload)) continue
      const ids = told(rule, event, people)
      for (const t of totals) {
        add(t.matched, rule.name)
        if (ids.size > 0) add(t.notifications.by_rule, rule.name, ids.size)
        t.notifications.total += ids.size
        if (rule.channels.includes("inapp")) t.notifications.inbox += ids.size
      }
      for (const channel of rule.channels.filter((name) => name !== "inapp")) {
        // One message per address, however many people are behind it; one suppression per person without an address.
        const addresses = new Set()
        let unreachable = 0
        for (const id of ids) {
          const address = people.get(id)[ADDRESS[channel]]
          if (address === undefined) unreachable++
          else addresses.add(address)
        }
        for (const t of totals) {
          t.deliveries[channel].sendable += addresses.size
          t.deliveries[channel].suppressed += unreachable
        }
      }
    }
  }
  const sorted = (counts) => Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)))
  for (const t of [all, ...Object.values(businesses)]) {
    t.events_by_type = sorted(t.events_by_type)
    t.matched = sorted(t.matched)
    t.notifications.by_rule = sorted(t.notifications.by_rule)
  }
  return { sent: lines.length, accepted: seen.size, duplicates, all, businesses: sorted(businesses) }
}

/** The rules as stated here, by name: for whoever compares them with those that the hub has loaded. */
export const ruleNames = RULES.map((rule) => rule.name)

// ── 5. printing ─────────────────────────────────────────────────────────────────────────────────────────────────────

function table(day) {
  const out = [`sent ${day.sent}, accepted ${day.accepted}, duplicates ${day.duplicates}`, ""]
  out.push(`${"rule".padEnd(30)}${"matched".padStart(9)}${"told".padStart(7)}`)
  for (const name of ruleNames) {
    const matched = String(day.all.matched[name] ?? 0).padStart(9)
    out.push(`${name.padEnd(30)}${matched}${String(day.all.notifications.by_rule[name] ?? 0).padStart(7)}`)
  }
  out.push("", `notifications ${day.all.notifications.total}, of them in an inbox ${day.all.notifications.inbox}`, "")
  out.push(`${"messages".padEnd(30)}${"sendable".padStart(9)}${"no_address".padStart(12)}`)
  for (const [channel, counts] of Object.entries(day.all.deliveries)) {
    out.push(`${channel.padEnd(30)}${String(counts.sendable).padStart(9)}${String(counts.suppressed).padStart(12)}`)
  }
  out.push("", `${"business".padEnd(30)}${"events".padStart(9)}${"told".padStart(7)}`)
  for (const [business, t] of Object.entries(day.businesses)) {
    out.push(`${business.padEnd(30)}${String(t.events).padStart(9)}${String(t.notifications.total).padStart(7)}`)
  }
  return out.join("\n")
}

const beside = (name) => readFileSync(new URL(name, import.meta.url), "utf8")
const runDirectly =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(new URL(import.meta.url))

if (runDirectly) {
  const day = expectDay(beside("day.ndjson"), beside("recipients.json"))
  const json = JSON.stringify(day, null, 2)
  if (process.argv.includes("--check")) {
    const same = beside("expected.json") === `${json}\n`
    if (!same) console.error("expected.json is not what expect.mjs works out: node expect.mjs --json > expected.json")
    process.exitCode = same ? 0 : 1
  } else {
    console.log(process.argv.includes("--json") ? json : table(day))
  }
}
