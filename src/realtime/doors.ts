/**
 * The two doors of the room, and the one way through both: who comes in by a WebSocket or by polling is looked at
 * alike, and gets the same connection.
 */
import { describeError } from "../telemetry/scrub.ts"
import type { AcceptRate } from "./accept-rate.ts"
import { Connection, type ConnectionDeps, type Transport } from "./connection.ts"
import { type HandshakeSettings, shakeHands } from "./handshake.ts"
import type { LongPoll, ReadBody } from "./longpoll.ts"
import type { SocketData } from "./websocket.ts"

type Server = Bun.Server<SocketData>

export interface DoorDeps extends HandshakeSettings {
  readonly operatorsFrom?: (request: Request, server: Server) => boolean
  readonly connection: ConnectionDeps
  readonly polls: LongPoll
  readonly rate: AcceptRate
  isDraining(): boolean
  /** Sockets are this server's from now on. */
  listens(server: Server): void
}

export interface Doors {
  /** Undefined when the request became a socket. */
  upgrade(request: Request, server: Server): Promise<Response | undefined>
  longPoll(request: Request, server: Server, body: ReadBody): Promise<Response>
}

/** As Phoenix marks the answer to an upgrade. */
const UNCACHED = { "cache-control": "max-age=0, private, must-revalidate" }

export function doors(deps: DoorDeps): Doors {
  const { telemetry } = deps.connection
  const refused = (transport: Transport["name"], reason: string, status: 400 | 403 | 503) => {
    telemetry.emit({ kind: "socket_refused", transport, reason })
    return { kind: "refused", status } as const
  }

  async function admit(request: Request, from: Server, transport: Transport["name"]) {
    if (deps.isDraining()) return refused(transport, "draining", 503)
    if ((await deps.rate.turn()).kind === "refused") return refused(transport, "busy", 503)
    if (deps.isDraining()) return refused(transport, "draining", 503)
    const hands = await shakeHands(request, deps, transport).catch((error: unknown) => {
      telemetry.emit({ kind: "bug_found", where: "socket handshake", error: describeError(error) })
      return null
    })
    if (hands === null || hands.kind === "unavailable") return refused(transport, "unavailable", 503)
    if (hands.kind === "refused") return refused(transport, hands.reason, 403)
    const { serializer, protocol } = hands
    const misplaced = hands.principal.admin && deps.operatorsFrom?.(request, from) === false
    const principal = misplaced ? { ...hands.principal, admin: false } : hands.principal
    return { kind: "accepted", connection: new Connection(principal, serializer, deps.connection), protocol } as const
  }

  return {
    async upgrade(request, from) {
      if (request.method !== "GET") return notTaken(400)
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        return notTaken(400, "this address speaks WebSocket: connect with the `phoenix` client")
      }
      const admitted = await admit(request, from, "websocket")
      if (admitted.kind === "refused") return notTaken(admitted.status)
      const { connection, protocol } = admitted
      deps.listens(from)
      // Said by ourselves, because Bun would answer the first one offered, which may be the token.
      const offered = request.headers.has("sec-websocket-protocol")
      const headers = { ...UNCACHED, ...(offered ? { "sec-websocket-protocol": protocol } : {}) }
      if (from.upgrade(request, { data: connection, headers })) return undefined
      return notTaken(refused("websocket", "upgrade", 400).status)
    },
    longPoll: (request, from, body) => deps.polls.answer(request, () => admit(request, from, "longpoll"), body),
  }
}

const notTaken = (status: 400 | 403 | 503, why: string | null = null): Response =>
  new Response(why, { status, headers: { ...UNCACHED, ...(status === 503 ? { "retry-after": "1" } : {}) } })
