/**
 * `/socket/longpoll`: the same connections for clients whose network lets no WebSocket through, as Phoenix 1.8 answers
 * them (lib/phoenix/transports/long_poll.ex). The HTTP status is 200 and the real one stands in the body. A session
 * lives in one process; whoever is polled and has not got it asks that one.
 */
import type { Secret } from "../domain/secret.ts"
import type { Neighbours } from "../pubsub/pubsub.ts"
import type { Connection } from "./connection.ts"
import { type HandshakeSettings, originAllowed } from "./handshake.ts"
import { answering, sessionsOf } from "./longpoll-nodes.ts"
import { PollSessions, type PollSessionsDeps, type Sessions } from "./longpoll-sessions.ts"
import { looksLikeSession, sessionTokens } from "./longpoll-token.ts"

/** Reads the request's body, at most `limit` bytes of it. */
export type ReadBody = (limit: number) => Promise<Uint8Array | "too_large" | "unreadable">

/** A new client, or why there is none: 403 is for good, 503 for now. */
export type Admitted =
  | { readonly kind: "accepted"; readonly connection: Connection }
  | { readonly kind: "refused"; readonly status: number }

export interface LongPollDeps extends PollSessionsDeps, Pick<HandshakeSettings, "allowedOrigins" | "publicUrl"> {
  /** The other nodes; null: there are none. */
  readonly neighbours: Neighbours | null
  /** What all nodes share, to sign by; null: this process alone reads what it signs. */
  readonly secret: Secret | null
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
  const { limits, clock, telemetry, neighbours } = deps
  const node = neighbours?.node ?? crypto.randomUUID()
  const tokens = sessionTokens(node, deps.secret?.reveal() ?? null)
  const own = new PollSessions(deps)
  neighbours?.answerWith(answering(own))
  const now = (): number => clock.wall().getTime()

  /** The header wins over the parameters, of which a client that also sends a person's token has two. */
  const sessionOf = (request: Request): { id: string; token: string; sessions: Sessions } | null => {
    const header = request.headers.get("x-phoenix-longpoll-token")
    const token = header ?? queryOf(request).getAll("token").findLast(looksLikeSession) ?? ""
    const named = tokens.read(token, now())
    if (named === null) return null
    const { id } = named
    if (named.node === node) return own.has(id) ? { id, token, sessions: own } : null
    return neighbours === null ? null : { id, token, sessions: sessionsOf(named.node, neighbours, limits.pollWindowMs) }
  }

  async function open(admit: () => Promise<Admitted>): Promise<Response> {
    const refuse = (reason: string): Response => {
      telemetry.emit({ kind: "socket_refused", transport: "longpoll", reason })
      return later()
    }
    if (own.full) return refuse("too many sessions")
    const admitted = await admit()
    if (admitted.kind === "refused") return admitted.status === 403 ? say(403) : later()
    // Others may have come while this one's token was looked at.
    if (own.full) return refuse("too many sessions")
    const { connection } = admitted
    const { id, token } = tokens.issue(now())
    own.open(id, connection)
    return bring(410, token, [])
  }

  async function poll(request: Request, admit: () => Promise<Admitted>): Promise<Response> {
    const at = sessionOf(request)
    const polled = (await at?.sessions.poll(at.id, request.signal)) ?? null
    if (at === null || polled === null) return open(admit)
    switch (polled.kind) {
      case "messages":
        return bring(200, at.token, polled.messages)
      case "none":
        return bring(204, at.token, [])
      case "gone":
        return bring(410, at.token, [])
    }
  }

  async function post(request: Request, body: ReadBody): Promise<Response> {
    const at = sessionOf(request)
    if (at === null) return say(410)
    const bytes = await body(limits.pollBodyBytes)
    if (bytes === "too_large") return say(413)
    if (bytes === "unreadable") return say(400)
    const contentType = request.headers.get("content-type")
    return say((await at.sessions.post(at.id, { contentType, bytes })) ?? 410)
  }

  return {
    held: () => own.held,
    async answer(request, admit, body) {
      if (!originAllowed(request.headers.get("origin"), request.headers.get("host"), deps)) {
        telemetry.emit({ kind: "socket_refused", transport: "longpoll", reason: "origin" })
        return say(403)
      }
      switch (request.method) {
        case "GET":
          return poll(request, admit)
        case "POST":
          return post(request, body)
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
