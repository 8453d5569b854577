/** The doors of the sockets: the realtime room answers, this gives it the request, its body and the server. */
import { maySendOn, readBytes } from "./body.ts"
import { unavailable } from "./problem.ts"
import type { Answer, Call, Method, RouteFile } from "./route.ts"

/** What of the realtime room is reached from here; `Server` is the business of whoever upgrades. */
export interface SocketDoors<Server> {
  /** `undefined`: the connection was upgraded. */
  upgrade(request: Request, server: Server): Promise<Response | undefined>
  /** The same, for the older drawers. */
  drawer(request: Request, server: Server, shape: "envelope" | "bare"): Promise<Response | undefined>
  /** `body` reads at most so many bytes. */
  longPoll(
    request: Request,
    server: Server,
    body: (limit: number) => Promise<Uint8Array | "too_large" | "unreadable">,
  ): Promise<Response>
  /** How long a poll's answer may take. */
  readonly heldSeconds: number
}

/** For clients that are older than the hub. */
const DRAWERS = [
  ["/ws/notifications", "envelope"],
  ["/v1/ws", "bare"],
] as const

/** All of them, because what the room does not speak is told 400 by it, as Phoenix does, and not 405. */
const METHODS: readonly Method[] = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "PATCH", "DELETE"]
/** Beyond what the room holds a request for: it answers, the listener does not cut. */
const GRACE_SECONDS = 10

export function socketRoutes<Server>(doors: SocketDoors<Server>): RouteFile {
  // The listener was given realtime's own handler, so its server is the one that realtime expects.
  const through = (call: Call, ask: (server: Server) => Promise<Response | undefined>): Answer | Promise<Answer> =>
    call.server === null ? unavailable("sockets need a listener") : ask(call.server as Server)
  return {
    routes: [
      ...METHODS.map((method) => ({
        method,
        path: "/socket/websocket",
        access: "open" as const,
        doc: null,
        handle: (call: Call) => through(call, (server) => doors.upgrade(call.request, server)),
      })),
      ...DRAWERS.map(([path, shape]) => ({
        method: "GET" as const,
        path,
        access: "open" as const,
        doc: null,
        handle: (call: Call) => through(call, (server) => doors.drawer(call.request, server, shape)),
      })),
      ...METHODS.map((method) => ({
        method,
        path: "/socket/longpoll",
        access: "open" as const,
        doc: null,
        handle: (call: Call) =>
          through(call, async (server) => {
            const { request } = call
            const hold = (): void => call.server?.timeout(request, doors.heldSeconds + GRACE_SECONDS)
            hold()
            const response = await doors.longPoll(request, server, async (limit) => {
              const read = await readBytes(request, limit)
              hold()
              if (read instanceof Uint8Array) return read
              return read.code === "too_large" ? "too_large" : "unreadable"
            })
            if (!request.bodyUsed && maySendOn(request)) response.headers.set("connection", "close")
            return response
          }),
      })),
    ],
  }
}
