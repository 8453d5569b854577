/** What an action does, in sentences that its author would say: whom, where, and how it is spread over time. */
import { each, type Fields, fields, text, textOrNull } from "../shared/fields.ts"
import { phrase } from "./logic-words.ts"

/** Text, and within it what is meant literally. */
export type Said = readonly (string | { readonly code: string })[]

export interface ActionWords {
  /** `accountant and whoever the event names` */
  readonly whom: Said
  /** `in the inbox and by email` */
  readonly where: Said
  /** What it does later, or does not do. Each is a sentence. */
  readonly notes: readonly Said[]
}

export const code = (value: string): { readonly code: string } => ({ code: value })

/** The plain text of it; what is literal stands in backticks. */
export const plain = (said: Said): string =>
  said.map((part) => (typeof part === "string" ? part : `\`${part.code}\``)).join("")

const CHANNELS: ReadonlyMap<string, string> = new Map([
  ["inapp", "in the inbox"],
  ["email", "by email"],
  ["sms", "by SMS"],
  ["telegram", "on Telegram"],
  ["slack", "on Slack"],
  ["voice", "by a call"],
  ["push", "by push"],
])
const UNITS: ReadonlyMap<string, string> = new Map([
  ["s", "second"],
  ["m", "minute"],
  ["h", "hour"],
  ["d", "day"],
])

/** `30m` is `30 minutes`, `1h` is `an hour`. */
export function span(duration: unknown): string {
  const [, digits = "", letter = ""] = /^(\d+)([smhd])$/.exec(text(duration)) ?? []
  const unit = UNITS.get(letter)
  if (unit === undefined) return text(duration)
  if (digits === "1") return `${unit === "hour" ? "an" : "a"} ${unit}`
  return `${digits} ${unit}s`
}

export function actionWords(action: Fields): ActionWords {
  switch (action["type"]) {
    case "webhook":
      return {
        whom: ["the system at ", code(text(action["url"]))],
        where: [textOrNull(action["secret"]) === null ? "by an unsigned POST" : "by a signed POST"],
        notes: common(action),
      }
    case "broadcast":
      return {
        whom: ["the screens that have joined ", code(text(action["topic"]))],
        where: ["as ", code(text(action["event"])), ", at once"],
        notes: common(action),
      }
    default:
      return { whom: audience(action["to"]), where: channels(action["channels"]), notes: notes(action) }
  }
}

function notes(action: Fields): readonly Said[] {
  const failover = each(action["failover"], textOrNull)
  const key = action["update"] ?? null
  return [
    ...common(action),
    ...timed(action),
    ...each(action["escalate"], fields).map((step) => escalation(step, action["until"])),
    ...(failover.length > 0
      ? [[`If that cannot be sent, it tries ${failover.map(channelWord).join(", then ")}.`]]
      : []),
    ...(textOrNull(action["expires_in"]) === null
      ? []
      : [[`What is not sent within ${span(action["expires_in"])} is not sent any more.`]]),
    ...(key === null ? [] : [["Takes the place of what it said before ", ...about(key), "."]]),
    ...(action["on_unknown"] === "hold" ? [["Is not repeated where nobody knows whether it was sent."]] : []),
    ...(action["bypass_quiet_hours"] === true ? [["Is sent in quiet hours too."]] : []),
    ...(action["commercial"] === true ? [["Is commercial: SMS only from 8 to 21 o’clock of the reader."]] : []),
  ]
}

function common(action: Fields): readonly Said[] {
  const held = fields(action["inhibited_by"])
  const shadow: readonly Said[] =
    action["mode"] === "shadow" ? [["Shadow: all of this is decided and recorded, and nobody is told."]] : []
  if (held === null) return shadow
  const equal = each(held["equal"], textOrNull)
  const types = each(held["event_type"], textOrNull).flatMap((type, at) => [at === 0 ? "" : " or ", code(type)])
  return [
    ...shadow,
    ["Says nothing if ", ...types, " with the same ", ...listed(equal), ` came within ${span(held["within"])} before.`],
  ]
}

function timed(action: Fields): readonly Said[] {
  const cooldown = fields(action["cooldown"])
  const throttle = fields(action["throttle"])
  const digest = fields(action["digest"])
  return [
    ...(textOrNull(action["delay"]) === null ? [] : [[`Waits ${span(action["delay"])}, then tells.`]]),
    ...(digest === null
      ? []
      : [
          [
            `Gathers: one message for all that comes within ${span(digest["window"])}`,
            ...((digest["key"] ?? null) === null ? [] : [", for each ", ...keyed(digest["key"])]),
            `, or for the first ${String(digest["max"])}.`,
          ],
        ]),
    ...(cooldown === null
      ? []
      : [
          [`Once in ${span(cooldown["window"])} for each person${and(cooldown["key"])}`, ...more(cooldown["key"]), "."],
        ]),
    ...(throttle === null
      ? []
      : [
          [
            `At most ${String(throttle["limit"])} in ${span(throttle["window"])} for each person${and(throttle["key"])}`,
            ...more(throttle["key"]),
            ".",
          ],
        ]),
  ]
}

function escalation(step: Fields, until: unknown): Said {
  const to = step["to"] ?? null
  return [
    "Goes on ",
    ...channels(step["channels"]),
    ` after ${span(step["after"])}`,
    ...(to === null ? [] : [", to ", ...audience(to)]),
    `, until somebody ${until === "read" ? "reads" : "acknowledges"} it.`,
  ]
}

/** Where and to whom something goes later: `by SMS and by a call, to the role manager`. One after the other in a failover. */
export function laterWords(later: Fields): Said {
  const names = each(later["channels"], textOrNull)
  const where: Said = later["kind"] === "failover" ? [names.map(channelWord).join(", then ")] : channels(names)
  return [...where, ", to ", ...audience(later["to"])]
}

const and = (key: unknown): string => ((key ?? null) === null ? "" : " and ")
const more = (key: unknown): Said => ((key ?? null) === null ? [] : keyed(key))
const about = (key: unknown): Said => ["about the same ", ...keyed(key)]
const keyed = (key: unknown): Said => listed((Array.isArray(key) ? key : [key]).map(phrase))

/** A key without the words that every path begins with. */
const listed = (paths: readonly string[]): Said =>
  paths.flatMap((path, at) => [
    ...(at === 0 ? [] : [at === paths.length - 1 ? " and " : ", "]),
    code(path.replace(/^(payload|event)\.(?=[\w.]+$)/, "")),
  ])

function audience(to: unknown): Said {
  const of = fields(to)
  if (of === null) return ["nobody"]
  const users = Array.isArray(of["users"]) ? of["users"] : []
  const parts: Said[] = [
    ...(of["everyone"] === true ? [["everyone of the business"]] : []),
    ...named("role", each(of["roles"], textOrNull)),
    ...named("list", each(of["lists"], textOrNull)),
    ...users.map((user): Said => (typeof user === "string" ? [code(user)] : ["whom ", code(phrase(user)), " names"])),
  ]
  return joined(parts)
}

const named = (what: string, names: readonly string[]): readonly Said[] =>
  names.length === 0
    ? []
    : [[`the ${what}${names.length > 1 ? "s" : ""} `, ...joined(names.map((name) => [code(name)]))]]

const channelWord = (channel: string): string => CHANNELS.get(channel) ?? channel
const channels = (given: unknown): Said => joined(each(given, textOrNull).map((channel) => [channelWord(channel)]))

const joined = (parts: readonly Said[]): Said =>
  parts.flatMap((part, at) => [...(at === 0 ? [] : [at === parts.length - 1 ? " and " : ", "]), ...part])
