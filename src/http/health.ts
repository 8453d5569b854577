/**
 * How the hub is: `/health` says that the process answers and asks nobody, `/ready` whether it should be sent work,
 * `/health/detailed` what each part says of itself, `/metrics` the figures.
 */
import type { Json, JsonObject } from "../domain/json.ts"
import type { Clock } from "../runtime/clock.ts"
import { metricsContentType } from "../telemetry/metrics.ts"
import { unavailable } from "./problem.ts"
import { type Answer, json, type Route, type RouteDoc, type RouteFile, ref, text } from "./route.ts"

/** What a dependency says of itself; `degraded` still works. `detail` goes out as it is: ids, counts and codes only. */
export interface PartHealth {
  readonly status: "up" | "degraded" | "down"
  readonly detail?: JsonObject
}

export interface HealthOptions {
  readonly clock: Clock
  readonly version: string
  /** True from the moment the hub was told to stop. */
  readonly draining: () => boolean
  /** Asks the database for anything at all; rejects where it is away. */
  readonly pingDatabase: () => Promise<unknown>
  /** Everything that `/health/detailed` lists (nats, oldest due work, rules), each asked under a deadline. */
  readonly parts: Readonly<Record<string, () => PartHealth | Promise<PartHealth>>>
  /** The Prometheus exposition. */
  readonly metrics: () => Promise<string>
}

const PART_DEADLINE_MS = 2_000

export function healthRoutes(options: HealthOptions): RouteFile {
  const { clock } = options
  const began = clock.now()

  const health = (): Answer =>
    json(200, { status: "ok", version: options.version, uptime_seconds: Math.floor((clock.now() - began) / 1_000) })

  const ready = async (): Promise<Answer> => {
    if (options.draining()) return unavailable("the hub is stopping", 5)
    const database = await ask(async () => {
      await options.pingDatabase()
      return { status: "up" }
    }, clock)
    return database.status === "up" ? json(200, { status: "ready" }) : unavailable("the database is not answering", 2)
  }

  const detailed = async (): Promise<Answer> => {
    const checks = {
      database: async (): Promise<PartHealth> => {
        const asked = clock.now()
        await options.pingDatabase()
        return { status: "up", detail: { ms: Math.round((clock.now() - asked) * 10) / 10 } }
      },
      ...options.parts,
    }
    const names = Object.keys(checks)
    const found = await Promise.all(Object.values(checks).map((check) => ask(check, clock)))
    const statuses = found.map((part) => part.status)
    const status = statuses.includes("down") ? "down" : statuses.includes("degraded") ? "degraded" : "ok"
    const parts: Record<string, Json> = {}
    found.forEach((part, index) => {
      parts[names[index] ?? ""] = { status: part.status, ...part.detail }
    })
    return json(200, { status, version: options.version, draining: options.draining(), parts })
  }

  const open = (path: string, doc: RouteDoc, handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    access: "open",
    doc,
    handle,
  })
  return {
    routes: [
      open("/health", HEALTH_DOC, health),
      open("/api/health", HEALTH_DOC, health),
      open("/health/detailed", DETAILED_DOC, detailed),
      open("/ready", READY_DOC, ready),
      open("/metrics", METRICS_DOC, async () => text(metricsContentType, await options.metrics())),
    ],
    schemas: HEALTH_SCHEMAS,
  }
}

/** A part that throws or is late is down; why is telemetry's business, this page is open to all. */
async function ask(check: () => PartHealth | Promise<PartHealth>, clock: Clock): Promise<PartHealth> {
  let cancel = (): void => {}
  const late = new Promise<PartHealth>((resolve) => {
    const timer = clock.after(PART_DEADLINE_MS, () =>
      resolve({ status: "down", detail: { reason: "no answer in time" } }),
    )
    cancel = () => timer.cancel()
  })
  try {
    return await Promise.race([Promise.resolve().then(check), late])
  } catch {
    return { status: "down" }
  } finally {
    cancel()
  }
}

const HEALTH_SCHEMAS = {
  Health: {
    type: "object",
    required: ["status"],
    properties: { status: { const: "ok" }, version: { type: "string" }, uptime_seconds: { type: "integer" } },
  },
  DetailedHealth: {
    type: "object",
    required: ["status", "parts"],
    properties: {
      status: { enum: ["ok", "degraded", "down"] },
      version: { type: "string" },
      draining: { type: "boolean" },
      parts: {
        type: "object",
        additionalProperties: {
          type: "object",
          required: ["status"],
          properties: { status: { enum: ["up", "degraded", "down"] } },
        },
      },
    },
  },
} as const

const HEALTH_DOC: RouteDoc = {
  summary: "Does the process answer",
  tag: "Operations",
  description: "Asks no dependency.",
  answers: {
    200: {
      description: "It does",
      schema: ref("Health"),
      example: { status: "ok", version: "0.1.0", uptime_seconds: 12 },
    },
  },
}
const READY_DOC: RouteDoc = {
  summary: "Should it be sent work",
  tag: "Operations",
  description: "503 while it is stopping or the database is away.",
  answers: {
    200: {
      description: "Yes",
      schema: { type: "object", properties: { status: { const: "ready" } } },
      example: { status: "ready" },
    },
  },
}
const DETAILED_DOC: RouteDoc = {
  summary: "How each part is",
  tag: "Operations",
  answers: {
    200: {
      description: "Each dependency, the oldest due work, the rules",
      schema: ref("DetailedHealth"),
      example: { status: "ok", version: "0.1.0", draining: false, parts: { database: { status: "up", ms: 0.6 } } },
    },
  },
}
const METRICS_DOC: RouteDoc = {
  summary: "Figures for Prometheus",
  tag: "Operations",
  answers: { 200: { description: "Text exposition", contentType: "text/plain", schema: { type: "string" } } },
}
