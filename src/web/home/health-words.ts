/**
 * What each part of `/health/detailed` says, as a person would say it. A part that this page does not know yet says its
 * figures.
 */

import { each, type Fields, fields, text } from "../shared/fields.ts"
import type { HealthPart } from "./shapes.ts"

export interface PartWords {
  readonly name: string
  readonly said: string
}

const FACTS_SHOWN = 3
const SILENT_SHOWN = 3

/** A part's name and how it is. `now`: milliseconds since the Unix epoch. */
export function partWords({ name, status, detail }: HealthPart, now: number): PartWords {
  const known = KNOWN.get(name)
  return {
    name: known?.name ?? plain(name),
    said: silence(status, detail) ?? known?.say(detail, now) ?? facts(detail),
  }
}

type Say = (detail: Fields, now: number) => string

const KNOWN: ReadonlyMap<string, { readonly name: string; readonly say: Say }> = new Map([
  ["database", { name: "Database", say: database }],
  ["rules", { name: "Rules", say: rules }],
  ["sources", { name: "Sources", say: sources }],
  ["work", { name: "Work", say: work }],
  ["channels", { name: "Channels", say: channels }],
  ["actors", { name: "Actors", say: actors }],
  ["realtime", { name: "Realtime", say: realtime }],
  ["jetstream", { name: "JetStream", say: jetstream }],
  ["nats", { name: "NATS", say: facts }],
])

/** Of a part that could not be asked; null where it has something to say. */
function silence(status: string, { reason, ...rest }: Fields): string | null {
  if (status !== "down" || Object.keys(rest).length > 0) return null
  return typeof reason === "string" ? reason : "does not answer"
}

function database(detail: Fields): string {
  const ms = number(detail["ms"])
  if (ms === null) return facts(detail)
  return ms < 1 ? "answers within 1 ms" : `answers in ${Math.round(ms)} ms`
}

function rules(detail: Fields): string {
  const count = number(detail["rules"])
  const { revision, refused } = detail
  const errors = number(detail["errors"]) ?? 0
  const first: unknown = Array.isArray(refused) ? refused[0] : null
  return join([
    // A revision is a long hash: its beginning tells two apart.
    [count === null ? "" : `${count} in force`, typeof revision === "string" ? `at ${revision.slice(0, 10)}` : ""]
      .filter((word) => word !== "")
      .join(" "),
    errors > 0 ? `the last change was refused with ${counted(errors, "error")}` : "",
    typeof first === "string" ? first : "",
  ])
}

/** Who is silent, and for how long. The page is open: a source that is silent for several businesses is named once. */
function sources(detail: Fields, now: number): string {
  const promised = number(detail["promised"])
  const silent = each(detail["silent"], (one) => {
    const of = fields(one)
    const source = text(of?.["source"])
    return source === "" ? null : { source, since: Date.parse(text(of?.["since"])), expected: text(of?.["expected"]) }
  })
  if (silent.length === 0) {
    if (promised === null) return facts(detail)
    if (promised === 0) return "none has promised to speak"
    return promised === 1 ? "1 speaks as promised" : `all ${promised} speak as promised`
  }
  const bySource = Map.groupBy(silent, ({ source }) => source)
  const said = [...bySource].slice(0, SILENT_SHOWN).map(([source, alarms]) => {
    const since = Math.min(...alarms.map((alarm) => alarm.since))
    const expected = [...new Set(alarms.map((alarm) => alarm.expected))].filter((words) => words !== "").join(" or ")
    const lasting = Number.isNaN(since) ? "" : ` for ${duration(Math.max(0, now - since) / 1_000)}`
    const times = alarms.length === 1 ? "" : ` in ${alarms.length} businesses`
    return `${source} is silent${times}${lasting}${expected === "" ? "" : `, expected ${expected}`}`
  })
  const shown = [...bySource.values()].slice(0, SILENT_SHOWN).reduce((sum, alarms) => sum + alarms.length, 0)
  const more = (number(detail["count"]) ?? silent.length) - shown
  return join([...said, more > 0 ? `${more} more` : ""])
}

function work(detail: Fields): string {
  const some = (name: string, words: string): string => {
    const count = number(detail[name])
    return count === null || count === 0 ? "" : `${count} ${words}`
  }
  const oldest = number(detail["oldest_due_seconds"]) ?? 0
  const said = join([
    some("unrouted", "to be routed"),
    some("waiting", "to be sent"),
    some("sending", "being sent"),
    some("dead", "not delivered"),
    oldest >= 1 ? `the oldest due for ${duration(oldest)}` : "",
  ])
  return said === "" ? "nothing waits" : said
}

/** Channels of one state together: `slack live · email, sms captured`. */
function channels(detail: Fields): string {
  const known = Object.entries(detail).flatMap(([channel, state]) =>
    typeof state === "string" ? [{ channel, state }] : [],
  )
  const byState = [...Map.groupBy(known, ({ state }) => state)]
  return join(
    byState.map(([state, those]) => {
      const all = byState.length === 1 && those.length > 1
      return `${all ? "all" : those.map(({ channel }) => channel).join(", ")} ${CHANNEL_WORDS.get(state) ?? plain(state).toLowerCase()}`
    }),
  )
}

/** A channel's mode, or what opened its account's breaker. */
const CHANNEL_WORDS: ReadonlyMap<string, string> = new Map([
  ["captured", "captured in the outbox"],
  ["absent", "without credentials"],
  ["bad_credential", "paused: the credentials are refused"],
  ["connection_lost", "paused: the connection is lost"],
  ["provider_error", "paused: the provider fails"],
  ["timeout", "paused: the provider does not answer"],
  ["unreachable", "paused: the provider cannot be reached"],
])

function actors(detail: Fields): string {
  if (detail["reason"] === "starting") return "still starting"
  const all = number(detail["actors"])
  if (all === null) return facts(detail)
  const [backoff, stuck, gaveUp] = ["backoff", "stuck", "gave_up"].map((name) => number(detail[name]) ?? 0)
  const troubles = join([
    backoff ? `${backoff} of ${all} ${backoff === 1 ? "waits" : "wait"} after a crash` : "",
    stuck ? `${stuck} ${stuck === 1 ? "is" : "are"} stuck` : "",
    gaveUp ? `${gaveUp} just gave up and ${gaveUp === 1 ? "was" : "were"} started anew` : "",
  ])
  return troubles === "" ? `all ${all} run` : troubles
}

function realtime(detail: Fields): string {
  const sockets = number(detail["sockets"])
  if (sockets === null) return facts(detail)
  return sockets === 0 ? "nobody is connected" : `${counted(sockets, "connection")} open`
}

function jetstream({ connected, held, troubles, pending }: Fields): string {
  const [waiting, wrong] = [number(pending) ?? 0, number(troubles) ?? 0]
  const said = join([
    connected === false ? "not connected" : "",
    held === true ? "messages wait: they cannot be stored now" : "",
    wrong > 0 ? `its stream has ${counted(wrong, "problem")}, which the log names` : "",
    waiting > 0 ? `${waiting} to be taken` : "",
  ])
  return said === "" ? "everything taken" : said
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
      : seconds < 172_800
        ? `${Math.round(seconds / 3_600)} h`
        : `${Math.round(seconds / 86_400)} days`

const plain = (name: string): string => {
  const spaced = name.replaceAll("_", " ")
  return spaced.charAt(0).toUpperCase() + spaced.slice(1)
}
