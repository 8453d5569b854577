/** What the terminal's and the pull request's report of a backtest have in common. */
import type { BeforeAfter, Changes, Report, RuleChange } from "../routing/backtest/backtest-report.ts"

export const number = (value: number): string => value.toLocaleString("en-US")

/** `40 → 55`, or `40` where nothing changed. */
export const fromTo = ({ before, after }: BeforeAfter): string =>
  before === after ? number(after) : `${number(before)} → ${number(after)}`

/** `email 80 → 110, inapp 120`. */
export const listed = (changes: Changes): string =>
  Object.entries(changes)
    .map(([name, change]) => `${name} ${fromTo(change)}`)
    .join(", ")

/** Where the hub's word for a reason does not speak for itself. */
const REASONS: Readonly<Record<string, string>> = {
  preference_channel: "channel switched off",
  preference_category: "category switched off",
  preference_severity: "below the severity they wish",
  no_address: "no address",
  solicitation_hours: "outside the hours for solicitation",
  expires_in: "expired",
  quiet_hours: "quiet hours",
  acknowledged: "acknowledged before",
  read: "read before",
}

export const listedReasons = (changes: Changes): string =>
  listed(Object.fromEntries(Object.entries(changes).map(([reason, change]) => [REASONS[reason] ?? reason, change])))

const totalOf = (changes: Changes): BeforeAfter =>
  Object.values(changes).reduce(
    (sum, { before, after }) => ({ before: sum.before + before, after: sum.after + after }),
    { before: 0, after: 0 },
  )

const signed = (value: number): string => (value > 0 ? `+${number(value)}` : `−${number(-value)}`)

/** `(+15, −2)`, or nothing where there is neither. */
export function turned(more: number, less: number): string {
  const parts = [...(more > 0 ? [signed(more)] : []), ...(less > 0 ? [signed(-less)] : [])]
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

/** What the head's or the base's revision is called: a commit in short. */
export const shortRevision = (revision: string): string => revision.replace(/^([0-9a-f]{12})[0-9a-f]{28,}/, "$1")

/** Those that are shown: they differ, or are in one of the sets only. */
export const shownRules = ({ rules }: Report): readonly RuleChange[] =>
  rules.filter((rule) => rule.different || rule.in !== "both")

export function headline(report: Report): string {
  const { rules } = report
  const differing = rules.filter(({ different }) => different).length
  if (differing === 0) return "Nothing would be different"
  const { before, after } = totalOf(report.messages)
  const messages =
    before === after ? `${number(after)} messages as before` : `${number(before)} → ${number(after)} messages`
  return `${differing} of ${counted(rules.length, "rule")} would act differently: ${messages}`
}

export const counted = (count: number, what: string): string => `${number(count)} ${what}${count === 1 ? "" : "s"}`

/** Over what it was found out, in sentences. */
export function remarks({ events, recipients, rules }: Report): readonly string[] {
  const same = rules.filter((rule) => !rule.different && rule.in === "both").length
  const span =
    events.first_accepted_at === null
      ? ""
      : `, accepted from ${minute(events.first_accepted_at)} to ${minute(events.last_accepted_at ?? "")} UTC`
  return [
    `Replayed: ${counted(events.replayed, "recorded event")}${span}, with ${counted(recipients, "recipient")} as they are now. Nothing was sent.`,
    ...(same > 0 ? [`${counted(same, "rule")} would do as before.`] : []),
    ...(events.limited ? ["There are more events: --limit was reached."] : []),
    ...(events.unreadable > 0
      ? [`Not replayable: ${counted(events.unreadable, "event")} whose payload is gone or cannot be read.`]
      : []),
    ...(events.out_of_order > 0
      ? [`Not replayable: ${counted(events.out_of_order, "event")} out of order, by a clock that was wrong.`]
      : []),
    ...(events.undecided.before + events.undecided.after > 0
      ? [`Events that could not be decided: ${fromTo(events.undecided)}.`]
      : []),
  ]
}

const minute = (time: string): string => time.slice(0, 16).replace("T", " ")

export function membership(rule: RuleChange): string {
  switch (rule.in) {
    case "both":
      return ""
    case "base":
      return " (removed)"
    case "head":
      return " (new)"
  }
}
