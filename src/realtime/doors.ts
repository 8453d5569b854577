/**
 * The two doors of the room, and the one way through both: who comes in by a WebSocket or by polling is looked at
 * alike, and gets the same connection.
 */
import type { Principal } from "../domain/principal.ts"
import { describeError } from "../telemetry/scrub.ts"
import type { AcceptRate } from "./accept-rate.ts"
import { Connection, type ConnectionDeps, type Transport } from "./connection.ts"
import { DrawerConnection, type DrawerShape } from "./drawers.ts"
import type { Serializer } from "./frame.ts"
import { type HandshakeSettings, shakeHands } from "./handshake.ts"
import type { LocalTopics } from "./local-topics.ts"
import type { LongPoll, ReadBody } from "./longpoll.ts"
import type { SocketData } from "./websocket.ts"

type Server = Bun.Server<SocketData>

export interface DoorDeps extends HandshakeSettings {
  readonly operatorsFrom?: (request: Request, server: Server) => boolean
  readonly connection: ConnectionDeps
  readonly polls: LongPoll
  readonly local: LocalTopics
  readonly rate: AcceptRate
  isDraining(): boolean
  /** Sockets are this server's from now on. */
  listens(server: Server): void
}

export interface Doors {
  /** Undefined when the request became a socket. */
  upgrade(request: Request, server: Server): Promise<Response | undefined>
  /** The same for the older drawers. */
  drawer(request: Request, server: Server, shape: DrawerShape): Promise<Response | undefined>
  longPoll(request: Request, server: Server, body: ReadBody): Promise<Response>
}

/** Null: nothing is here for this caller. */
type Make = (principal: Principal, serializer: Serializer) => Connection | null

/** As Phoenix marks the answer to an upgrade. */
const UNCACHED = { "cache-control": "max-age=0, private, must-revalidate" }

export function doors(deps: DoorDeps): Doors {
  const { telemetry } = deps.connection
  const refused = (transport: Transport["name"], reason: string, status: 400 | 403 | 503) => {
    telemetry.emit({ kind: "socket_refused", transport, reason })
    return { kind: "refused", status } as const
  }

  const phoenix: Make = (principal, serializer) => new Connection(principal, serializer, deps.connection)

  async function admit(request: Request, from: Server, transport: Transport["name"], make: Make) {
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
    const connection = make(principal, serializer)
    return connection === null
      ? refused(transport, "anonymous", 403)
      : ({ kind: "accepted", connection, protocol } as const)
  }

  async function open(request: Request, from: Server, make: Make): Promise<Response | undefined> {
    if (request.method !== "GET") return notTaken(400)
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return notTaken(400, "this address speaks WebSocket: connect with the `phoenix` client")
    }
    const admitted = await admit(request, from, "websocket", make)
    if (admitted.kind === "refused") return notTaken(admitted.status)
    const { connection, protocol } = admitted
    deps.listens(from)
    // Said by ourselves, because Bun would answer the first one offered, which may be the token.
    const offered = request.headers.has("sec-websocket-protocol")
    const headers = { ...UNCACHED, ...(offered ? { "sec-websocket-protocol": protocol } : {}) }
    if (from.upgrade(request, { data: connection, headers })) return undefined
    return notTaken(refused("websocket", "upgrade", 400).status)
  }

  return {
    upgrade: (request, from) => open(request, from, phoenix),
    drawer: (request, from, shape) =>
      open(request, from, (principal) => {
        const { recipient } = principal
        // Whoever is no person has no notifications.
        if (recipient === null) return null
        return new DrawerConnection({ ...principal, recipient }, shape, deps.local, deps.connection)
      }),
    longPoll: (request, from, body) =>
      deps.polls.answer(request, () => admit(request, from, "longpoll", phoenix), body),
  }
}

const notTaken = (status: 400 | 403 | 503, why: string | null = null): Response =>
  new Response(why, { status, headers: { ...UNCACHED, ...(status === 503 ? { "retry-after": "1" } : {}) } })
