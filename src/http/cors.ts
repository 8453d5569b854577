/** Cross-origin reads, as HUB_ALLOWED_ORIGINS says. Callers carry their own token, so no cookie is ever allowed along. */
import type { Config } from "../config.ts"

const EXPOSED = "x-request-id, idempotent-replayed, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset"

export type AllowedOrigins = Config["http"]["allowedOrigins"]

/** Headers for an answer to a request with this `Origin`; null adds nothing. */
export function corsHeaders(origin: string | null, allowed: AllowedOrigins): Readonly<Record<string, string>> {
  if (origin === null || allowed === "same_origin") return {}
  if (allowed === "any") return { "access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED }
  if (!allowed.includes(origin)) return { vary: "Origin" }
  return { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED, vary: "Origin" }
}

/** Headers for a preflight to a path that knows `methods`. */
export function preflightHeaders(
  request: Request,
  methods: readonly string[],
  allowed: AllowedOrigins,
): Readonly<Record<string, string>> {
  const cors = corsHeaders(request.headers.get("origin"), allowed)
  if (cors["access-control-allow-origin"] === undefined) return cors
  return {
    ...cors,
    "access-control-allow-methods": methods.join(", "),
    "access-control-allow-headers":
      request.headers.get("access-control-request-headers") ??
      "authorization, content-type, idempotency-key, x-api-key",
    "access-control-max-age": "600",
  }
}
