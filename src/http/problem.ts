/**
 * Refusals, as RFC 9457 problem details. A handler returns one like any other answer; the app adds what only it knows
 * (request id, path). Titles and statuses have their one home here, so that a code always means the same.
 */
import type { FieldError } from "../domain/json-limits.ts"

/** Every code that the hub answers with: what it means, and its status. */
export const PROBLEMS = {
  malformed: { status: 400, title: "The request cannot be read" },
  unauthenticated: { status: 401, title: "Who is calling is not known" },
  forbidden: { status: 403, title: "The caller may not do this" },
  not_found: { status: 404, title: "There is no such thing" },
  unknown_business: { status: 404, title: "There is no such business" },
  unknown_location: { status: 404, title: "There is no such location" },
  method_not_allowed: { status: 405, title: "This path does not know the method" },
  conflict: { status: 409, title: "Not in this state" },
  too_large: { status: 413, title: "The request is too large" },
  unsupported_media_type: { status: 415, title: "The content type is not taken here" },
  invalid: { status: 422, title: "The request is not valid" },
  idempotency_key_reused: { status: 422, title: "The key belongs to an earlier event with other content" },
  upgrade_required: { status: 426, title: "This path speaks WebSocket" },
  rate_limited: { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "The hub has a bug here" },
  unavailable: { status: 503, title: "Not now" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>

export type ProblemCode = keyof typeof PROBLEMS

export interface Problem {
  readonly kind: "problem"
  readonly code: ProblemCode
  /** A sentence for the person who made the request; never a stack, a secret or another tenant's data. */
  readonly detail: string
  readonly errors: readonly FieldError[]
  readonly headers: Readonly<Record<string, string>>
}

export const problem = (
  code: ProblemCode,
  detail: string,
  more: { readonly errors?: readonly FieldError[]; readonly headers?: Readonly<Record<string, string>> } = {},
): Problem => ({ kind: "problem", code, detail, errors: more.errors ?? [], headers: more.headers ?? {} })

/** 422 with pointers. */
export const invalid = (errors: readonly FieldError[]): Problem => {
  const first = errors[0]
  const rest = errors.length > 1 ? `, and ${errors.length - 1} more` : ""
  const detail =
    first === undefined ? "not valid" : `${first.pointer === "" ? "the body" : first.pointer}: ${first.detail}${rest}`
  return problem("invalid", detail, { errors })
}

/** 404 for what is not there and, in the same words, for what is another tenant's. */
export const notFound = (what: string): Problem => problem("not_found", `no ${what} of this id that you can see`)

/** 503; `retryAfter` in seconds. */
export const unavailable = (detail: string, retryAfter = 2): Problem =>
  problem("unavailable", detail, { headers: { "retry-after": String(retryAfter) } })

/** What a refusal says of its request. `instance` is the path without its query, which may hold a token. */
export interface ProblemPlace {
  /** Where the hub lives behind a reverse proxy: "" or `/hub`. */
  readonly prefix: string
  readonly instance: string
  readonly requestId: string
}

/** The JSON text of a problem. */
export function problemBody(given: Problem, place: ProblemPlace): string {
  const { status, title } = PROBLEMS[given.code]
  return JSON.stringify({
    type: `${place.prefix}/docs#problem-${given.code}`,
    title,
    status,
    detail: given.detail,
    instance: place.instance,
    code: given.code,
    request_id: place.requestId,
    ...(given.errors.length > 0 ? { errors: given.errors } : {}),
  })
}
