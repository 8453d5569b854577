/** Lists of recipients that rules can name: a business's own, and only its people are on them. */
import { asBusinessId, asListName, asRecipientId, type BusinessId, type RecipientId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { defaultBusiness, grantFor } from "../domain/principal.ts"
import type { Database } from "../store/database.ts"
import { addToList, type ListMember, listLists, listMembers, removeFromList } from "../store/lists.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid, notFound, type Problem, problem } from "./problem.ts"
import { type Call, json, noContent, query, type RouteFile, ref, type Schema } from "./route.ts"

const TAG = "Lists"
const BUSINESS = {
  name: "business_id",
  in: "query",
  description: "Whose lists; default: the caller's only business, else `default`",
} as const
const PAGE = [
  { name: "after", in: "query", description: "Go on after this one" },
  { name: "limit", in: "query", description: "1 to 200, default 50" },
] as const

const page = (of: string): Schema => ({
  type: "object",
  properties: { data: { type: "array", items: ref(of) }, page_info: { type: "object" } },
})

const SCHEMAS: Readonly<Record<string, Schema>> = {
  List: {
    type: "object",
    required: ["list", "members"],
    properties: { list: { type: "string" }, members: { type: "integer" } },
  },
  ListPage: page("List"),
  ListMember: {
    type: "object",
    required: ["recipient_id", "added_at"],
    properties: { recipient_id: { type: "string" }, added_at: { type: "string", format: "date-time" } },
  },
  ListMemberPage: page("ListMember"),
}

export function listRoutes({ db }: { readonly db: Database }): RouteFile {
  return {
    schemas: SCHEMAS,
    routes: [
      {
        method: "PUT",
        path: "/v1/lists/:list/members/:recipient",
        access: "service",
        doc: {
          summary: "Put a recipient of the business on a list",
          tag: TAG,
          description: "A list is there as long as somebody is on it. Rules name it in `to: { lists: [...] }`.",
          parameters: [BUSINESS],
          answers: {
            200: { description: "On it already", schema: ref("ListMember") },
            201: { description: "On it from now on", schema: ref("ListMember") },
          },
        },
        async handle(call) {
          const place = placeOf(call)
          if ("kind" in place) return place
          const recipient = asRecipientId(call.params["recipient"])
          if (recipient === null) return notFound("recipient")
          const added = await addToList(db, place.business, place.list, recipient)
          if (added.kind === "stranger") return notFound("recipient")
          return json(added.kind === "added" ? 201 : 200, memberJson(added.member))
        },
      },
      {
        method: "DELETE",
        path: "/v1/lists/:list/members/:recipient",
        access: "service",
        doc: {
          summary: "Take a recipient off a list",
          tag: TAG,
          parameters: [BUSINESS],
          answers: { 204: { description: "Off it" } },
        },
        async handle(call) {
          const place = placeOf(call)
          if ("kind" in place) return place
          const recipient = asRecipientId(call.params["recipient"])
          const gone = recipient !== null && (await removeFromList(db, place.business, place.list, recipient))
          return gone ? noContent() : notFound("member")
        },
      },
      {
        method: "GET",
        path: "/v1/lists/:list/members",
        access: "service",
        doc: {
          summary: "Who is on a list, by id",
          tag: TAG,
          parameters: [BUSINESS, ...PAGE],
          answers: { 200: { description: "A page; empty where nobody is", schema: ref("ListMemberPage") } },
        },
        async handle(call) {
          const place = placeOf(call)
          if ("kind" in place) return place
          const asked = readPage<RecipientId>(query(call), asRecipientId)
          if ("kind" in asked) return asked
          const { members, hasMore } = await listMembers(db, place.business, place.list, asked)
          return json(200, pageBody(members.map(memberJson), lastOf(hasMore, members.at(-1)?.recipient), hasMore))
        },
      },
      {
        method: "GET",
        path: "/v1/lists",
        access: "service",
        doc: {
          summary: "The lists that somebody is on, by name",
          tag: TAG,
          parameters: [BUSINESS, ...PAGE],
          answers: { 200: { description: "A page", schema: ref("ListPage") } },
        },
        async handle(call) {
          const business = businessOf(call)
          if (typeof business !== "string") return business
          const asked = readPage(query(call), asListName)
          if ("kind" in asked) return asked
          const { lists, hasMore } = await listLists(db, business, asked)
          const data = lists.map(({ list, members }): JsonObject => ({ list, members }))
          return json(200, pageBody(data, lastOf(hasMore, lists.at(-1)?.list), hasMore))
        },
      },
    ],
  }
}

/** Where the next page begins. */
const lastOf = (hasMore: boolean, last: string | undefined): string | null => (hasMore ? (last ?? null) : null)

interface Place {
  readonly business: BusinessId
  readonly list: string
}

function placeOf(call: Call): Place | Problem {
  const business = businessOf(call)
  if (typeof business !== "string") return business
  const list = asListName(call.params["list"])
  return list === null
    ? invalid([{ pointer: "", detail: "a list's name must match [A-Za-z0-9_.-]{1,64}" }])
    : { business, list }
}

/** The business that is named, or the caller's own; another tenant's is not there. */
function businessOf(call: Call): BusinessId | Problem {
  const { tenancy } = call.principal
  const named = query(call).get("business_id")
  const business = named === null ? defaultBusiness(tenancy) : asBusinessId(named)
  if (business === null) return invalid([{ pointer: "?business_id", detail: "expected [A-Za-z0-9_.-]{1,64}" }])
  return grantFor(tenancy, business) === null
    ? problem("unknown_business", "no business of this id that you can see")
    : business
}

const memberJson = ({ recipient, addedAt }: ListMember): JsonObject => ({
  recipient_id: recipient,
  added_at: new Date(addedAt).toISOString(),
})
