/**
 * The one way from a channel to its provider: exactly one HTTP exchange, bounded in time and size, without redirects
 * and without decompression, and a record of what was seen. SDKs lose headers, statuses and the difference between
 * "never left" and "no answer"; the record does not, so outcomes are read from it.
 */
import type { PinnedAddress } from "./url-guard.ts"

export type Exchange =
  /** `body` is the first 64 kB, as text; `whole` is false where it was longer or broke off. */
  | {
      readonly kind: "answered"
      readonly status: number
      readonly headers: Headers
      readonly body: string
      readonly whole: boolean
    }
  /** The request certainly did not reach anybody. */
  | { readonly kind: "unreachable"; readonly reason: "refused" | "unresolved" | "tls" | "aborted" }
  /** The request may have arrived; no answer did. */
  | { readonly kind: "silent"; readonly reason: "timeout" | "connection_lost" | "aborted" }

/** The part of `fetch` that the SDKs use. */
export type ProviderFetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>

export interface Line {
  readonly fetch: ProviderFetch
  /** What came of it; null while nothing was asked. */
  seen(): Exchange | null
}

export interface LineOptions {
  /** The attempt's own signal. */
  readonly signal: AbortSignal
  /** From the request to the last byte of the answer; default 15,000. */
  readonly deadlineMs?: number | undefined
  /** Connect to the first of these where somebody listens, instead of resolving the URL's host (once more). */
  readonly pins?: readonly PinnedAddress[] | undefined
}

/** reliability §4.5: total 15 s, answer ≤ 64 kB. */
const PROVIDER_DEADLINE_MS = 15_000
const MAX_ANSWER_BYTES = 65_536
/** Of one name; whoever owns it may have listed hundreds. */
const MOST_PLACES = 4

/** A line for one try. A second request on it is refused: SDKs must not retry behind the hub's back. */
export function openLine(options: LineOptions): Line {
  let seen: Exchange | null = null
  let used = false
  const timeout = AbortSignal.timeout(options.deadlineMs ?? PROVIDER_DEADLINE_MS)
  const signal = AbortSignal.any([options.signal, timeout])

  const exchange = async (url: string, init: RequestInit): Promise<Exchange> => {
    const [first = null, ...others] = options.pins?.slice(0, MOST_PLACES) ?? []
    let seen = await exchangeAt(first, url, init)
    // Where nobody listens nothing was sent.
    for (const pin of others)
      if (seen.kind === "unreachable" && seen.reason === "refused") seen = await exchangeAt(pin, url, init)
    return seen
  }

  const exchangeAt = async (pin: PinnedAddress | null, url: string, init: RequestInit): Promise<Exchange> => {
    if (options.signal.aborted) return { kind: "unreachable", reason: "aborted" }
    try {
      const response = await fetch(...request(url, init, signal, pin))
      return { kind: "answered", status: response.status, headers: response.headers, ...(await readBounded(response)) }
    } catch (error) {
      if (options.signal.aborted) return { kind: "silent", reason: "aborted" }
      if (timeout.aborted) return { kind: "silent", reason: "timeout" }
      return failure(error)
    }
  }

  return {
    async fetch(url, init) {
      if (used) throw new Error("a line carries one request")
      used = true
      seen = await exchange(typeof url === "string" || url instanceof URL ? String(url) : url.url, init ?? {})
      if (seen.kind !== "answered") throw new Error(`no answer: ${seen.reason}`)
      return asResponse(seen)
    },
    seen: () => seen,
  }
}

/** Only method, headers and body of what an SDK asks for are taken: agents, signals and redirects are ours to choose. */
function request(
  url: string,
  init: RequestInit,
  signal: AbortSignal,
  pin: PinnedAddress | null,
): Parameters<typeof fetch> {
  const target = new URL(url)
  const headers = new Headers(init.headers)
  headers.delete("connection")
  headers.set("accept-encoding", "identity")
  const chosen: BunFetchRequestInit = {
    method: init.method ?? "GET",
    headers,
    body: init.body ?? null,
    redirect: "manual",
    decompress: false,
    signal,
  }
  if (pin !== null) {
    // The certificate and the Host stay those of the name; only the address was decided beforehand.
    headers.set("host", target.host)
    // A kept connection is found again by its address, and could have been opened for another name at that address.
    chosen.keepalive = false
    if (target.protocol === "https:") chosen.tls = { serverName: target.hostname }
    target.hostname = pin.family === 6 ? `[${pin.address}]` : pin.address
  }
  return [target, chosen]
}

async function readBounded(response: Response): Promise<{ body: string; whole: boolean }> {
  const chunks: Uint8Array[] = []
  let size = 0
  let whole = true
  const reader = response.body?.getReader()
  if (reader !== undefined) {
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        chunks.push(value.subarray(0, MAX_ANSWER_BYTES - size))
        size += value.length
        if (size <= MAX_ANSWER_BYTES) continue
        whole = false
        await reader.cancel()
        break
      }
    } catch {
      // The status is known; that the rest did not come changes nothing about what the provider decided.
      whole = false
    }
  }
  return { body: new TextDecoder().decode(Buffer.concat(chunks)), whole }
}

const NEVER_LEFT = new Map<string, "refused" | "unresolved">([
  ["ECONNREFUSED", "refused"],
  ["ConnectionRefused", "refused"],
  ["EHOSTUNREACH", "refused"],
  ["ENETUNREACH", "refused"],
  ["FailedToOpenSocket", "refused"],
  ["ENOTFOUND", "unresolved"],
  ["EAI_AGAIN", "unresolved"],
])

function failure(error: unknown): Exchange {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  const neverLeft = NEVER_LEFT.get(code)
  if (neverLeft !== undefined) return { kind: "unreachable", reason: neverLeft }
  // The request is written after the handshake, so an unaccepted certificate means that nothing was sent.
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return { kind: "unreachable", reason: "tls" }
  return { kind: "silent", reason: "connection_lost" }
}

function asResponse({ status, headers, body }: Extract<Exchange, { kind: "answered" }>): Response {
  // What `Response` cannot be built with is a gateway's nonsense; the record has the true number.
  const shown = status >= 200 && status <= 599 ? status : 502
  const empty = shown === 204 || shown === 205 || shown === 304
  return new Response(empty ? null : body, { status: shown, headers })
}
