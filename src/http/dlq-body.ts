/** What may be asked of the dead letters: a filter, in a query or in a body, and a replay. A word too many is refused. */
import { isSendingChannel, SENDING_CHANNELS } from "../domain/channel.ts"
import { asBusinessId, asDeliveryId, asEventId, type DeliveryId, type EventId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { parseTime } from "../domain/rfc3339.ts"
import type { DeadLetterFilter } from "../store/dead-letters.ts"

export interface AskedReplay {
  readonly what:
    | { readonly kind: "one"; readonly id: DeliveryId }
    | { readonly kind: "filter"; readonly filter: DeadLetterFilter; readonly perSecond: number }
  readonly replayId: string | null
  readonly dryRun: boolean
  /** What identifies it, as it was asked. */
  readonly asked: JsonObject
}

type Read<T> = { readonly value: T } | { readonly errors: readonly FieldError[] }

/** The filter's fields, each with what it takes: the reader and the documents have them from here. */
export const FILTER_FIELDS = {
  channel: SENDING_CHANNELS.join(", "),
  account: "own, bot (Slack), a device's platform, or the host of a webhook that a rule or reader named",
  status: "dead or unknown",
  reason: "the code of why, such as attempts_exhausted",
  rule: "a rule's name",
  business_id: "a business",
  since: "an RFC 3339 time: died then or later",
  until: "an RFC 3339 time: died before then",
} as const
type FilterField = keyof typeof FILTER_FIELDS

const MAX_TEXT = 256
/** A replay id, as an idempotency key. */
const REPLAY_ID = /^[\x21-\x7e]{1,200}$/
const PER_SECOND = 10
const MAX_PER_SECOND = 1_000

/** Reads a filter; `at` is where its fields stand: `?` or `/filter/`. */
export function readDeadLetterFilter(given: JsonObject, at: string): Read<DeadLetterFilter> {
  const errors: FieldError[] = []
  const wrong = (field: string, expected: string): undefined => {
    errors.push({ pointer: at + field, detail: `expected ${expected}` })
  }
  for (const field of Object.keys(given))
    if (!Object.hasOwn(FILTER_FIELDS, field)) wrong(field, `one of ${Object.keys(FILTER_FIELDS).join(", ")}`)
  const read = <T>(field: FilterField, as: (text: string) => T | null): T | undefined => {
    const text = given[field]
    if (text === undefined) return undefined
    const value = typeof text === "string" && text !== "" && text.length <= MAX_TEXT ? as(text) : null
    return value ?? wrong(field, FILTER_FIELDS[field])
  }
  const filter: DeadLetterFilter = {
    channel: read("channel", (text) => (isSendingChannel(text) ? text : null)),
    account: read("account", asText),
    status: read("status", (text) => (text === "dead" || text === "unknown" ? text : null)),
    reason: read("reason", asText),
    rule: read("rule", asText),
    business: read("business_id", asBusinessId),
    since: read("since", parseTime),
    until: read("until", parseTime),
  }
  return errors.length > 0 ? { errors } : { value: filter }
}

const asText = (text: string): string => text

const KNOWN = ["job_id", "filter", "dry_run", "per_second", "replay_id"]

/** What every body of a replay has to be. */
function readObject(body: Json): Read<{ readonly given: JsonObject; readonly dryRun: boolean }> {
  if (!isJsonObject(body)) return one("", 'expected {"job_id": "dlv_…"} or {"filter": {…}}')
  const odd = Object.keys(body).find((field) => !KNOWN.includes(field))
  if (odd !== undefined) return one(`/${odd}`, `expected one of ${KNOWN.join(", ")}`)
  const { job_id: job, filter, dry_run: dryRun = false } = body
  if (typeof dryRun !== "boolean") return one("/dry_run", "expected true or false")
  if ((job === undefined) === (filter === undefined)) return one("/job_id", "expected either a job_id or a filter")
  return { value: { given: body, dryRun } }
}

/** Reads a body whose job is an event, which is routed and not sent; null: it is another replay. */
export function readRouteAgain(body: Json): Read<{ readonly event: EventId; readonly dryRun: boolean }> | null {
  const job = isJsonObject(body) ? body["job_id"] : undefined
  const event = typeof job === "string" ? asEventId(job) : null
  if (event === null) return null
  const read = readObject(body)
  return "errors" in read ? read : { value: { event, dryRun: read.value.dryRun } }
}

/** Reads the body of a replay. `header`: `Idempotency-Key`, which is the replay id too. */
export function readReplay(body: Json, header: string | null): Read<AskedReplay> {
  const object = readObject(body)
  if ("errors" in object) return object
  const { given, dryRun } = object.value
  const { job_id: job, filter, per_second: perSecond = PER_SECOND } = given
  const replayId = given["replay_id"] ?? header
  if (replayId !== null && (typeof replayId !== "string" || !REPLAY_ID.test(replayId)))
    return one("/replay_id", "expected 1 to 200 characters without spaces")
  if (header !== null && replayId !== header) return one("/replay_id", "expected the same as in Idempotency-Key")
  if (job !== undefined) {
    const id = typeof job === "string" ? asDeliveryId(job) : null
    if (id === null) return one("/job_id", "expected a delivery's id")
    return { value: { what: { kind: "one", id }, replayId, dryRun, asked: { job_id: id } } }
  }
  if (typeof perSecond !== "number" || !(perSecond >= 1 && perSecond <= MAX_PER_SECOND))
    return one("/per_second", `expected a number from 1 to ${MAX_PER_SECOND}`)
  if (filter === undefined || !isJsonObject(filter)) return one("/filter", "expected an object; {} is all of them")
  const read = readDeadLetterFilter(filter, "/filter/")
  if ("errors" in read) return read
  const asked = { filter, per_second: perSecond }
  return { value: { what: { kind: "filter", filter: read.value, perSecond }, replayId, dryRun, asked } }
}

const one = (pointer: string, detail: string) => ({ errors: [{ pointer, detail }] })
