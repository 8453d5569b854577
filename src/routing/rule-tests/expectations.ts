/** Whether a telling is what a test expects, and in which of the named fields it is not. */

import { durationText } from "../language/read-duration.ts"
import type { Expected } from "./rule-test.ts"
import type { Telling } from "./told.ts"

export interface Difference {
  readonly field: string
  readonly expected: string
  readonly was: string
}

/** Where a telling is not as expected; empty: it fits. `acceptedAt`: when the event came that it tells of, in ms. */
export function differences(expected: Expected, telling: Telling, acceptedAt: number): readonly Difference[] {
  const found: Difference[] = []
  const compare = (field: string, fits: boolean, wanted: string, was: string | null): void => {
    if (!fits) found.push({ field, expected: wanted, was: was ?? "nothing" })
  }
  const { rule, to, channels, title, subject, body, reason, at, afterMs, withinMs } = expected
  if (rule !== null) compare("rule", telling.rule === rule, rule, telling.rule)
  if (to !== null) compare("to", telling.to === to, to, telling.to)
  const status = wantedStatus(expected)
  if (status !== null) compare("status", telling.status === status, status, statusText(telling))
  if (reason !== null) compare("reason", reasonFits(reason, telling), reason, telling.reason)
  if (channels !== null) {
    const same = channels.length === telling.channels.length && channels.every((one) => telling.channels.includes(one))
    compare("channels", same, channels.join(", "), telling.channels.join(", "))
  }
  if (title !== null) compare("title", telling.title === title, quoted(title), telling.title && quoted(telling.title))
  if (subject !== null) {
    compare("subject", telling.subject === subject, quoted(subject), telling.subject && quoted(telling.subject))
  }
  if (body !== null) {
    const fits = telling.bodies.some((text) => flat(text).includes(flat(body)))
    compare("body", fits, `… ${quoted(body)} …`, telling.bodies.map((text) => quoted(cut(flat(text)))).join("\n"))
  }
  const moment = new Date(telling.at).toISOString()
  if (at !== null) compare("at", telling.at === at, new Date(at).toISOString(), moment)
  const later = telling.at - acceptedAt
  if (afterMs !== null) compare("after", later === afterMs, durationText(afterMs), `${durationText(later)} (${moment})`)
  if (withinMs !== null) {
    compare("within", later <= withinMs, durationText(withinMs), `${durationText(later)} (${moment})`)
  }
  return found
}

/** Who says nothing of it means what reached somebody; who names a reason may mean one that did not. */
const wantedStatus = ({ status, reason }: Expected): Expected["status"] =>
  status ?? (reason === null ? "delivered" : null)

/** A failure's reason is a sentence, of which a part is enough. */
const reasonFits = (reason: string, telling: Telling): boolean =>
  telling.status === "failed" ? telling.reason?.includes(reason) === true : telling.reason === reason

const statusText = ({ status, reason }: Telling): string => (reason === null ? status : `${status} (${reason})`)

/** In a line: what an expectation says. */
export function expectedText(expected: Expected): string {
  const { rule, to, channels, title, subject, body, status, reason, at, afterMs, withinMs, count } = expected
  return listed([
    [null, rule],
    ["to", to],
    ["on", channels === null ? null : channels.join(", ")],
    ["title", title && quoted(title)],
    ["subject", subject && quoted(subject)],
    ["body", body && `… ${quoted(body)} …`],
    [null, status],
    ["reason", reason],
    ["at", at === null ? null : new Date(at).toISOString()],
    ["after", afterMs === null ? null : durationText(afterMs)],
    ["within", withinMs === null ? null : durationText(withinMs)],
    [null, count === null ? null : count === 1 ? "once" : `${count} times`],
  ])
}

/** In a line: what was told. */
export const tellingText = (telling: Telling): string =>
  listed([
    [null, telling.rule ?? "no rule"],
    ["to", telling.to],
    ["on", telling.channels.length === 0 ? null : telling.channels.join(", ")],
    ["title", telling.title && quoted(telling.title)],
    [null, statusText(telling)],
    ["at", new Date(telling.at).toISOString()],
  ])

const listed = (parts: readonly (readonly [string | null, string | null])[]): string =>
  parts.flatMap(([word, text]) => (text === null ? [] : [word === null ? text : `${word} ${text}`])).join(", ")

const quoted = (text: string): string => JSON.stringify(text)
/** Lines of a template are no part of what is said. */
const flat = (text: string): string => text.replace(/\s+/g, " ").trim()
const MAX_SHOWN = 300
const cut = (text: string): string => (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text)
