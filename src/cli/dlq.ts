/** `hub dlq list|replay`: dead letters from beside a hub, by the database that both have. A running hub sends what is replayed. */
import { asDeliveryId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { FILTER_FIELDS, readDeadLetterFilter, readReplay } from "../http/dlq-body.ts"
import { deadLetterGroups, listDeadLetters } from "../store/dead-letters.ts"
import { countDeadLetters, type Replayed, replayDead } from "../store/replays.ts"
import { type Command, type ExitCode, flags, type Invocation, Misuse, settings } from "./command.ts"
import { withDatabase } from "./with-database.ts"

const text = { type: "string" } as const
const FILTER = {
  channel: text,
  account: text,
  status: text,
  reason: text,
  rule: text,
  business: text,
  since: text,
  until: text,
} as const
const FILTER_USAGE =
  "[--channel sms] [--reason …] [--rule …] [--account …] [--status dead|unknown] [--business b1] [--since time] [--until time]"

/** The filter's flags as its fields are spelt over HTTP. */
const fieldsOf = (values: Readonly<Record<string, unknown>>): JsonObject =>
  Object.fromEntries(
    Object.keys(FILTER_FIELDS).flatMap((field) => {
      const given = values[field === "business_id" ? "business" : field]
      return typeof given === "string" ? [[field, given]] : []
    }),
  )

/** In the words of the command line: a field of the API's body is an option here, and its job the argument. */
const refuse = (errors: readonly { readonly pointer: string; readonly detail: string }[]): never => {
  const named = (pointer: string): string => {
    const field = pointer.replace(/^.*[/?]/, "")
    return field === "job_id" ? "<dlv_…>" : `--${field === "business_id" ? "business" : field.replaceAll("_", "-")}`
  }
  throw new Misuse(errors.map(({ pointer, detail }) => `${named(pointer)}: ${detail}`).join("\n"))
}

export const dlqList: Command = {
  name: "dlq list",
  usage: `${FILTER_USAGE} [--limit 50] [--after dlv_…] [--json]`,
  summary: "list what will not be tried again by itself, with counts by cause",
  async run(invocation) {
    const { values } = flags(invocation, { ...FILTER, limit: { type: "string", default: "50" }, after: text }, 0)
    const read = readDeadLetterFilter(fieldsOf(values), "?")
    if ("errors" in read) return refuse(read.errors)
    const limit = Number(values.limit)
    if (!Number.isInteger(limit) || limit < 1 || limit > 200)
      throw new Misuse("--limit: expected a number from 1 to 200")
    const after = values.after === undefined ? undefined : asDeliveryId(values.after)
    if (after === null) throw new Misuse("--after: expected a delivery's id")
    const asked = { businesses: null, filter: read.value, after, limit }
    const found = await withDatabase(settings(invocation), invocation, (db) => listDeadLetters(db, asked))
    if (values.json)
      invocation.out(JSON.stringify({ data: found.deliveries, groups: found.groups, has_more: found.hasMore }))
    else {
      for (const group of found.groups) invocation.out(groupLine(group))
      if (found.groups.length === 0) invocation.out("No dead letters.")
      for (const one of found.deliveries)
        invocation.out(
          `${one["id"]}  ${one["settled_at"] ?? ""}  ${one["channel"]}  ${one["reason"] ?? ""}  ${one["rule"]}`,
        )
      if (found.hasMore) invocation.err("There are more: --after the last id, or --limit.")
    }
    return found.groups.length === 0 ? 0 : 1
  },
}

const groupLine = ({ count, channel, account, status, reason, rule }: JsonObject): string =>
  `${String(count).padStart(7)}  ${channel}${account === null ? "" : ` (${account})`}  ${status}  ${reason ?? ""}  ${rule}`

export const dlqReplay: Command = {
  name: "dlq replay",
  usage: `<dlv_…> | --all | ${FILTER_USAGE} [--per-second 10] [--replay-id …] [--dry-run] [--json]`,
  summary: "send dead letters again: one, or those that fit; once for each --replay-id",
  async run(invocation) {
    const { values, positionals } = flags(
      invocation,
      { ...FILTER, all: { type: "boolean" }, "per-second": text, "replay-id": text, "dry-run": { type: "boolean" } },
      1,
    )
    const [job] = positionals
    const fields = fieldsOf(values)
    const chosen = [job !== undefined, values.all === true, Object.keys(fields).length > 0].filter(Boolean).length
    if (chosen !== 1) throw new Misuse("which? give one delivery's id, a filter, or --all")
    const read = readReplay(
      {
        ...(job === undefined ? { filter: fields } : { job_id: job }),
        ...(values["per-second"] === undefined ? {} : { per_second: Number(values["per-second"]) }),
      },
      values["replay-id"] ?? null,
    )
    if ("errors" in read) return refuse(read.errors)
    const { what, asked, replayId } = read.value
    return withDatabase(settings(invocation), invocation, async (db) => {
      if (values["dry-run"] === true) {
        if (what.kind === "one") throw new Misuse("--dry-run: says what a filter would send")
        const counts = await countDeadLetters(db, null, what.filter)
        const groups = await deadLetterGroups(db, null, what.filter)
        if (values.json) invocation.out(JSON.stringify({ dry_run: true, ...counts, groups }))
        else {
          for (const group of groups) invocation.out(groupLine(group))
          invocation.out(
            `${counts.matched} would be sent again${counts.late === 0 ? "" : `, ${counts.late} are too late`}.`,
          )
        }
        return 0
      }
      return tell(
        invocation,
        await replayDead(db, { what, asked, replayId, actor: "cli", businesses: null }),
        values.json,
      )
    })
  },
}

function tell({ out, err }: Invocation, done: Replayed, json: boolean): ExitCode {
  if (json) out(JSON.stringify(done))
  switch (done.kind) {
    case "replayed": {
      const { replayed, left, late, until } = done.counts
      if (!json) {
        out(`${replayed} ${replayed === 1 ? "is" : "are"} sent again${until === null ? "" : `, the last at ${until}`}.`)
        if (done.before) err("That was done before, under this replay id.")
        if (left > 0) err(`${left} more fit: ask again, under another replay id.`)
        if (late > 0) err(`${late} stay, because their rules allow nothing to be sent that late.`)
      }
      return 0
    }
    case "reused":
      err("This replay id belongs to another replay.")
      return 1
    case "not_dead":
      err(`It is ${done.status}, not a dead letter.`)
      return 1
    case "late":
      err("Its rule allows nothing to be sent that late.")
      return 1
    case "absent":
      err("There is no such delivery.")
      return 1
  }
}
