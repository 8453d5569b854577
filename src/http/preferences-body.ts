/** Preferences from a request and back: closed, every mistake at once, each with its pointer. */
import { CHANNELS, type Channel, isChannel } from "../domain/channel.ts"
import { type DailyWindow, isTimeZone } from "../domain/daily-window.ts"
import { isSeverity, SEVERITY_RANK, type Severity } from "../domain/event.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { type FieldError, JSON_LIMITS, pointerTo } from "../domain/json-limits.ts"
import { nearest } from "../domain/nearest.ts"
import type { Preferences } from "../domain/preferences.ts"

export type PreferencesRead = { readonly preferences: Preferences } | { readonly errors: readonly FieldError[] }

const MAX_CATEGORIES = 100
const MAX_CATEGORY = 100
const PARTS = ["channels", "categories", "severity_min", "quiet_hours"] as const
const HOURS = ["from", "to", "timezone"] as const

/**
 * Preferences as they are said; null anywhere is the same as nothing. `timezone`: the recipient's own, for quiet hours that
 * name none.
 */
export function readPreferences(value: Json, timezone: string | null): PreferencesRead {
  const reader = new Reader()
  const preferences = reader.whole(value, timezone)
  return reader.errors.length > 0 ? { errors: reader.errors.slice(0, JSON_LIMITS.errors) } : { preferences }
}

/** RFC 7396, but that a null stays one: what is read next has to see its name too. */
export function merged(now: Json, change: Json): Json {
  if (!isJsonObject(change)) return change
  const parts = new Map<string, Json>(isJsonObject(now) ? Object.entries(now) : [])
  for (const [name, part] of Object.entries(change)) parts.set(name, merged(parts.get(name) ?? null, part))
  // Unlike an assignment, safe for every name.
  return Object.fromEntries(parts)
}

/** As contract §8 spells it, with every part. */
export const preferencesJson = ({ channels, categories, severityMin, quietHours }: Preferences): JsonObject => ({
  channels: { ...channels },
  categories: Object.fromEntries(Object.entries(categories).map(([name, wishes]) => [name, { ...wishes }])),
  severity_min: { ...severityMin },
  quiet_hours:
    quietHours === null
      ? null
      : { from: clockTime(quietHours.from), to: clockTime(quietHours.to), timezone: quietHours.timezone },
})

const clockTime = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`

class Reader {
  readonly errors: FieldError[] = []

  whole(value: Json, timezone: string | null): Preferences {
    const given = this.#object(value, "", "an object") ?? {}
    this.#closed(given, "", PARTS, "field")
    return {
      channels: this.#byChannel(given["channels"], "/channels", (wish, at) => this.#wish(wish, at)),
      categories: this.#categories(given["categories"]),
      severityMin: this.#byChannel(given["severity_min"], "/severity_min", (word, at) => this.#severity(word, at)),
      quietHours: this.#quietHours(given["quiet_hours"], timezone),
    }
  }

  #wrong(pointer: string, detail: string): null {
    this.errors.push({ pointer, detail })
    return null
  }

  /** Null where nothing is said, or nothing right. */
  #object(value: Json | undefined, pointer: string, expected: string): JsonObject | null {
    if (value === undefined || value === null) return pointer === "" ? this.#wrong("", `expected ${expected}`) : null
    return isJsonObject(value) ? value : this.#wrong(pointer, `expected ${expected}`)
  }

  #closed(given: JsonObject, pointer: string, names: readonly string[], what: string): void {
    for (const name of Object.keys(given)) {
      if (names.includes(name)) continue
      const near = nearest(name, names)
      const hint = near === null ? "" : `; did you mean ${near}?`
      this.#wrong(pointerTo(pointer, name), `unknown ${what}; expected one of ${names.join(", ")}${hint}`)
    }
  }

  #byChannel<T>(
    value: Json | undefined,
    pointer: string,
    read: (value: Json, at: { readonly pointer: string; readonly channel: Channel }) => T | null,
  ): Readonly<Partial<Record<Channel, T>>> {
    const given = this.#object(value, pointer, "an object by channel")
    if (given === null) return {}
    this.#closed(given, pointer, CHANNELS, "channel")
    const wishes: Partial<Record<Channel, T>> = {}
    for (const [channel, wish] of Object.entries(given)) {
      if (!isChannel(channel) || wish === null) continue
      const made = read(wish, { pointer: pointerTo(pointer, channel), channel })
      if (made !== null) wishes[channel] = made
    }
    return wishes
  }

  #wish(value: Json, { pointer, channel }: { readonly pointer: string; readonly channel: Channel }): boolean | null {
    if (typeof value !== "boolean") return this.#wrong(pointer, "expected true or false")
    return channel === "inapp" && !value ? this.#stays(pointer) : value
  }

  #severity(
    value: Json,
    { pointer, channel }: { readonly pointer: string; readonly channel: Channel },
  ): Severity | null {
    if (channel === "inapp") return this.#stays(pointer)
    return isSeverity(value) ? value : this.#wrong(pointer, `expected one of ${Object.keys(SEVERITY_RANK).join(", ")}`)
  }

  #stays(pointer: string): null {
    return this.#wrong(pointer, "the inbox always stays: it is where everything can be found")
  }

  #categories(value: Json | undefined): Preferences["categories"] {
    const given = this.#object(value, "/categories", "an object by category") ?? {}
    const said = Object.entries(given).filter(([, wishes]) => wishes !== null)
    if (said.length > MAX_CATEGORIES) this.#wrong("/categories", `at most ${MAX_CATEGORIES} categories`)
    const read = said.slice(0, MAX_CATEGORIES).map(([category, wishes]) => {
      const pointer = pointerTo("/categories", category)
      if (category.trim() === "" || category.length > MAX_CATEGORY) {
        this.#wrong(pointer, `expected a category's name of at most ${MAX_CATEGORY} characters`)
      }
      return [category, this.#byChannel(wishes, pointer, (wish, at) => this.#wish(wish, at))] as const
    })
    return Object.fromEntries(read.filter(([, wishes]) => Object.keys(wishes).length > 0))
  }

  #quietHours(value: Json | undefined, own: string | null): DailyWindow | null {
    const given = this.#object(value, "/quiet_hours", "{from, to, timezone}, or null")
    if (given === null) return null
    this.#closed(given, "/quiet_hours", HOURS, "field")
    const from = this.#minute(given["from"], "/quiet_hours/from")
    const to = this.#minute(given["to"], "/quiet_hours/to")
    const timezone = this.#timezone(given["timezone"] ?? null, own)
    if (from === null || to === null || timezone === null) return null
    if (from !== to) return { from, to, timezone }
    return this.#wrong(
      "/quiet_hours/to",
      "expected another time than from: hours that end when they begin are none, or all",
    )
  }

  #minute(value: Json | undefined, pointer: string): number | null {
    const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(typeof value === "string" ? value : "") ?? []
    if (hours === undefined || minutes === undefined) return this.#wrong(pointer, "expected a time such as 22:00")
    return Number(hours) * 60 + Number(minutes)
  }

  #timezone(given: Json, own: string | null): string | null {
    const pointer = "/quiet_hours/timezone"
    if (given === null) {
      return own ?? this.#wrong(pointer, "expected an IANA time zone such as Asia/Baghdad: the recipient has none")
    }
    // An offset such as +03:00 knows no summer.
    const known = typeof given === "string" && /^[A-Za-z]/.test(given) && isTimeZone(given)
    return known ? given : this.#wrong(pointer, "expected an IANA time zone such as Asia/Baghdad")
  }
}
