/** An explanation as `hub rules explain` prints it. Pure. */
import type { HubEvent } from "../domain/event.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { Audience } from "../domain/rule.ts"
import type { Clause } from "../routing/conditions/clause-tree.ts"
import { oneLine } from "../routing/escape.ts"
import type { ChannelFate, EventExplained, RuleExplained, ToldPerson } from "../routing/explain-event.ts"
import type { Later } from "../routing/explain-later.ts"
import type { LoadedRule, RuleSet } from "../routing/rule-set.ts"

export interface ExplainText {
  readonly recipient: string | undefined
  readonly rule: string | undefined
  readonly people: boolean
}

const MAX_PEOPLE = 10

export function explainLines(
  event: HubEvent,
  { revision, rules }: EventExplained,
  ruleSet: RuleSet,
  asked: ExplainText,
): readonly string[] {
  const place = event.location === null ? event.business : `${event.business}, location ${event.location}`
  const matched = rules.filter((rule) => rule.matched).length
  const listen = rules.length === 1 ? "1 rule listens" : `${rules.length} rules listen`
  const head = [
    oneLine(`${event.type} of ${event.source}, severity ${event.severity}, in ${place}`),
    rules.length === 0
      ? `No ${asked.rule === undefined ? "rule listens" : `event of this type concerns the rule ${asked.rule}: it does not listen`} to ${oneLine(event.type)}. Revision ${revision}.`
      : `${listen} to this type of event, ${matched} matched. Revision ${revision}.`,
  ]
  const byName = new Map<string, LoadedRule>(ruleSet.rules.map((rule) => [rule.name, rule]))
  return [...head, ...rules.flatMap((one) => ["", ...ruleLines(one, byName.get(one.rule), asked)])]
}

function ruleLines(one: RuleExplained, rule: LoadedRule | undefined, asked: ExplainText): readonly string[] {
  const lines = [
    `${one.rule} ${one.matched ? "matched" : "did not match"} (${one.at})`,
    `  ${oneLine(asked.people ? one.reason : beforePeople(one.reason))}`,
  ]
  if (one.clauses !== null && one.clauses.children.length > 0) lines.push(...clauseLines(one.clauses, 1))
  if (!one.matched) return lines
  for (const failure of one.failures) lines.push(`  failed: ${oneLine(failure)}`)
  if (asked.people) {
    const shown =
      asked.recipient === undefined ? one.told : one.told.filter((told) => told.recipient === asked.recipient)
    for (const told of shown.slice(0, MAX_PEOPLE)) lines.push(`  tells ${personText(told)}`)
    const more = one.people - Math.min(shown.length, MAX_PEOPLE)
    if (asked.recipient === undefined && more > 0) lines.push(`  and ${more} more`)
    if (one.whyNot !== null) lines.push(`  does not tell ${asked.recipient}: ${one.whyNot}`)
  } else {
    const audiences = (rule?.actions ?? []).flatMap((action) =>
      action.type === "notify" ? [`  would tell ${audienceText(action.to)}: ${action.channels.join(", ")}`] : [],
    )
    lines.push(...new Set(audiences))
  }
  for (const fate of one.systems) lines.push(`  posts to a system by ${fateText(fate)}`)
  for (const later of one.later) lines.push(`  later: ${laterText(later)}`)
  return lines
}

/** Where nobody was looked up, it says nothing that somebody was not found; what the event itself lacks stays. */
const beforePeople = (reason: string): string =>
  reason.replace(/; nobody is told: (?!the event names no user$|it names more than ).*$/s, "")

function clauseLines({ text, holds, decides, children }: Clause, depth: number): readonly string[] {
  const verdict = holds === null ? "?    " : holds ? "true " : "false"
  const mark = decides ? "*" : " "
  return [
    `${"  ".repeat(depth)}${mark} ${verdict} ${oneLine(text)}`,
    ...children.flatMap((child) => clauseLines(child, depth + 1)),
  ]
}

