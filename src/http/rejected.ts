/** `GET /admin/rejected`: what came in and can never be an event, so that its producer can be mended. */
import { asRejectedId, type BusinessId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import type { Tenancy } from "../domain/principal.ts"
import type { Database } from "../store/database.ts"
import { listRejected } from "../store/rejected.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid } from "./problem.ts"
import { json, query, type RouteDoc, type RouteFile, ref, type Schema } from "./route.ts"
import { readTime } from "./time-parameter.ts"

export function rejectedRoutes({ db }: { readonly db: Database }): RouteFile {
  return {
    schemas: SCHEMAS,
    routes: [
      {
        method: "GET",
        path: "/admin/rejected",
        access: "operator",
        doc: DOC,
        async handle(call) {
          const asked = query(call)
          const page = readPage(asked, asRejectedId)
          if ("kind" in page) return page
          const errors: FieldError[] = []
          const since = readTime(asked, "since", errors)
          if (errors.length > 0) return invalid(errors)
          const { rejected, groups, groupsComplete, hasMore } = await listRejected(db, {
            businesses: wholeBusinesses(call.principal.tenancy),
            via: asked.get("via") ?? undefined,
            code: asked.get("code") ?? undefined,
            since,
            after: page.after ?? undefined,
            limit: page.limit,
          })
          const last = rejected.at(-1)?.["id"]
          const after = hasMore && typeof last === "string" ? last : null
          return json(200, { ...pageBody(rejected, after, hasMore), groups, groups_complete: groupsComplete })
        },
      },
    ],
  }
}

/** What was refused has no location that could be trusted: whoever sees only some of a business's sees none of it. */
const wholeBusinesses = (tenancy: Tenancy): readonly BusinessId[] | null =>
  tenancy === "*" ? null : tenancy.filter(({ locations }) => locations === null).map(({ business }) => business)

const VIA = "http, resources, nats, zoho, webhook, twilio, resend, telegram or slack"
const text: JsonObject = { type: ["string", "null"] }
const time: JsonObject = { type: "string", format: "date-time" }

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Rejected: {
    type: "object",
    required: ["id", "received_at", "last_at", "via", "code", "business_id", "origin", "count", "detail", "errors"],
    properties: {
      id: { type: "string", pattern: "^rej_" },
      received_at: time,
      last_at: time,
      via: { type: "string", description: VIA },
      code: { type: "string", description: "The code of the problem" },
      business_id: text,
      origin: { type: "string", description: "A subject and sequence, a webhook's name, a route" },
      count: { type: "integer", description: "How many inputs this row stands for" },
      detail: { type: "string" },
      errors: {
        type: "array",
        items: { type: "object", properties: { pointer: { type: "string" }, detail: { type: "string" } } },
      },
      bytes: { type: ["integer", "null"], description: "Of the whole input" },
      raw: { ...text, description: "Its first 16 KiB, where they are text" },
      raw_base64: { type: "string", description: "The same, where they are not" },
    },
  },
  RejectedPage: {
    type: "object",
    required: ["data", "page_info", "groups", "groups_complete"],
    properties: {
      data: { type: "array", items: ref("Rejected") },
      page_info: ref("PageInfo"),
      groups: {
        type: "array",
        description: "Inputs by door and code, over all pages",
        items: {
          type: "object",
          properties: { via: { type: "string" }, code: { type: "string" }, count: { type: "integer" } },
        },
      },
      groups_complete: {
        type: "boolean",
        description:
          "False: more than 10,000 rows fit, and the groups are of the newest of them. Ask with `via` or `code`.",
      },
    },
  },
}

const DOC: RouteDoc = {
  summary: "Rejected input, newest first, with counts by reason",
  tag: "Operations",
  description:
    "All of NATS and of signed webhooks; of HTTP, whose callers were told, a sample whose counts are the whole.",
  parameters: [
    { name: "via", in: "query", description: VIA },
    { name: "code", in: "query", description: "The code of the problem, such as invalid" },
    { name: "since", in: "query", description: "Seen at or after", schema: time },
    { name: "after", in: "query", description: "`page_info.after` of the page before" },
    { name: "limit", in: "query", description: "1 to 200, default 50" },
  ],
  answers: {
    200: {
      description: "A page, and groups over all pages",
      schema: ref("RejectedPage"),
      example: {
        data: [
          {
            id: "rej_06f2m3q8x5vwr9t0abcdefghjk",
            received_at: "2025-01-08T10:00:00.120Z",
            last_at: "2025-01-08T10:00:00.120Z",
            via: "nats",
            code: "invalid",
            business_id: null,
            origin: "hub.events.orders 1042",
            count: 1,
            detail: "/source: required",
            errors: [{ pointer: "/source", detail: "required" }],
            bytes: 24,
            raw: '{"type":"order.created"}',
          },
        ],
        page_info: { after: null, has_more: false },
        groups: [{ via: "nats", code: "invalid", count: 1 }],
        groups_complete: true,
      },
    },
  },
}
