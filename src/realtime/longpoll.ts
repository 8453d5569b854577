/**
 * `/socket/longpoll`: the same connections for clients whose network lets no WebSocket through, as Phoenix 1.8 answers
 * them (lib/phoenix/transports/long_poll.ex). The HTTP status is 200 and the real one stands in the body. A session
 * lives in this process alone, so a poll that reaches another node is told 410 and the client begins anew there.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Connection } from "./connection.ts"
import { type HandshakeSettings, originAllowed } from "./handshake.ts"
import type { RealtimeLimits } from "./limits.ts"
import type { LocalTopics } from "./local-topics.ts"
import { readLines } from "./longpoll-body.ts"
import { LongPollSession, type Shelf } from "./longpoll-session.ts"
import { looksLikeSession, sessionTokens } from "./longpoll-token.ts"

/** Reads the request's body, at most `limit` bytes of it. */
export type ReadBody = (limit: number) => Promise<Uint8Array | "too_large" | "unreadable">

/** A new client, or why there is none: 403 is for good, 503 for now. */
export type Admitted =
  | { readonly kind: "accepted"; readonly connection: Connection }
  | { readonly kind: "refused"; readonly status: number }

export interface LongPollDeps extends Pick<HandshakeSettings, "allowedOrigins" | "publicUrl"> {
  /** Where sessions hear what is published. */
  readonly topics: LocalTopics
  readonly limits: RealtimeLimits
  readonly clock: Clock
  readonly telemetry: Emitter
  opened(connection: Connection): void
  closed(connection: Connection): void
}

export interface LongPoll {
  /** Polls that are held now. */
  held(): number
  /** Answers any request to the path. Never rejects. */
  answer(request: Request, admit: () => Promise<Admitted>, body: ReadBody): Promise<Response>
}

const CROSS_ORIGIN = { "access-control-allow-origin": "*" }
const JSON_HEADERS = {
  "content-type": "application/json; charset=utf-8",
  // With the token in a header all sessions ask one URL, so no answer may be kept.
  "cache-control": "no-store",
  ...CROSS_ORIGIN,
}
/** As Phoenix marks answers that carry nothing. */
const EMPTY_HEADERS = { "cache-control": "max-age=0, private, must-revalidate", ...CROSS_ORIGIN }

const say = (status: number): Response => new Response(`{"status":${status}}`, { headers: JSON_HEADERS })
const bring = (status: 200 | 204 | 410, token: string, messages: readonly string[]): Response =>
  new Response(JSON.stringify({ messages, status, token }), { headers: JSON_HEADERS })

export function longPolling(deps: LongPollDeps): LongPoll {
  const { limits, clock, telemetry } = deps
  const tokens = sessionTokens()
  const sessions = new Map<string, { readonly session: LongPollSession; readonly connection: Connection }>()
  let held = 0
  const shelf: Shelf = {
    waitingBytes: 0,
    topics: deps.topics,
    makeRoom() {
      let most: LongPollSession | null = null
      for (const { session } of sessions.values()) if (session.waiting > (most?.waiting ?? 0)) most = session
      most?.overflow()
    },
  }

  /** The header wins over the parameters, of which a client that also sends a person's token has two. */
  const sessionOf = (request: Request) => {
    const header = request.headers.get("x-phoenix-longpoll-token")
    const token = header ?? queryOf(request).getAll("token").findLast(looksLikeSession) ?? ""
    const id = tokens.read(token, clock.now())
    return id === null ? undefined : sessions.get(id)
  }

  async function open(admit: () => Promise<Admitted>): Promise<Response> {
    const refuse = (reason: string): Response => {
      telemetry.emit({ kind: "socket_refused", transport: "longpoll", reason })
      return later()
    }
    if (sessions.size >= limits.pollSessions) return refuse("too many sessions")
    const admitted = await admit()
    if (admitted.kind === "refused") return admitted.status === 403 ? say(403) : later()
    // Others may have come while this one's token was looked at.
    if (sessions.size >= limits.pollSessions) return refuse("too many sessions")
    const { connection } = admitted
    const { id, token } = tokens.issue(clock.now())
    const session = new LongPollSession(id, token, {
      limits,
      clock,
      shelf,
      ended(_, code) {
        deps.closed(connection)
        connection.closed(code)
      },
      dropped: (backlogBytes) => telemetry.emit({ kind: "reader_dropped", transport: "longpoll", backlogBytes }),
      forget: () => void sessions.delete(id),
    })
    sessions.set(id, { session, connection })
    connection.opened(session)
    deps.opened(connection)
    return bring(410, token, [])
  }

  async function poll(
    { session, connection }: { session: LongPollSession; connection: Connection },
    signal: AbortSignal,
  ) {
    connection.heard()
    held += 1
    const polled = await session.poll(signal)
    held -= 1
    switch (polled.kind) {
      case "messages":
        return bring(200, session.token, polled.messages)
      case "none":
        return bring(204, session.token, [])
      case "gone":
        return bring(410, session.token, [])
    }
  }

  /** 200 once every line was taken by its topic; 408 where that takes longer than a window. */
  async function publish(
    { session, connection }: { session: LongPollSession; connection: Connection },
    request: Request,
    body: ReadBody,
  ): Promise<Response> {
    const bytes = await body(limits.pollBodyBytes)
    if (bytes === "too_large") return say(413)
    if (bytes === "unreadable") return say(400)
    const late = Promise.withResolvers<"late">()
    const deadline = clock.after(limits.pollWindowMs, () => late.resolve("late"))
    try {
      for (const line of readLines(bytes, request.headers.get("content-type"), limits.pollLines)) {
        if (line === null || line.length > limits.frameBytes) {
          telemetry.emit({ kind: "frame_malformed", reason: line === null ? "not a line" : "too large" })
          connection.close(line === null ? 1011 : 1009, "")
        } else {
          const taken = connection.receive(line)
          if (taken !== undefined && (await Promise.race([taken, session.over, late.promise])) === "late")
            return say(408)
        }
        if (session.ended) return say(410)
      }
      return say(session.ended ? 410 : 200)
    } finally {
      deadline.cancel()
    }
  }

  return {
    held: () => held,
    async answer(request, admit, body) {
      if (!originAllowed(request.headers.get("origin"), request.headers.get("host"), deps)) {
        telemetry.emit({ kind: "socket_refused", transport: "longpoll", reason: "origin" })
        return say(403)
      }
      switch (request.method) {
        case "GET": {
          const known = sessionOf(request)
          return known === undefined ? open(admit) : poll(known, request.signal)
        }
        case "POST": {
          const known = sessionOf(request)
          return known === undefined ? say(410) : publish(known, request, body)
        }
        case "OPTIONS":
          return new Response(null, {
            headers: {
              ...EMPTY_HEADERS,
              "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "",
              "access-control-allow-methods": "get, post, options",
              "access-control-max-age": "3600",
            },
          })
        default:
          return new Response(null, { status: 400, headers: EMPTY_HEADERS })
      }
    },
  }
}

/** No status that the stock client would stop at: it comes back. */
const later = (): Response => new Response(null, { status: 503, headers: { ...EMPTY_HEADERS, "retry-after": "1" } })

/** Not as a URL: the host is the client's word, and may be none that a URL can hold. */
const queryOf = (request: Request): URLSearchParams => new URLSearchParams(request.url.replace(/^[^?]*/, ""))
