/** `GET /admin/audit`: who changed what. An operator of some businesses sees what was done within them. */
import type { JsonObject } from "../domain/json.ts"
import { confinedTo } from "../domain/principal.ts"
import { type AuditAnchor, auditHead, firstBrokenEntry, listAudit } from "../store/audit.ts"
import type { Database } from "../store/database.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid } from "./problem.ts"
import { json, query, type RouteFile, ref } from "./route.ts"

const asSeq = (text: string): number | null => (/^[1-9]\d{0,15}$/.test(text) ? Number(text) : null)

function anchorIn(text: string | null): AuditAnchor | null | "malformed" {
  if (text === null) return null
  const [, seq, hash] = /^([1-9]\d{0,15}):([0-9a-fA-F]{64})$/.exec(text) ?? []
  return seq === undefined || hash === undefined ? "malformed" : { seq: Number(seq), hash }
}

async function verify(db: Database, anchor: AuditAnchor | null): Promise<JsonObject> {
  const { seq, hash } = await auditHead(db)
  return { first_broken: await firstBrokenEntry(db, anchor), head: { seq, hash } }
}

export function auditRoutes({ db }: { readonly db: Database }): RouteFile {
  return {
    schemas: {
      AuditPage: {
        type: "object",
        required: ["data", "page_info"],
        properties: {
          data: { type: "array", items: ref("AuditEntry") },
          page_info: { type: "object" },
          head: {
            type: "object",
            description: "With verify: the last entry's number and hash. Kept elsewhere, it is an anchor for later",
            required: ["seq", "hash"],
            properties: { seq: { type: "integer" }, hash: { type: "string" } },
          },
          first_broken: {
            type: ["integer", "null"],
            description: "With verify: the first entry that is not what was written there; null: the chain holds",
          },
        },
      },
      AuditEntry: {
        type: "object",
        required: ["seq", "at", "actor", "action", "businesses", "detail"],
        properties: {
          seq: { type: "integer" },
          at: { type: "string", format: "date-time" },
          actor: { type: "string", description: "A key's id, person:<id>, or cli" },
          action: { type: "string" },
          businesses: { type: ["array", "null"], items: { type: "string" }, description: "Null: of the whole hub" },
          detail: { type: "object", description: "What was asked, and what came of it" },
        },
      },
    },
    routes: [
      {
        method: "GET",
        path: "/admin/audit",
        access: "operator",
        doc: {
          summary: "Who changed what, newest first",
          tag: "Operations",
          parameters: [
            { name: "after", in: "query", description: "Go on after this entry's number" },
            { name: "limit", in: "query", description: "1 to 200, default 50" },
            { name: "verify", in: "query", description: "true: walk the whole chain, and say where it is broken" },
            {
              name: "anchor",
              in: "query",
              description: "With verify: `<seq>:<hash>` of an earlier head, which has to hold",
            },
          ],
          answers: { 200: { description: "A page", schema: ref("AuditPage") } },
        },
        async handle(call) {
          const asked = query(call)
          const page = readPage(asked, asSeq)
          if ("kind" in page) return page
          const businesses = confinedTo(call.principal.tenancy)
          const { entries, hasMore } = await listAudit(db, { businesses, ...page })
          const anchor = anchorIn(asked.get("anchor"))
          if (anchor === "malformed")
            return invalid([{ pointer: "", detail: "anchor: expected <seq>:<64 hex digits>" }])
          const verified = asked.get("verify") === "true" ? await verify(db, anchor) : {}
          const data = entries.map(({ at, detail, businesses: own, ...entry }): JsonObject => {
            return { ...entry, at: at.toISOString(), businesses: own === null ? null : [...own], detail }
          })
          const after = hasMore ? String(entries.at(-1)?.seq ?? "") : null
          return json(200, { ...pageBody(data, after, hasMore), ...verified })
        },
      },
    ],
  }
}
