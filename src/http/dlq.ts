/** Dead letters: what will not be tried again by itself, why, and the way to send it again. */
import { asDeliveryId, type DeliveryId, type EventId } from "../domain/ids.ts"
import { actorOf, confinedTo } from "../domain/principal.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import { deadLetterGroups, listDeadLetters } from "../store/dead-letters.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { countDeadLetters, type Replayed, replayDead } from "../store/replays.ts"
import { hasFailed, routeAgain } from "../store/route-again.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { readJson } from "./body.ts"
import { deliveryPage, PAGE } from "./deliveries.ts"
import { type AskedReplay, FILTER_FIELDS, readDeadLetterFilter, readReplay, readRouteAgain } from "./dlq-body.ts"
import { DLQ_SCHEMAS } from "./dlq-schemas.ts"
import { readPage } from "./page.ts"
import { invalid, notFound, problem } from "./problem.ts"
import { type Answer, type Call, json, query, type RouteFile, ref } from "./route.ts"

export interface DlqDeps {
  readonly db: Database
  readonly pubsub: PubSub
  readonly telemetry: Emitter
}

export function dlqRoutes({ db, pubsub, telemetry }: DlqDeps): RouteFile {
  return {
    schemas: DLQ_SCHEMAS,
    routes: [
      {
        method: "GET",
        path: "/admin/dlq",
        access: "operator",
        doc: {
          summary: "Dead letters, with counts by cause",
          tag: "Operations",
          parameters: [
            ...Object.entries(FILTER_FIELDS).map(([name, description]) => ({
              name,
              in: "query" as const,
              description,
            })),
            ...PAGE,
          ],
          answers: { 200: { description: "A page, and groups over all pages", schema: ref("DeadLetters") } },
        },
        async handle(call) {
          const asked = query(call)
          const page = readPage(asked, asDeliveryId)
          if ("kind" in page) return page
          const { after, limit, cursor, ...fields } = Object.fromEntries(asked)
          const filter = readDeadLetterFilter(fields, "?")
          if ("errors" in filter) return invalid(filter.errors)
          const found = await listDeadLetters(db, {
            businesses: confinedTo(call.principal.tenancy),
            filter: filter.value,
            after: page.after ?? undefined,
            limit: page.limit,
          })
          return json(200, { ...deliveryPage(found), groups: found.groups })
        },
      },
      {
        method: "POST",
        path: "/admin/dlq/replay",
        access: "operator",
        doc: {
          summary: "Send dead letters again: one, or those that fit a filter",
          tag: "Operations",
          description:
            "Their history stays, their tries are counted anew. Many are spread over time, `per_second` on each channel. " +
            "What is asked again with the same replay id is done once. An event's id routes an event again of which something " +
            "failed: whoever was told of it by then is not told again.",
          parameters: [
            { name: "Idempotency-Key", in: "header", description: "The replay id, where the body has none" },
          ],
          body: {
            "application/json": {
              schema: ref("Replay"),
              example: { filter: { channel: "telegram", reason: "attempts_exhausted" }, dry_run: true },
            },
          },
          answers: {
            200: { description: "With `dry_run`: what would be sent", schema: ref("ReplayPreview") },
            202: { description: "They are queued, and it is in the audit log", schema: ref("Replayed") },
          },
        },
        async handle(call) {
          const body = await readJson(call.request)
          if ("kind" in body) return body
          const again = readRouteAgain(body.value)
          if (again !== null) return "errors" in again ? invalid(again.errors) : routed(db, again.value, call)
          const read = readReplay(body.value, call.request.headers.get("idempotency-key"))
          if ("errors" in read) return invalid(read.errors)
          const asked = read.value
          if (asked.dryRun) return preview(db, asked, call)
          const { principal } = call
          const done = await replayDead(db, {
            what: asked.what,
            asked: asked.asked,
            replayId: asked.replayId,
            actor: actorOf(principal),
            businesses: confinedTo(principal.tenancy),
          })
          if (done.kind === "replayed" && !done.before && done.counts.replayed > 0) {
            telemetry.emit({ kind: "dead_letters_replayed", count: done.counts.replayed })
            pubsub.publish([{ kind: "deliveries_due", channels: done.channels }])
          }
          return answerOf(done, asked)
        },
      },
    ],
  }
}

/** The router finds it when it looks next. */
async function routed(
  db: Database,
  { event, dryRun }: { readonly event: EventId; readonly dryRun: boolean },
  { principal }: Call,
): Promise<Answer> {
  const businesses = confinedTo(principal.tenancy)
  if (dryRun) {
    const failed = await hasFailed(db, event, businesses)
    return failed === null ? notFound("event") : json(200, previewOf(failed ? 1 : 0, 0))
  }
  const done = await routeAgain(db, event, { actor: actorOf(principal), businesses })
  switch (done.kind) {
    case "absent":
      return notFound("event")
    case "fine":
      return problem("conflict", "nothing of this event failed, or it waits for the router")
    case "queued":
      return json(202, { replayed: 1, job_id: event, status: "queued", audit: done.audit })
  }
}

function answerOf(done: Replayed, { what, replayId }: AskedReplay): Answer {
  switch (done.kind) {
    case "absent":
      return notFound("delivery")
    case "not_dead":
      return problem("conflict", `it is ${done.status}, not a dead letter`)
    case "late":
      return problem("conflict", "its rule allows nothing to be sent that late (expires_in)")
    case "reused":
      return problem("idempotency_key_reused", `entry ${done.audit} of the audit log is another replay with this id`)
    case "replayed": {
      const { replayed, left, late, channels, until } = done.counts
      const id = replayId === null ? {} : { replay_id: replayId }
      const of =
        what.kind === "one"
          ? { job_id: what.id, status: "queued" }
          : { left, late, channels, per_second: what.perSecond, until }
      return json(
        202,
        { replayed, ...of, ...id, audit: done.audit },
        done.before ? { "idempotent-replayed": "true" } : {},
      )
    }
  }
}

/** What a replay would do; nothing is written down. */
async function preview(db: Database, { what }: AskedReplay, { principal }: Call): Promise<Answer> {
  const businesses = confinedTo(principal.tenancy)
  if (what.kind === "one") return previewOne(db, what.id, businesses)
  const [counts, groups] = await Promise.all([
    countDeadLetters(db, businesses, what.filter),
    deadLetterGroups(db, businesses, what.filter),
  ])
  return json(200, { dry_run: true, replayed: 0, ...counts, groups })
}

async function previewOne(db: Database, id: DeliveryId, businesses: ReturnType<typeof confinedTo>): Promise<Answer> {
  const found = await getDelivery(db, id, businesses)
  if (found === null) return notFound("delivery")
  const dead = await countDeadLetters(db, businesses, { id })
  return json(200, previewOf(dead.matched, dead.late))
}

const previewOf = (matched: number, late: number) => ({ dry_run: true, replayed: 0, matched, late, groups: [] })
