/**
 * `/openapi.json`, made from the routes themselves: a route that answers is a route that is described, and what every
 * route shares (refusals, credentials) is said once, here.
 */
import type { Json, JsonObject } from "../domain/json.ts"
import { PROBLEMS, type ProblemCode } from "./problem.ts"
import { json, type Route, type RouteDoc, type RouteFile, ref, type Schema } from "./route.ts"

type WritableJson = Record<string, Json>

/** The document for these files. Throws where two files name one schema, or a reference leads nowhere. */
export function openapiDocument(files: readonly RouteFile[], about: { readonly version: string }): JsonObject {
  const schemas: WritableJson = { ...SHARED_SCHEMAS }
  for (const file of files)
    for (const [name, schema] of Object.entries(file.schemas ?? {})) {
      if (schemas[name] !== undefined) throw new Error(`two route files name the schema ${name}`)
      schemas[name] = schema
    }
  const paths: Record<string, WritableJson> = {}
  const tags = new Set<string>()
  for (const route of files.flatMap((file) => file.routes)) {
    if (route.doc === null) continue
    tags.add(route.doc.tag)
    const path = route.path.replace(/:(\w+)/g, "{$1}")
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, route.doc) }
  }
  const document = {
    openapi: "3.1.0",
    info: {
      title: "Hubbub",
      version: about.version,
      summary: "Business events in, the right people told once, every decision explained.",
      license: { name: "MIT", identifier: "MIT" },
    },
    // Relative to the document, so that it holds behind any prefix.
    servers: [{ url: "." }],
    tags: [...tags].sort().map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "An API key, or a JWT of a person." },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
      },
      schemas,
      responses: RESPONSES,
    },
  }
  checkReferences(document)
  return document
}

/** The route that serves the document of all other files (and of itself). */
export function openapiRoutes(files: readonly RouteFile[], about: { readonly version: string }): RouteFile {
  const own: RouteFile = {
    routes: [
      {
        method: "GET",
        path: "/openapi.json",
        access: "open",
        doc: {
          summary: "This document",
          tag: "Operations",
          answers: { 200: { description: "OpenAPI 3.1", schema: { type: "object" } } },
        },
        handle: () => json(200, document),
      },
    ],
  }
  const document = openapiDocument([...files, own], about)
  return own
}

function operation(route: Route, doc: RouteDoc): JsonObject {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name: name ?? "",
    in: "path",
    required: true,
    schema: { type: "string" },
  }))
  const parameters = [
    ...inPath,
    ...(doc.parameters ?? []).map(({ schema, ...rest }) => ({ ...rest, schema: schema ?? { type: "string" } })),
  ]
  const responses: WritableJson = {}
  for (const [status, answer] of Object.entries(doc.answers))
    responses[status] = {
      description: answer.description,
      ...(answer.schema === undefined
        ? {}
        : { content: { [answer.contentType ?? "application/json"]: media(answer.schema, answer.example) } }),
    }
  for (const status of refusalsOf(route)) responses[status] ??= { $ref: `#/components/responses/${status}` }
  return {
    operationId: operationId(route),
    summary: doc.summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    tags: [doc.tag],
    security: route.access === "open" ? [] : [{ bearer: [] }, { apiKey: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(doc.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(
              Object.entries(doc.body).map(([type, { schema, example }]) => [type, media(schema, example)]),
            ),
          },
        }),
    responses,
  }
}

const media = (schema: Schema, example: Json | undefined): JsonObject => ({
  schema,
  ...(example === undefined ? {} : { example }),
})

/** `POST /v1/events/:id` → `post_v1_events_id`. */
const operationId = (route: Route): string =>
  `${route.method.toLowerCase()}${route.path.replace(/[^A-Za-z0-9]+/g, "_").replace(/_$/, "")}`

function refusalsOf(route: Route): readonly string[] {
  const statuses = new Set<number>([500, 503])
  if (route.access !== "open") statuses.add(401)
  if (route.access === "service" || route.access === "operator") statuses.add(403)
  if (route.path.includes(":")) statuses.add(404)
  if (route.doc?.limited === true) statuses.add(429)
  if (route.doc?.body !== undefined) for (const status of [400, 413, 415, 422]) statuses.add(status)
  else if ((route.doc?.parameters ?? []).length > 0) statuses.add(422)
  return [...statuses].sort().map(String)
}

const SHARED_SCHEMAS: Readonly<Record<string, Schema>> = {
  FieldError: {
    type: "object",
    required: ["pointer", "detail"],
    properties: {
      pointer: { type: "string", description: "JSON pointer into the body; `?name` for a query parameter." },
      detail: { type: "string" },
    },
  },
  Problem: {
    type: "object",
    description: "RFC 9457 problem details.",
    required: ["type", "title", "status", "detail", "instance", "code", "request_id"],
    properties: {
      type: { type: "string", format: "uri-reference" },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string" },
      instance: { type: "string" },
      code: { enum: Object.keys(PROBLEMS) },
      request_id: { type: "string" },
      errors: { type: "array", items: ref("FieldError") },
    },
  },
  PageInfo: {
    type: "object",
    required: ["after", "has_more"],
    properties: { after: { type: ["string", "null"] }, has_more: { type: "boolean" } },
  },
}

const RETRY_AFTER = { "Retry-After": { description: "Seconds to wait.", schema: { type: "integer" } } }

/** One response for each status that a refusal can have. */
const RESPONSES: JsonObject = Object.fromEntries(
  [...Map.groupBy(Object.entries(PROBLEMS), ([, { status }]) => status)].map(([status, codes]) => {
    const [code, { title }] = codes[0] ?? ["internal" satisfies ProblemCode, PROBLEMS.internal]
    return [
      String(status),
      {
        description: codes.map(([name, known]) => `\`${name}\`: ${known.title}`).join("; "),
        ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
        content: {
          "application/problem+json": {
            schema: ref("Problem"),
            example: {
              type: `/docs#problem-${code}`,
              title,
              status,
              detail: "what happened, in a sentence",
              instance: "/v1/events",
              code,
              request_id: "0b9f0a3e-6f0e-4b0a-9a55-2f2f6f3f9c11",
            },
          },
        },
      },
    ]
  }),
)

function checkReferences(document: JsonObject): void {
  const text = JSON.stringify(document)
  for (const [, path = ""] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    let at: Json | undefined = document
    for (const step of path.split("/"))
      at = typeof at === "object" && at !== null && !Array.isArray(at) ? (at as JsonObject)[step] : undefined // narrowed by hand: Array.isArray does not know readonly lists
    if (at === undefined) throw new Error(`the document refers to ${path}, which no route file has`)
  }
}
