/** Durations, as rules write them: one number and one unit. */
import { describe, type Node, scalarOf, type YamlFile } from "./yaml-file.ts"

const SECOND = 1_000
const MINUTE = 60 * SECOND
const DAY = 86_400_000
const UNITS = { s: SECOND, m: MINUTE, h: 60 * MINUTE, d: DAY, w: 7 * DAY } as const

/** As a JSON Schema knows it. */
export const DURATION_PATTERN = "^\\s*0*[1-9]\\d{0,6}\\s*[smhdw]\\s*$"

/** Milliseconds, and how an error says it. */
export interface Bounds {
  readonly least: number
  readonly most: number
  readonly shown: string
}

/** Of whatever an action does later. */
export const LATER_BOUNDS: Bounds = { least: SECOND, most: 30 * DAY, shown: "from a second to 30 days" }
export const SOURCE_BOUNDS: Bounds = { least: MINUTE, most: 31 * DAY, shown: "from a minute to 31 days" }

export interface Duration {
  readonly ms: number
  /** `6h` */
  readonly text: string
}

/** `90s`, `15m`, `6h`, `2d`, `1w`; null where it is none, or not within the bounds. */
export function readDuration(yaml: YamlFile, node: Node, bounds: Bounds = LATER_BOUNDS): Duration | null {
  const value = scalarOf(node)
  const text = typeof value === "string" ? value.trim() : ""
  const [, digits, letter] = /^(\d{1,7})\s*([smhdw])$/.exec(text) ?? []
  const unit = Object.keys(UNITS).find((each): each is keyof typeof UNITS => each === letter)
  const ms = unit === undefined ? 0 : Number(digits) * UNITS[unit]
  if (ms >= bounds.least && ms <= bounds.most) return { ms, text: `${Number(digits)}${unit}` }
  yaml.refuse(node, describe(node), `a duration such as 15m, 6h or 2d, ${bounds.shown}`)
  return null
}

/** The shortest writing of it: 5,400,000 is `90m`, 86,400,000 is `1d`. */
export function durationText(ms: number): string {
  const unit = (["d", "h", "m"] as const).find((each) => ms % UNITS[each] === 0) ?? "s"
  return `${ms / UNITS[unit]}${unit}`
}
