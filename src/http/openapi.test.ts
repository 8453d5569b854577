import { describe, expect, test } from "bun:test"
import { Validator } from "@seriousme/openapi-schema-validator"
import { linkTokens } from "../domain/link-token.ts"
import type { Accept } from "../ingest/accept.ts"
import { ingestRoutes } from "../ingest/http.ts"
import { standardWebhookRoutes } from "../ingest/standard-webhook.ts"
import { zohoRoutes } from "../ingest/zoho.ts"
import { localPubSub } from "../pubsub/pubsub.ts"
import { systemClock as clock } from "../runtime/clock.ts"
import { openDatabase } from "../store/database.ts"
import { silent as telemetry } from "../telemetry/bus.ts"
import { acknowledgeRoutes } from "./acknowledge.ts"
import { auditRoutes } from "./audit.ts"
import { deliveryRoutes } from "./deliveries.ts"
import { dlqRoutes } from "./dlq.ts"
import { eventRoutes } from "./events.ts"
import { healthRoutes } from "./health.ts"
import { inboxRoutes } from "./inbox.ts"
import { openapiDocument, openapiRoutes } from "./openapi.ts"
import { recipientRoutes } from "./recipients.ts"
import { rejectedRoutes } from "./rejected.ts"
import { json, type RouteFile, ref } from "./route.ts"
import { traceRoutes } from "./trace.ts"
import { unsubscribeRoutes } from "./unsubscribe.ts"
import { whyRoutes } from "./why.ts"

// Connects on first use, and nothing here uses it.
const db = openDatabase({ url: "postgres://unused" })
const pubsub = localPubSub(() => {})
const links = linkTokens([])
const accept: Accept = async () => "overloaded"
const ingest = { accept, clock, telemetry, rejections: { keep: async () => {}, note: () => {} } }
const files: readonly RouteFile[] = [
  ingestRoutes(ingest),
  zohoRoutes({ ...ingest, secret: null }),
  standardWebhookRoutes({ ...ingest, sources: [] }),
  eventRoutes({ db }),
  traceRoutes({ db }),
  inboxRoutes({ db, pubsub, telemetry }),
  whyRoutes({ db, clock, stepOf: () => null }),
  deliveryRoutes({ db }),
  dlqRoutes({ db, pubsub, telemetry }),
  auditRoutes({ db }),
  recipientRoutes({ db }),
  rejectedRoutes({ db }),
  unsubscribeRoutes({ db, links, wall: Date.now }),
  acknowledgeRoutes({ db, pubsub, telemetry, links }),
  healthRoutes({
    clock,
    version: "1.0.0",
    draining: () => false,
    pingDatabase: async () => {},
    parts: {},
    metrics: async () => "",
  }),
]
const about = { version: "1.0.0" }
const all = [...files, openapiRoutes(files, about)]
const document = openapiDocument(all, about)

describe("/openapi.json", () => {
  test("is valid OpenAPI 3.1", async () => {
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)))
    expect(result.errors ?? []).toEqual([])
    expect(result.valid).toBe(true)
    expect(document["openapi"]).toBe("3.1.0")
  })

  test("describes every documented route once", () => {
    const described = Object.entries(document["paths"] ?? {}).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const served = all
      .flatMap((file) => file.routes)
      .filter((route) => route.doc !== null)
      .map((route) => `${route.method} ${route.path.replace(/:(\w+)/g, "{$1}")}`)
    expect(described.toSorted()).toEqual(served.toSorted())
    const ids = JSON.stringify(document).match(/"operationId":"[^"]+"/g) ?? []
    expect(new Set(ids).size).toBe(ids.length)
  })

  test("names what closed routes need and open ones do not", () => {
    expect(document).toMatchObject({
      paths: {
        "/health": { get: { security: [] } },
        "/v1/events": {
          post: {
            security: [{ bearer: [] }, { apiKey: [] }],
            responses: {
              401: {},
              403: {},
              413: {},
              415: {},
              422: {},
              429: {},
              503: {},
            },
          },
        },
        "/v1/events/{id}": {
          get: { parameters: [{ name: "id", in: "path", required: true }], responses: { 404: {} } },
        },
      },
    })
  })

  test("loads nothing from other hosts", () => {
    expect(JSON.stringify(document)).not.toMatch(/"\$ref":"[^#]/)
  })

  test("a reference that leads nowhere, or a schema with two homes, stops the start", () => {
    const file = (schemas: RouteFile["schemas"]): RouteFile => ({
      routes: [
        {
          method: "GET",
          path: "/x",
          access: "open",
          doc: { summary: "x", tag: "x", answers: { 200: { description: "x", schema: ref("Nowhere") } } },
          handle: () => json(200, {}),
        },
      ],
      ...(schemas === undefined ? {} : { schemas }),
    })
    expect(() => openapiDocument([file(undefined)], about)).toThrow(/Nowhere/)
    expect(() => openapiDocument([file({ Nowhere: {} })], about)).not.toThrow()
    expect(() => openapiDocument([file({ Nowhere: {} }), { routes: [], schemas: { Nowhere: {} } }], about)).toThrow(
      /two route files/,
    )
  })
})
