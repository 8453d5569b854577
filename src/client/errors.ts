/**
 * What can go wrong with a call, by whose problem it is. Every error is a `HubError`; `kind` tells them apart, also
 * where two copies of this library meet and `instanceof` does not. None ever holds the API key or the token.
 */

/** Where in the request, and what is wrong there. */
export interface FieldError {
  /** JSON pointer into the body; `?name` for a query parameter. */
  readonly pointer: string
  readonly detail: string
}

/** The codes that the hub answers with. */
export type ProblemCode =
  | "malformed"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "unknown_business"
  | "unknown_location"
  | "method_not_allowed"
  | "conflict"
  | "too_large"
  | "unsupported_media_type"
  | "invalid"
  | "idempotency_key_reused"
  | "upgrade_required"
  | "rate_limited"
  | "internal"
  | "unavailable"

/** What every error knows of its call. */
export interface CallFacts {
  /** How often the request was sent. */
  readonly tries: number
  /** Of a publish: repeat the call with it, and what was taken already answers `duplicate`. */
  readonly idempotencyKey: string | undefined
}

/** Any failure of a call. */
export abstract class HubError extends Error implements CallFacts {
  abstract readonly kind: "problem" | "unreachable" | "timeout" | "aborted" | "unexpected_answer"
  readonly tries: number
  readonly idempotencyKey: string | undefined

  constructor(message: string, facts: CallFacts, options?: { readonly cause: unknown }) {
    super(message, options)
    this.tries = facts.tries
    this.idempotencyKey = facts.idempotencyKey
  }
}

/** What a refusal said, as RFC 9457 problem details. */
export interface ProblemFacts {
  readonly status: number
  /** `unknown` where something between here and the hub answered. */
  readonly code: ProblemCode | "unknown" | (string & Record<never, never>)
  readonly title: string
  readonly detail: string
  readonly errors: readonly FieldError[]
  /** Names the request in the hub's log. */
  readonly requestId: string | undefined
  /** How long the hub asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined
}

/** The hub refused. `status` 503, 429 and the like have been repeated already; anything else will not get better. */
export class HubProblem extends HubError implements ProblemFacts {
  override readonly name = "HubProblem"
  readonly kind = "problem"
  readonly status: number
  readonly code: ProblemFacts["code"]
  readonly title: string
  readonly detail: string
  readonly errors: readonly FieldError[]
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(problem: ProblemFacts, facts: CallFacts) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`, facts)
    this.status = problem.status
    this.code = problem.code
    this.title = problem.title
    this.detail = problem.detail
    this.errors = problem.errors
    this.requestId = problem.requestId
    this.retryAfterMs = problem.retryAfterMs
  }
}

/** No answer arrived: the hub may have carried the request out, or not. */
export class HubUnreachable extends HubError {
  override readonly name = "HubUnreachable"
  readonly kind = "unreachable"
}

/** Not answered in time: the hub may have carried the request out, or not. */
export class HubTimeout extends HubError {
  override readonly name = "HubTimeout"
  readonly kind = "timeout"
}

/** The caller's signal ended the call; `cause` is the signal's reason. */
export class HubAborted extends HubError {
  // As fetch would name it, so that whoever asks for the name finds it.
  override readonly name = "AbortError"
  readonly kind = "aborted"
}

/** An answer that no hub gives, such as a redirect or a page of a proxy: is `baseUrl` the hub's? */
export class HubUnexpectedAnswer extends HubError {
  override readonly name = "HubUnexpectedAnswer"
  readonly kind = "unexpected_answer"
}
