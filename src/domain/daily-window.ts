/**
 * Hours of the day in some time zone, and time that passes only within them: "six hours of opening time since noon".
 * What is open is what the clock on that wall reads: days on which it is set forward or back have fewer or more hours.
 */

/** Minutes of the day, 0 to 1440. `to` below `from` goes over midnight. Open from the first, and no more at the last. */
export interface DailyWindow {
  readonly from: number
  readonly to: number
  /** An IANA name. */
  readonly timezone: string
}

const MINUTE = 60_000
const DAY = 86_400_000

/** Whether the platform knows the zone. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name)
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** Minutes that the window is open on a day like any other. */
export const minutesOpen = ({ from, to }: DailyWindow): number => (to > from ? to - from : to + 1440 - from)

/** Whether the window is open at a moment (milliseconds since the Unix epoch, here and below). */
export function isOpen(window: DailyWindow, at: number): boolean {
  const minute = timeOfDay(at, offsetAt(window.timezone, at)) / MINUTE
  const { from, to } = window
  return to > from ? minute >= from && minute < to : minute >= from || minute < to
}

/** The first moment from `at` on at which the window is open. */
export function opensAt(window: DailyWindow, at: number): number {
  let moment = at
  while (!isOpen(window, moment)) moment = changesAfter(window, moment)
  return moment
}

/** When `ms` of open time have passed since `start`: the closing itself, where they end with it. */
export function openTimeAfter(window: DailyWindow, start: number, ms: number): number {
  let left = ms
  let moment = start
  for (;;) {
    const next = changesAfter(window, moment)
    if (isOpen(window, moment)) {
      if (left <= next - moment) return moment + left
      left -= next - moment
    }
    moment = next
  }
}

/** The next moment at which the window opens or closes, or the clock is set; within a day. */
function changesAfter({ from, to, timezone }: DailyWindow, at: number): number {
  const offset = offsetAt(timezone, at)
  const now = timeOfDay(at, offset)
  const until = (minute: number): number => (((minute * MINUTE - now) % DAY) + DAY) % DAY || DAY
  const next = at + Math.min(until(from), until(to))
  return offsetAt(timezone, next) === offset ? next : offsetChangesAfter(timezone, at, next)
}

/** The moment at which the zone's offset changes, which it does between the two. */
function offsetChangesAfter(timezone: string, before: number, after: number): number {
  const offset = offsetAt(timezone, before)
  let low = Math.floor(before)
  let high = Math.ceil(after)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(timezone, middle) === offset) low = middle
    else high = middle
  }
  return high
}

const timeOfDay = (at: number, offset: number): number => (((at + offset) % DAY) + DAY) % DAY

/** What the zone's clock is ahead of UTC, in milliseconds. */
function offsetAt(timezone: string, at: number): number {
  const parts: Record<string, number> = {}
  for (const { type, value } of formatOf(timezone).formatToParts(at)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000
}

/** Making one costs a hundred times what using it does. There are some 600 zones. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timezone: string): Intl.DateTimeFormat {
  const known = formats.get(timezone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  })
  formats.set(timezone, format)
  return format
}
