/** What each part of `/health/detailed` says, in a few words. A part that this page does not know yet says its figures. */

import type { Fields } from "../shared/fields.ts"
import type { HealthPart } from "./shapes.ts"

export interface PartWords {
  readonly name: string
  readonly said: string
}

const FACTS_SHOWN = 3

/** A part's name and its figures for a person. */
export function partWords(part: HealthPart): PartWords {
  const known = KNOWN.get(part.name)
  return known === undefined
    ? { name: plain(part.name), said: facts(part.detail) }
    : { name: known.name, said: known.say(part.detail) }
}

const KNOWN: ReadonlyMap<string, { readonly name: string; readonly say: (detail: Fields) => string }> = new Map([
  ["database", { name: "Database", say: database }],
  ["rules", { name: "Rules", say: rules }],
  ["work", { name: "Work", say: work }],
  ["channels", { name: "Channels", say: channels }],
  ["realtime", { name: "Realtime", say: realtime }],
  ["nats", { name: "NATS", say: facts }],
])

function database(detail: Fields): string {
  const ms = number(detail["ms"])
  if (ms === null) return facts(detail)
  return ms < 1 ? "under 1 ms" : `${Math.round(ms)} ms`
}

function rules(detail: Fields): string {
  const count = number(detail["rules"])
  const { revision, refused } = detail
  const errors = number(detail["errors"]) ?? 0
  const first: unknown = Array.isArray(refused) ? refused[0] : null
  return join([
    // A revision is a long hash: its beginning tells two apart.
    [count === null ? "" : counted(count, "rule"), typeof revision === "string" ? `at ${revision.slice(0, 10)}` : ""]
      .filter((word) => word !== "")
      .join(" "),
    errors > 0 ? `the last change was refused with ${counted(errors, "error")}` : "",
    typeof first === "string" ? first : "",
  ])
}

function work(detail: Fields): string {
  const oldest = number(detail["oldest_due_seconds"])
  const under = ["unrouted", "waiting", "sending", "dead"].flatMap((name) => {
    const count = number(detail[name])
    return count === null || count === 0 ? [] : [`${count} ${name}`]
  })
  if (oldest !== null && oldest > 0) under.push(`oldest due ${duration(oldest)} ago`)
  return under.length === 0 ? "nothing is due" : join(under)
}

/** Channels of one state together: `email, sms captured · slack live`. */
function channels(detail: Fields): string {
  const byState = new Map<string, string[]>()
  for (const [channel, state] of Object.entries(detail)) {
    if (typeof state !== "string") continue
    byState.set(state, [...(byState.get(state) ?? []), channel])
  }
  return join([...byState].map(([state, names]) => `${names.join(", ")} ${plain(state).toLowerCase()}`))
}

function realtime(detail: Fields): string {
  const sockets = number(detail["sockets"])
  return sockets === null ? facts(detail) : counted(sockets, "open socket")
}

/** The first few plain values, with their names. */
function facts(detail: Fields): string {
  const said = Object.entries(detail).flatMap(([name, value]) => {
    if (typeof value === "string" && value !== "") return [`${plain(name).toLowerCase()} ${value}`]
    return typeof value === "number" ? [`${plain(name).toLowerCase()} ${value}`] : []
  })
  return join(said.slice(0, FACTS_SHOWN))
}

const number = (value: unknown): number | null => (typeof value === "number" ? value : null)
const join = (words: readonly string[]): string => words.filter((word) => word !== "").join(" · ")
const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`
const duration = (seconds: number): string =>
  seconds < 120
    ? `${Math.round(seconds)} s`
    : seconds < 7_200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3_600)} h`

const plain = (name: string): string => {
  const spaced = name.replaceAll("_", " ")
  return spaced.charAt(0).toUpperCase() + spaced.slice(1)
}
