/** Reads a refusal: RFC 9457 problem details from the hub, or whatever a proxy before it says. */
import type { FieldError, ProblemFacts } from "./errors.ts"
import { isObject, parseJson } from "./json.ts"
import { readRetryAfter } from "./retry.ts"

interface Refusal {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** `now` is the date on this machine; the answer's own `Date` is preferred, because two clocks differ. */
export function readProblem({ status, headers, text }: Refusal, now: Date): ProblemFacts {
  const parsed = parseJson(text)
  const body = isObject(parsed) ? parsed : {}
  const word = (name: string): string | undefined => {
    const value = body[name]
    return typeof value === "string" ? value : undefined
  }
  const sent = Date.parse(headers.get("date") ?? "")
  return {
    status,
    code: word("code") ?? "unknown",
    title: word("title") ?? "",
    // A page of a proxy is not quoted: it may hold the request's headers.
    detail: word("detail") ?? "the answer holds no problem details; something before the hub may have given it",
    errors: Array.isArray(body["errors"]) ? body["errors"].filter(isFieldError) : [],
    requestId: word("request_id") ?? headers.get("x-request-id") ?? undefined,
    retryAfterMs: readRetryAfter(headers.get("retry-after"), Number.isNaN(sent) ? now : new Date(sent)),
  }
}

const isFieldError = (value: unknown): value is FieldError =>
  isObject(value) && typeof value["pointer"] === "string" && typeof value["detail"] === "string"
