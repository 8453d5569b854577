/** Exactly one try: it ends by its deadline or the caller's signal, whatever `fetch` makes of them. */
import type { HubClock } from "./clock.ts"
import { type CredentialSource, checkCredential, hide } from "./credential.ts"

/** `fetch`, or what stands in for it. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** One request, ready to be sent; again and again, if need be. */
export interface Prepared {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body: string | undefined
}

/** What became of one try. */
export type Outcome =
  | { readonly kind: "answered"; readonly status: number; readonly headers: Headers; readonly text: string }
  | { readonly kind: "redirected" }
  | { readonly kind: "unreachable"; readonly why: string }
  | { readonly kind: "late" }
  | { readonly kind: "aborted" }

export interface AttemptOptions {
  /** What is sent as the bearer. */
  readonly credential: CredentialSource
  readonly fetch: Fetch
  readonly clock: HubClock
  /** Milliseconds until the answer must be there, its body included. */
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
}

/** Sends once. Rejects only where the credential's source does, or gives what no header can carry. */
export async function attempt(request: Prepared, options: AttemptOptions): Promise<Outcome> {
  const { clock, signal } = options
  if (signal?.aborted) return { kind: "aborted" }
  const stop = new AbortController()
  let end: (outcome: Outcome) => void = () => {}
  const ended = new Promise<Outcome>((resolve) => {
    end = resolve
  })
  const onAbort = (): void => end({ kind: "aborted" })
  signal?.addEventListener("abort", onAbort, { once: true })
  const timer = clock.after(options.deadlineMs, () => end({ kind: "late" }))
  try {
    return await Promise.race([exchange(request, options, stop.signal), ended])
  } finally {
    timer.cancel()
    signal?.removeEventListener("abort", onAbort)
    stop.abort() // nobody waits for it any more; of an exchange that is over, it ends nothing
  }
}

async function exchange(request: Prepared, options: AttemptOptions, signal: AbortSignal): Promise<Outcome> {
  const { method, url, headers, body } = request
  const credential = await options.credential()
  checkCredential(credential)
  if (signal.aborted) return { kind: "aborted" } // whoever gave the credential took too long
  try {
    const response = await options.fetch(url, {
      method,
      headers: { ...headers, authorization: `Bearer ${credential}` },
      signal,
      // A redirect would carry the credential to wherever it points.
      redirect: "manual",
      credentials: "omit",
      ...(body === undefined ? {} : { body }),
    })
    const { status, type } = response
    if (type === "opaqueredirect" || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      return { kind: "redirected" }
    }
    const text = await response.text()
    return { kind: "answered", status, headers: response.headers, text: status < 400 ? text : hide(credential, text) }
  } catch (error) {
    return { kind: "unreachable", why: hide(credential, reasonOf(error)) }
  }
}

/** In words: a `cause` is only looked at, never passed on, because nobody knows what `fetch` has put into it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  const code: unknown = Reflect.get(cause instanceof Error ? cause : error, "code")
  const words = cause instanceof Error && cause.message !== "" ? cause.message : error.message
  return typeof code === "string" && !words.includes(code) ? `${code}: ${words}` : words
}
