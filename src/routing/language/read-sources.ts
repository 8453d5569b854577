/**
 * The `sources` of a rule file: which source has promised to speak how often, within which hours. A promise that is
 * misread is a silence that nobody hears of, so the schema is as closed as that of the rules.
 */
import { type DailyWindow, isTimeZone, minutesOpen } from "../../domain/daily-window.ts"
import { asBusinessId, type BusinessId } from "../../domain/ids.ts"
import { nearest } from "../../domain/nearest.ts"
import type { SourcePromise } from "../../domain/source-promise.ts"
import { shown } from "../rule-error.ts"
import { EXPECTATION, keysOf, MAX_SOURCES_PER_FILE, MOST_TOLD, SOURCE } from "./language.ts"
import { readDuration, SOURCE_BOUNDS } from "./read-duration.ts"
import { belongsUnder, optional, type Reading, readWhole } from "./reading.ts"
import { describe, type Field, type Node, scalarOf, type YamlFile } from "./yaml-file.ts"

/** Days of the hours that `per` may take: nobody means more, and counting them costs. */
const MOST_DAYS = 92
const MINUTE = 60_000

/** The promises of a file's `sources`, in order; those with errors are left out, and the errors are in `reading.errors`. */
export function readSources(yaml: YamlFile, reading: Reading, field: Field | undefined): readonly SourcePromise[] {
  if (field === undefined) return []
  const items = yaml.items(field.value, "a list of sources", MAX_SOURCES_PER_FILE) ?? []
  return items.map((item) => new SourceReader(yaml, reading).source(item)).filter((promise) => promise !== null)
}

class SourceReader {
  readonly #yaml: YamlFile
  readonly #reading: Reading

  constructor(yaml: YamlFile, reading: Reading) {
    this.#yaml = yaml
    this.#reading = reading
  }

  source(node: Node): SourcePromise | null {
    const before = this.#reading.errors.count
    const fields = this.#yaml.fields(
      node,
      keysOf(SOURCE, (name) => belongsUnder("expect", name, EXPECTATION.keys)),
    )
    if (fields === null) return null
    const source = optional(fields.get("source"), (value) => this.#name(value))
    const business = optional(fields.get("business_id"), (value) => this.#business(value))
    const expect = optional(fields.get("expect"), (value) => this.#expect(value))
    if (source === null || expect === null || this.#reading.errors.count > before) return null
    this.#once(node, source, business)
    return { source, business, ...expect, at: this.#yaml.at(node) }
  }

  #name(node: Node): string | null {
    const name = this.#yaml.text(node, "the name of a source", 200)
    if (name === null) return null
    if (/\p{Cc}/u.test(name)) {
      this.#yaml.refuse(node, "a name with control characters", "the name of a source")
      return null
    }
    if (name !== "hub") return name
    // Its alarm would be an event of this very source, and with it the end of the silence.
    this.#yaml.refuse(node, 'the source "hub", which is this hub itself', "a source outside")
    return null
  }

  #business(node: Node): BusinessId | null {
    const value = scalarOf(node)
    const id = typeof value === "number" ? String(value) : value
    const business = typeof id === "string" ? asBusinessId(id) : null
    if (business === null) this.#yaml.refuse(node, describe(node), "a business id, or no business_id for each business")
    return business
  }

  /** A second promise of the same source would be a second alarm. */
  #once(node: Node, source: string, business: BusinessId | null): void {
    const { promises } = this.#reading
    const key = JSON.stringify([source, business])
    const first = promises.get(key)
    const whose = business === null ? "" : ` in the business ${shown(business)}`
    if (first === undefined) promises.set(key, this.#yaml.at(node))
    else
      this.#yaml.refuse(node, `the source ${shown(source)} a second time${whose}`, `it once; the first is at ${first}`)
  }

  #expect(node: Node): Omit<SourcePromise, "source" | "business" | "at"> | null {
    const before = this.#reading.errors.count
    const fields = this.#yaml.fields(node, keysOf(EXPECTATION))
    if (fields === null) return null
    const atLeast = optional(fields.get("at_least"), (value) => readWhole(this.#yaml, value, 1, MOST_TOLD)) ?? 1
    const per = optional(fields.get("per"), (value) => readDuration(this.#yaml, value, SOURCE_BOUNDS))
    const window = this.#window(fields.get("between"), fields.get("timezone"))
    if (per === null || this.#reading.errors.count > before) return null
    if (window !== null && per.ms > MOST_DAYS * minutesOpen(window) * MINUTE) {
      this.#yaml.refuse(node, `"per" takes more than ${MOST_DAYS} days of "between"`, "a shorter time, or longer hours")
      return null
    }
    const hours =
      window === null ? "" : ` between ${clockText(window.from)} and ${clockText(window.to)} (${window.timezone})`
    const expected = `${atLeast} ${atLeast === 1 ? "event" : "events"} per ${per.text}${hours}`
    return { atLeast, perMs: per.ms, window, expected }
  }

  #window(between: Field | undefined, timezone: Field | undefined): DailyWindow | null {
    const zone = optional(timezone, (value) => readTimezone(this.#yaml, value))
    if (between === undefined) {
      if (timezone !== undefined)
        this.#yaml.refuse(timezone.key, '"timezone" without "between"', "hours that it is for")
      return null
    }
    const node = between.value
    const value = scalarOf(node)
    const [, from, to] = /^\s*(\d\d:\d\d)\s*-\s*(\d\d:\d\d)\s*$/.exec(typeof value === "string" ? value : "") ?? []
    const [opens, closes] = [minuteOf(from), minuteOf(to)]
    if (opens === null || closes === null || opens === 1440) {
      this.#yaml.refuse(node, describe(node), 'two times of day such as "08:00-20:00", or "22:00-06:00" over midnight')
      return null
    }
    if (opens === closes) {
      this.#yaml.refuse(
        node,
        `${describe(node)}, which begins when it ends`,
        'two different times; "00:00-24:00" is all day',
      )
      return null
    }
    return { from: opens, to: closes, timezone: zone ?? "UTC" }
  }
}

/** An IANA name; null where it is none. */
export function readTimezone(yaml: YamlFile, node: Node): string | null {
  const name = yaml.text(node, "a time zone such as Asia/Baghdad", 60)
  if (name === null || (isTimeZone(name) && !/^[+-]/.test(name))) return name
  const near = nearest(name, [...Intl.supportedValuesOf("timeZone"), "UTC"])
  yaml.refuse(node, `the time zone ${shown(name)}, which nobody knows`, "an IANA name such as Asia/Baghdad", near)
  return null
}

/** `08:30` → 510; null for no time of day. `24:00` is the end of one. */
export function minuteOf(text: string | undefined): number | null {
  const [hours = Number.NaN, minutes = Number.NaN] = (text ?? "").split(":").map(Number)
  const minute = hours * 60 + minutes
  return minutes < 60 && minute <= 1440 ? minute : null
}

const clockText = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`
