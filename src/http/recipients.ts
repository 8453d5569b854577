/** Recipients: who can be told things. Services and operators keep them; a caller changes only its own businesses. */
import { asRecipientId, type BusinessId, type RecipientId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { checkJson, pointerTo } from "../domain/json-limits.ts"
import { actorOf, confinedTo, type Principal } from "../domain/principal.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Database } from "../store/database.ts"
import { deleteRecipient, getRecipient, listRecipients, upsertRecipients } from "../store/recipients.ts"
import { BATCH_BYTES, readJson, readJsonList } from "./body.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid, notFound, problem } from "./problem.ts"
import { readRecipient } from "./recipient-body.ts"
import { RECIPIENT_EXAMPLE, RECIPIENT_SCHEMAS } from "./recipient-schemas.ts"
import { json, noContent, query, type RouteFile, ref } from "./route.ts"

const MAX_BATCH = 1_000

export function recipientRoutes({ db }: { readonly db: Database }): RouteFile {
  return {
    schemas: RECIPIENT_SCHEMAS,
    routes: [
      {
        method: "PUT",
        path: "/v1/recipients/:id",
        access: "service",
        doc: {
          summary: "Create or replace a recipient",
          tag: "Recipients",
          body: { "application/json": { schema: ref("RecipientInput"), example: RECIPIENT_EXAMPLE } },
          answers: {
            200: { description: "Replaced", schema: ref("Recipient") },
            201: { description: "Created", schema: ref("Recipient") },
          },
        },
        async handle({ request, params, principal }) {
          const id = asRecipientId(params["id"])
          if (id === null) return invalid([{ pointer: "", detail: "the id must match [A-Za-z0-9_.@|+-]{1,128}" }])
          const body = await readJson(request)
          if ("kind" in body) return body
          const read = readRecipient(body.value, id, principal, "")
          if ("errors" in read) return invalid(read.errors)
          const businesses = confinedTo(principal.tenancy)
          const saved = (await upsertRecipients(db, [read.recipient], businesses)).get(id)
          const now = saved === undefined ? null : await getRecipient(db, id)
          if (now === null) return notFound("recipient")
          return json(saved === "created" ? 201 : 200, recipientJson(now, businesses))
        },
      },
      {
        method: "POST",
        path: "/v1/recipients/batch",
        access: "service",
        doc: {
          summary: "Create or replace up to 1,000 recipients; each stands or falls alone",
          tag: "Recipients",
          body: {
            "application/json": { schema: ref("RecipientBatch"), example: [{ id: "u1", ...RECIPIENT_EXAMPLE }] },
          },
          answers: { 200: { description: "One result for each item, in order", schema: ref("RecipientResults") } },
        },
        async handle({ request, principal }) {
          const body = await readJsonList(request, BATCH_BYTES)
          if ("kind" in body) return body
          const items = isJsonObject(body.value) ? body.value["recipients"] : body.value
          if (!Array.isArray(items))
            return invalid([{ pointer: "", detail: 'expected a list or {"recipients": [...]}' }])
          if (items.length > MAX_BATCH)
            return problem("too_large", `at most ${MAX_BATCH} recipients; got ${items.length}`)
          return json(200, { results: await saveBatch(db, items, principal) })
        },
      },
      {
        method: "GET",
        path: "/v1/recipients/:id",
        access: "service",
        doc: {
          summary: "Read a recipient",
          tag: "Recipients",
          answers: { 200: { description: "The recipient", schema: ref("Recipient") } },
        },
        async handle({ params, principal }) {
          const id = asRecipientId(params["id"])
          const found = id === null ? null : await getRecipient(db, id)
          const businesses = confinedTo(principal.tenancy)
          if (found === null || !visible(found, businesses)) return notFound("recipient")
          return json(200, recipientJson(found, businesses))
        },
      },
      {
        method: "GET",
        path: "/v1/recipients",
        access: "service",
        doc: {
          summary: "List recipients, by id",
          tag: "Recipients",
          parameters: [
            { name: "role", in: "query", description: "Only those who have this role" },
            { name: "after", in: "query", description: "Go on after this id" },
            { name: "limit", in: "query", description: "1 to 200, default 50" },
          ],
          answers: { 200: { description: "A page", schema: ref("RecipientPage") } },
        },
        async handle(call) {
          const page = readPage(query(call), asRecipientId)
          if ("kind" in page) return page
          const businesses = confinedTo(call.principal.tenancy)
          const role = query(call).get("role") ?? undefined
          const found = await listRecipients(db, {
            businesses,
            role,
            after: page.after ?? undefined,
            limit: page.limit,
          })
          const data = found.recipients.map((recipient) => recipientJson(recipient, businesses))
          return json(200, pageBody(data, found.hasMore ? (found.recipients.at(-1)?.id ?? null) : null, found.hasMore))
        },
      },
      {
        method: "DELETE",
        path: "/v1/recipients/:id",
        access: "service",
        doc: {
          summary: "Take a recipient out of the caller's businesses",
          tag: "Recipients",
          description: "A recipient who belongs to no business any more is deleted.",
          answers: { 204: { description: "Gone" } },
        },
        async handle({ params, principal }) {
          const id = asRecipientId(params["id"])
          if (id === null) return notFound("recipient")
          const answer = await deleteRecipient(db, id, confinedTo(principal.tenancy), actorOf(principal))
          return answer === "deleted" ? noContent() : notFound("recipient")
        },
      },
    ],
  }
}

/** Whether they belong to one of the businesses (null: of any). */
export const visible = (recipient: Recipient, businesses: readonly BusinessId[] | null): boolean =>
  businesses === null || recipient.memberships.some((m) => businesses.includes(m.business))

async function saveBatch(db: Database, items: readonly Json[], principal: Principal): Promise<readonly JsonObject[]> {
  const results: JsonObject[] = []
  const good = new Map<RecipientId, { recipient: Recipient; index: number }>()
  items.forEach((item, index) => {
    const read = readItem(item, principal)
    if ("errors" in read) {
      results[index] = { index, status: "invalid", errors: read.errors.map((error) => ({ ...error })) }
      return
    }
    const earlier = good.get(read.recipient.id)
    // The last word about a person counts, as it would one request after the other.
    if (earlier !== undefined)
      results[earlier.index] = { index: earlier.index, status: "updated", id: read.recipient.id }
    good.set(read.recipient.id, { recipient: read.recipient, index })
  })
  const all = [...good.values()]
  const saved = await upsertRecipients(
    db,
    all.map((entry) => entry.recipient),
    confinedTo(principal.tenancy),
  )
  for (const { recipient, index } of all) {
    const status = saved.get(recipient.id)
    results[index] =
      status === undefined
        ? { index, status: "invalid", errors: [{ pointer: "/id", detail: "no recipient of this id that you can see" }] }
        : { index, status, id: recipient.id }
  }
  return results
}

function readItem(item: Json, principal: Principal): ReturnType<typeof readRecipient> {
  const errors = checkJson(item)
  if (errors.length > 0) return { errors }
  if (!isJsonObject(item)) return { errors: [{ pointer: "", detail: "expected an object" }] }
  const { id: given, ...rest } = item
  const id = asRecipientId(given)
  if (id === null) return { errors: [{ pointer: pointerTo("", "id"), detail: "expected [A-Za-z0-9_.@|+-]{1,128}" }] }
  return readRecipient(rest, id, principal, "")
}

/** As contract §8 spells it; memberships of other tenants are left out. */
function recipientJson(r: Recipient, businesses: readonly BusinessId[] | null): JsonObject {
  return {
    id: r.id,
    name: r.name,
    email: r.email,
    phone: r.phone,
    telegram_chat_id: r.telegramChatId,
    slack_webhook_url: r.slackWebhookUrl,
    slack_user_id: r.slackUserId,
    device_tokens: r.deviceTokens.map((device) => ({ platform: device.platform, token: device.token })),
    locale: r.locale,
    timezone: r.timezone,
    memberships: r.memberships
      .filter((m) => businesses === null || businesses.includes(m.business))
      .map((m) => ({ business_id: m.business, location_ids: m.locations, roles: m.roles })),
  }
}
