// The routes as the clients of the resources server know them, and their documentation at /api.
import { openapi } from "@elysiajs/openapi"
import { Elysia, t, ValidationError } from "elysia"
import type { OutboxState } from "./outbox.ts"
import type { Data, Resources } from "./resources.ts"
import { type Admit, type Place, Refusal } from "./tenancy.ts"

export interface HttpOptions {
  readonly resources: Resources
  readonly admit: Admit
  readonly outbox: () => Promise<OutboxState>
  /** Why the hub is not told at the moment, or null. */
  readonly trouble: () => string | null
}

/** The hub takes events of 256 KiB; what is stored here has to fit into one. */
const LARGEST_BODY = 200 * 1024
const ID = { pattern: "^[A-Za-z0-9_.-]{1,64}$" }
const headers = t.Object({
  authorization: t.Optional(t.String({ description: "Bearer <JWT, HS256>" })),
  "x-business-id": t.String(ID),
  "x-location-id": t.String(ID),
  "x-resource-type": t.String({ ...ID, description: "Such as reservation, table, menu_item" }),
})
const place = t.String({ description: "{businessId}-{locationId}, as the headers have them" })
const params = t.Object({ place })
const oneParams = t.Object({ place, id: t.String(ID) })
const body = t.Record(t.String(), t.Unknown(), { description: "The resource's own fields" })
const detail = (summary: string) => ({ detail: { summary, tags: ["Resources"], security: [{ token: [] }] } })

export function createApp({ resources, admit, outbox, trouble }: HttpOptions) {
  const file = (name: string, type: string) => () =>
    new Response(Bun.file(new URL(name, import.meta.url)), { headers: { "content-type": type } })

  return new Elysia({ serve: { maxRequestBodySize: LARGEST_BODY } })
    .onError(({ code, error, set }) => {
      const { status, reason } = refusalOf(code, error)
      set.status = status
      set.headers["content-type"] = "application/problem+json"
      return JSON.stringify({ status, detail: reason })
    })
    .use(
      openapi({
        path: "/api",
        specPath: "/api/json",
        provider: null, // the stock pages load their scripts from other hosts
        exclude: { paths: ["/api", "/api/page.js"] },
        documentation: {
          info: { title: "Resources server", version: "1.0.0", description: "Each change is told to the hub, once." },
          components: { securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
        },
      }),
    )
    .get("/api", file("api-page.html", "text/html; charset=utf-8"))
    .get("/api/page.js", file("api-page.js", "text/javascript; charset=utf-8"))
    .get(
      "/health",
      async ({ set }) => {
        const state = await outbox().catch(() => null)
        if (state === null) set.status = 503
        return { status: state === null ? "database away" : "ok", hub: trouble() ?? "ok", outbox: state }
      },
      { detail: { summary: "How the server is, and what the hub has yet to be told", tags: ["Operations"] } },
    )
    .group("/resources/:place", (app) =>
      app
        .guard({ headers })
        .resolve(async ({ headers: given, params: { place: path } }) => {
          const asked: Place = { businessId: given["x-business-id"], locationId: given["x-location-id"] }
          return { place: await admit(given.authorization, asked, path), type: given["x-resource-type"] }
        })
        .get("", async ({ place, type }) => ({ data: await resources.list(place, type) }), {
          params,
          ...detail("The latest hundred"),
        })
        .post(
          "",
          async ({ place, type, body: given, set }) => {
            const { id, data } = named(given)
            const created = await resources.create({ ...place, type, id }, data)
            set.status = 201
            return created
          },
          { params, body, parse: "json", ...detail("Create; an `id` in the body is taken") },
        )
        .get("/:id", ({ place, type, params: { id } }) => resources.get({ ...place, type, id }), {
          params: oneParams,
          ...detail("Read one"),
        })
        .put("/:id", ({ place, type, params: { id }, body }) => resources.replace({ ...place, type, id }, body), {
          params: oneParams,
          body,
          parse: "json",
          ...detail("Replace"),
        })
        .patch("/:id", ({ place, type, params: { id }, body }) => resources.patch({ ...place, type, id }, body), {
          params: oneParams,
          body,
          parse: "json",
          ...detail("Change some fields (JSON Merge Patch)"),
        })
        .delete(
          "/:id",
          async ({ place, type, params: { id }, set }) => {
            await resources.remove({ ...place, type, id })
            set.status = 204
          },
          { params: oneParams, ...detail("Delete") },
        ),
    )
}

function named({ id, ...data }: Data): { id: string; data: Data } {
  if (id === undefined) return { id: crypto.randomUUID(), data }
  if (typeof id !== "string" || !new RegExp(ID.pattern).test(id)) throw new Refusal(422, "id: expected a short word")
  return { id, data }
}

function refusalOf(code: string | number, error: unknown): { status: number; reason: string } {
  if (error instanceof Refusal) return { status: error.status, reason: error.message }
  if (error instanceof ValidationError) {
    const { path } = error.valueError ?? {}
    return { status: 422, reason: `${error.type}${path ?? ""}: missing, or not as /api says` }
  }
  if (code === "PARSE") return { status: 400, reason: "the body is no JSON" }
  if (code === "NOT_FOUND") return { status: 404, reason: "nothing lives here; see /api" }
  // PostgreSQL's words for text that it cannot keep: NUL and half a surrogate pair.
  const state = error instanceof Error && "code" in error ? error.code : null
  if (state === "22P05" || state === "22P02") return { status: 422, reason: "the body holds text that cannot be kept" }
  console.error(error instanceof Error ? error.message : error)
  return { status: 503, reason: "not done; try again" }
}
