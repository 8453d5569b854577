/** What a person wishes, and what becomes of one message by it. Pure; the moment is an argument. */
import type { Channel } from "./channel.ts"
import { type DailyWindow, isOpen, opensAt } from "./daily-window.ts"
import { SEVERITY_RANK, type Severity } from "./event.ts"

/** Contract §8. What is not said is allowed. */
export interface Preferences {
  readonly channels: Readonly<Partial<Record<Channel, boolean>>>
  readonly categories: Readonly<Record<string, Readonly<Partial<Record<Channel, boolean>>>>>
  readonly severityMin: Readonly<Partial<Record<Channel, Severity>>>
  readonly quietHours: DailyWindow | null
}

export const NO_PREFERENCES: Preferences = { channels: {}, categories: {}, severityMin: {}, quietHours: null }

/** What a message is, as far as wishes go. */
export interface Occasion {
  readonly channel: Channel
  readonly severity: Severity
  readonly category: string | null
  readonly commercial: boolean
  readonly bypassQuietHours: boolean
}

/** `until` in milliseconds since the Unix epoch. Reasons are words of the API: `preference_channel`, `quiet_hours`, … */
export type Wish =
  | { readonly kind: "send" }
  | { readonly kind: "hold"; readonly until: number; readonly reason: string }
  | { readonly kind: "never"; readonly reason: string }

/** The category of all that is commercial, beside its own: a no to it is a no to all advertising. */
export const COMMERCIAL = "commercial"

/** Hours in which one may be solicited by SMS or by voice, on the clock of whoever is called (47 CFR 64.1200(c)(1)). */
const SOLICITATION = { from: 8 * 60, to: 21 * 60 }

/** Two daily windows meet within a day of each other, or never. */
const MAX_TURNS = 8

/**
 * What becomes of a message at a moment (milliseconds since the Unix epoch). `timezone`: the person's own, where the
 * quiet hours do not name one; without either it is UTC. A no, wherever it was said, wins over a yes; whatever is never
 * sent need not be held.
 */
export function wishOf(preferences: Preferences, occasion: Occasion, at: number, timezone: string | null): Wish {
  const { channel, severity } = occasion
  // The inbox disturbs nobody, and is where everything can be found.
  if (channel === "inapp") return { kind: "send" }
  if (preferences.channels[channel] === false) return { kind: "never", reason: "preference_channel" }
  const groups = [occasion.category, ...(occasion.commercial ? [COMMERCIAL] : [])]
  const refused = (group: string | null): boolean =>
    group !== null && Object.hasOwn(preferences.categories, group) && preferences.categories[group]?.[channel] === false
  if (groups.some(refused)) return { kind: "never", reason: "preference_category" }
  const least = preferences.severityMin[channel]
  if (least !== undefined && SEVERITY_RANK[severity] < SEVERITY_RANK[least]) {
    return { kind: "never", reason: "preference_severity" }
  }
  return heldBack(closedWindows(preferences.quietHours, occasion, timezone), at)
}

interface Closed {
  /** When a message may go. */
  readonly open: DailyWindow
  readonly reason: string
}

function closedWindows(quiet: DailyWindow | null, occasion: Occasion, timezone: string | null): readonly Closed[] {
  const closed: Closed[] = []
  // A window that begins where it ends would be quiet for ever.
  if (quiet !== null && quiet.from !== quiet.to && (occasion.commercial || !occasion.bypassQuietHours)) {
    closed.push({ open: { from: quiet.to, to: quiet.from, timezone: quiet.timezone }, reason: "quiet_hours" })
  }
  if (occasion.commercial && (occasion.channel === "sms" || occasion.channel === "voice")) {
    const open = { ...SOLICITATION, timezone: timezone ?? quiet?.timezone ?? "UTC" }
    closed.push({ open, reason: "solicitation_hours" })
  }
  return closed
}

/** Until all windows are open at once. */
function heldBack(windows: readonly Closed[], at: number): Wish {
  const first = windows.find(({ open }) => !isOpen(open, at))
  if (first === undefined) return { kind: "send" }
  let until = at
  for (let turn = 0; turn < MAX_TURNS; turn += 1) {
    const shut = windows.find(({ open }) => !isOpen(open, until))
    if (shut === undefined) return { kind: "hold", until, reason: first.reason }
    until = opensAt(shut.open, until)
  }
  return { kind: "never", reason: first.reason }
}

/**
 * What somebody wishes after unsubscribing from such messages: none of their category, or where they have none none that
 * advertise, or none of the channel.
 */
export function unsubscribed(
  now: Preferences,
  { channel, category, commercial }: Pick<Occasion, "channel" | "category" | "commercial">,
): Preferences {
  const group = category ?? (commercial ? COMMERCIAL : null)
  if (group === null) return { ...now, channels: { ...now.channels, [channel]: false } }
  const before = Object.hasOwn(now.categories, group) ? now.categories[group] : {}
  // Unlike an assignment, safe for every name.
  const categories = Object.fromEntries([...Object.entries(now.categories), [group, { ...before, [channel]: false }]])
  return { ...now, categories }
}
