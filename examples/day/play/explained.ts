// Is everything explained? Reads an event's trace and names what it leaves open: an event about which nothing was
// decided, a decision without a reason, a message that was not sent and does not say why.

import { isRecord } from "./client.ts"

/** `matched`: names of the rules that fitted the event. `open`: what the trace does not explain; empty is well. */
export type Reading = { matched: string[]; open: string[] }

const NEED_A_REASON = ["suppressed", "dead", "unknown", "expired", "cancelled", "retrying"]

const listAt = (record: unknown, name: string): Record<string, unknown>[] => {
  const value = isRecord(record) ? record[name] : undefined
  return Array.isArray(value) ? value.filter(isRecord) : []
}
const blank = (value: unknown): boolean => typeof value !== "string" || value.trim() === ""

export function readTrace(trace: Record<string, unknown>): Reading {
  const rules = listAt(trace, "rules")
  const open: string[] = []
  if (trace["status"] !== "routed") open.push(`is ${String(trace["status"])}: ${String(trace["reason"])}`)
  if (rules.length === 0 && blank(trace["reason"])) open.push("nothing was decided about it, and nothing says why")
  for (const rule of rules) {
    if (blank(rule["reason"])) open.push(`rule ${String(rule["rule"])} gives no reason`)
    if (rule["failed"] === true) open.push(`rule ${String(rule["rule"])} failed: ${String(rule["reason"])}`)
  }
  for (const notification of listAt(trace, "notifications")) {
    for (const delivery of listAt(notification, "deliveries")) {
      const status = String(delivery["status"])
      if (NEED_A_REASON.includes(status) && blank(delivery["reason"]))
        open.push(`${String(delivery["channel"])} is ${status} and gives no reason`)
    }
  }
  return { matched: rules.filter((rule) => rule["matched"] === true).map((rule) => String(rule["rule"])), open }
}
