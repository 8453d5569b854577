/**
 * POSTs over one HTTP/2 connection that is opened when it is needed and again when it broke. As `provider-fetch` does for
 * HTTP/1.1: one exchange a call, bounded in time and size, and a record that knows whether it left.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2"
import type { Exchange } from "./provider-fetch.ts"

export interface Http2Post {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The attempt's own signal. */
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

const MAX_ANSWER_BYTES = 65_536
/** Longer than any try. */
const LINGER_MS = 20_000

export class Http2Line {
  readonly #root: string
  #session: ClientHttp2Session | null = null

  /** `root`: without a slash at the end. */
  constructor(root: string) {
    this.#root = root
  }

  /** Never rejects. */
  post({ path, headers, body, signal, deadlineMs }: Http2Post): Promise<Exchange> {
    const { promise, resolve } = Promise.withResolvers<Exchange>()
    if (signal.aborted) return Promise.resolve({ kind: "unreachable", reason: "aborted" })
    const session = this.#open()
    let stream: ClientHttp2Stream | null = null
    let over = false
    const end = (exchange: Exchange): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      signal.removeEventListener("abort", onAbort)
      session.off("error", onBroken)
      session.off("close", onBroken)
      resolve(exchange)
    }
    const onAbort = (): void => {
      end({ kind: "silent", reason: "aborted" })
      stream?.close(constants.NGHTTP2_CANCEL)
    }
    // A connection that is half open answers nobody: the next request has one of its own.
    const timer = setTimeout(() => {
      end({ kind: "silent", reason: "timeout" })
      stream?.close(constants.NGHTTP2_CANCEL)
      this.#leave(session)
    }, deadlineMs)
    const onBroken = (error?: unknown): void => {
      this.#leave(session)
      end(failure(error))
    }
    signal.addEventListener("abort", onAbort)
    session.on("error", onBroken)
    session.on("close", onBroken)
    try {
      stream = session.request({ ":method": "POST", ":path": path, ...headers })
      read(stream, end, onBroken)
      stream.end(body)
    } catch (error) {
      // It closed between two ticks, and nothing was written on it.
      this.#leave(session)
      end({ kind: "unreachable", reason: "refused" })
      if (!(error instanceof Error)) throw error
    }
    return promise
  }

  #open(): ClientHttp2Session {
    const kept = this.#session
    if (kept !== null && !kept.closed && !kept.destroyed) return kept
    const session = connect(this.#root)
    // One listener for each request that is under way.
    session.setMaxListeners(0)
    // Requests hear of it themselves; between two of them nobody has to.
    session.on("error", () => this.#leave(session))
    session.on("goaway", () => this.#leave(session))
    session.on("close", () => this.#leave(session))
    // It holds up no process that has nothing else to do.
    session.unref()
    this.#session = session
    return session
  }

  /** Takes no new request on it. Those that are under way have as long as they may take; then whatever is left is cut. */
  #leave(session: ClientHttp2Session): void {
    if (session.closed || session.destroyed) return
    session.close()
    setTimeout(() => session.destroy(), LINGER_MS).unref()
  }
}

function read(stream: ClientHttp2Stream, end: (exchange: Exchange) => void, onBroken: (error: unknown) => void): void {
  const headers = new Headers()
  let status = 0
  let whole = true
  let size = 0
  const chunks: Buffer[] = []
  const answered = (): void => {
    const body = Buffer.concat(chunks).toString("utf8")
    end({ kind: "answered", status, headers, body, whole })
  }
  stream.on("response", (given) => {
    status = Number(given[":status"])
    for (const [name, value] of Object.entries(given))
      if (!name.startsWith(":") && value !== undefined) headers.set(name, String(value))
  })
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, MAX_ANSWER_BYTES - size))
    size += chunk.length
    if (size <= MAX_ANSWER_BYTES) return
    whole = false
    answered()
    stream.close(constants.NGHTTP2_CANCEL)
  })
  stream.on("end", () => {
    if (status > 0) answered()
  })
  stream.on("error", (error) => {
    whole = false
    if (status > 0) answered()
    else onBroken(error)
  })
  // Without an error and without an answer: the connection went away under it.
  stream.on("close", () => (status > 0 ? answered() : onBroken(null)))
}

const NEVER_LEFT: ReadonlyMap<string, Extract<Exchange, { kind: "unreachable" }>["reason"]> = new Map([
  ["ECONNREFUSED", "refused"],
  ["ConnectionRefused", "refused"],
  ["EHOSTUNREACH", "refused"],
  ["ENETUNREACH", "refused"],
  ["ENOTFOUND", "unresolved"],
  ["EAI_AGAIN", "unresolved"],
])

function failure(error: unknown): Exchange {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  const reason = NEVER_LEFT.get(code) ?? (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code) ? "tls" : null)
  return reason === null ? { kind: "silent", reason: "connection_lost" } : { kind: "unreachable", reason }
}
