/**
 * One call as its author sees it: tries and pauses within one deadline, and an answer or a named error. The same bytes
 * go out every time, so whatever makes a repeat harmless (a key, a PUT) makes every repeat harmless.
 */
import { attempt, type Fetch, type Outcome, type Prepared } from "./attempt.ts"
import type { HubClock } from "./clock.ts"
import type { CredentialSource } from "./credential.ts"
import {
  type CallFacts,
  HubAborted,
  type HubError,
  HubProblem,
  HubTimeout,
  HubUnexpectedAnswer,
  HubUnreachable,
} from "./errors.ts"
import { parseJson } from "./json.ts"
import { readProblem } from "./problem-details.ts"
import { isPassing, pauseMs, type RetryPolicy } from "./retry.ts"

/** What any call may be told. */
export interface CallOptions {
  /** Ends the call, wherever it is. */
  readonly signal?: AbortSignal | undefined
  /**
   * Milliseconds for the call, repeats and pauses included; where a list takes several requests, for each of them.
   * Default: the hub's, 60,000.
   */
  readonly timeoutMs?: number | undefined
}

export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** From the hub's root; see `path`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | Date | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body?: string
  /** What the errors tell the caller to repeat with. */
  readonly idempotencyKey?: string
  readonly options: CallOptions | undefined
}

/**
 * Sends, repeats where that can help, and parses. Rejects with a `HubError`, or with what the token's source threw. The
 * answer is the hub's own and taken to be what its description says: a test compares every type with that.
 */
export type Send = <Answer>(request: Request) => Promise<Answer>

export interface TransportOptions {
  /** Without a slash at the end. */
  readonly baseUrl: string
  readonly credential: CredentialSource
  readonly fetch: Fetch
  readonly clock: HubClock
  readonly random: () => number
  readonly retry: RetryPolicy
  readonly timeoutMs: number
  readonly attemptTimeoutMs: number
}

/** The way to a hub. */
export function transport(options: TransportOptions): Send {
  const { clock, random, retry } = options
  return async <Answer>(request: Request): Promise<Answer> => {
    const { body, idempotencyKey, options: call } = request
    const ends = clock.now() + (call?.timeoutMs ?? options.timeoutMs)
    const prepared: Prepared = {
      method: request.method,
      url: `${options.baseUrl}${request.path}${queryOf(request.query)}`,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...request.headers,
      },
      body,
    }
    for (let tries = 1; ; tries += 1) {
      const left = ends - clock.now()
      const deadlineMs = Math.min(options.attemptTimeoutMs, left)
      const outcome = await attempt(prepared, { ...options, deadlineMs, signal: call?.signal })
      const verdict = judge(outcome, { tries, idempotencyKey }, clock.wall(), call?.signal)
      if (verdict.kind === "done") return verdict.value as Answer // see Send
      if (verdict.kind === "final" || tries >= retry.attempts) throw verdict.error
      // Timers may fire a little early: what is left of the call then is no time for another try.
      if (outcome.kind === "late" && deadlineMs === left) throw verdict.error
      const pause = pauseMs(retry, tries, verdict.retryAfterMs, random)
      if (clock.now() + pause >= ends) throw verdict.error
      await sleep(pause, clock, call?.signal)
      if (clock.now() >= ends && call?.signal?.aborted !== true) throw verdict.error // and sometimes they fire late
    }
  }
}

type Verdict =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "final"; readonly error: HubError }
  | { readonly kind: "passing"; readonly error: HubError; readonly retryAfterMs: number | undefined }

/** Whether this is an answer, worth another try, or the end. */
function judge(outcome: Outcome, facts: CallFacts, now: Date, signal: AbortSignal | undefined): Verdict {
  switch (outcome.kind) {
    case "answered": {
      if (outcome.status >= 400) {
        const problem = readProblem(outcome, now)
        const error = new HubProblem(problem, facts)
        return isPassing(outcome.status)
          ? { kind: "passing", error, retryAfterMs: problem.retryAfterMs }
          : { kind: "final", error }
      }
      if (outcome.status === 204) return { kind: "done", value: undefined }
      const value = parseJson(outcome.text)
      return value === undefined
        ? { kind: "final", error: unexpected("the answer is no JSON", facts) }
        : { kind: "done", value }
    }
    case "redirected":
      return { kind: "final", error: unexpected("the answer is a redirect, which no hub gives", facts) }
    case "unreachable":
      return passing(new HubUnreachable(`the hub could not be reached: ${outcome.why}`, facts))
    case "late":
      return passing(new HubTimeout("the hub did not answer in time", facts))
    case "aborted":
      return { kind: "final", error: new HubAborted("the call was aborted", facts, { cause: signal?.reason }) }
  }
}

const passing = (error: HubError): Verdict => ({ kind: "passing", error, retryAfterMs: undefined })

const unexpected = (what: string, facts: CallFacts): HubUnexpectedAnswer =>
  new HubUnexpectedAnswer(`${what}: is baseUrl the hub's?`, facts)

/** Ends early where the signal says so; the next try finds out by itself. */
function sleep(ms: number, clock: HubClock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      signal?.removeEventListener("abort", end)
      resolve()
    }
    const timer = clock.after(ms, end)
    if (signal?.aborted) end()
    else signal?.addEventListener("abort", end)
  })
}

/** `/v1/recipients/a%7Cb`. Throws TypeError for an id that would lead elsewhere. */
export function path(strings: TemplateStringsArray, ...ids: readonly string[]): string {
  const parts = ids.map((id) => {
    if (id === "" || id === "." || id === "..") throw new TypeError(`expected an id; got ${JSON.stringify(id)}`)
    return encodeURIComponent(id)
  })
  return String.raw({ raw: strings }, ...parts)
}

function queryOf(query: Request["query"] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value instanceof Date ? value.toISOString() : String(value)]],
  )
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`
}