function personText({ recipient, inbox, reason, at, channels }: ToldPerson): string {
  const fates = [...(inbox ? ["inapp"] : []), ...channels.map(fateText)]
  const why = reason === null ? "" : ` (${reason})`
  const when = reason === "digest" ? ` at ${new Date(at).toISOString()} at the latest` : ""
  return `${recipient}${why}${when}: ${fates.length === 0 ? "on no channel" : fates.join(", ")}`
}

/** `escalate at 2026-01-05T09:15:00.000Z by sms to role manager, unless acknowledged` */
function laterText({ kind, dueAt, channels, to, until }: Later): string {
  const whom = `to ${audienceText(to)}`
  if (dueAt === null)
    return `${kind} by ${channels.join(", then ")} ${whom}, for whom what was tried is definitely not sent`
  const at = new Date(dueAt).toISOString()
  return `${kind} at ${at} by ${channels.join(", ")} ${whom}${until === null ? "" : `, unless ${until}`}`
}

function fateText({ channel, status, reason, until }: ChannelFate): string {
  if (status === "queued") return channel
  const end = until === null ? "" : ` until ${new Date(until).toISOString()}`
  return `${channel} (${status}: ${reason ?? "no reason"}${end})`
}

function audienceText({ roles, users, lists, everyone }: Audience): string {
  const parts = [
    ...(everyone ? ["everyone"] : []),
    ...roles.map((role) => `role ${role}`),
    ...lists.map((list) => `list ${list}`),
    ...users.map(userText),
  ]
  return parts.length === 0 ? "nobody" : parts.join(", ")
}

/** `user u7`, `the user in payload.owner_id` */
function userText(user: Audience["users"][number]): string {
  if (typeof user === "string") return `user ${user}`
  return isJsonObject(user) && typeof user["var"] === "string"
    ? `the user in ${user["var"]}`
    : `user ${JSON.stringify(user)}`
}

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : []
const textOf = (value: Json | undefined): string =>
  value === null || value === undefined ? "" : oneLine(String(value))

/** What really followed from a recorded event. */
export function traceLines(trace: JsonObject): readonly string[] {
  const withReason = (one: JsonObject): string => (one["reason"] === null ? "" : ` (${textOf(one["reason"])})`)
  const delivery = (one: JsonObject): string => `${textOf(one["channel"])} ${textOf(one["status"])}${withReason(one)}`
  const notification = (one: JsonObject): string => {
    const channels = [...(one["inbox"] === true ? ["inapp"] : []), ...listOf(one["deliveries"]).map(delivery)]
    return `    ${textOf(one["id"])} ${textOf(one["recipient"])}${withReason(one)}: ${channels.join(", ") || "nothing sent"}`
  }
  const notifications = listOf(trace["notifications"])
  return [
    "",
    `What followed: ${textOf(trace["reason"])}. Revision ${textOf(trace["rules_revision"]) || "none"}.`,
    ...listOf(trace["rules"]).flatMap((rule) => [
      `  ${textOf(rule["rule"])} ${rule["matched"] === true ? "matched" : "did not match"}: ${textOf(rule["reason"])}`,
      ...notifications.filter((one) => one["rule"] === rule["rule"]).map(notification),
    ]),
    ...listOf(trace["systems"]).map((one) => `  to a system: ${textOf(one["rule"])} ${delivery(one)}`),
    ...listOf(trace["timers"]).map(
      (one) =>
        `  ${textOf(one["kind"])} of ${textOf(one["rule"])} at ${textOf(one["due_at"])}: ${textOf(one["outcome"]) || "waits"}`,
    ),
    ...listOf(trace["digests"]).map(
      (one) =>
        `  in ${textOf(one["id"])} with ${Number(one["events"]) - 1} other events: ${textOf(one["outcome"]) || "waits"}`,
    ),
  ]
}
