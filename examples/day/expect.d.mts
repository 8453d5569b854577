/** Numbers of a business, or of all of them. */
export type DayTotals = {
  events: number
  events_by_type: Record<string, number>
  /** Rule → events that it fits. */
  matched: Record<string, number>
  notifications: { total: number; inbox: number; by_rule: Record<string, number> }
  /** Channel → messages: `suppressed` are those for whom the person has no address. */
  deliveries: Record<string, { sendable: number; suppressed: number }>
}
export type ExpectedDay = {
  sent: number
  accepted: number
  duplicates: number
  all: DayTotals
  businesses: Record<string, DayTotals>
}
export function expectDay(ndjson: string, recipients: string): ExpectedDay
export const ruleNames: readonly string[]
