/** The door of the sockets: the realtime room answers the upgrade, this gives it the request and the server. */
import { unavailable } from "./problem.ts"
import type { RouteFile } from "./route.ts"

/** `undefined`: the connection was upgraded. */
export type Upgrade<Server> = (request: Request, server: Server) => Promise<Response | undefined>

export const socketRoutes = <Server>(upgrade: Upgrade<Server>): RouteFile => ({
  routes: [
    {
      method: "GET",
      path: "/socket/websocket",
      access: "open",
      doc: null,
      handle: ({ request, server }) =>
        // The listener was given realtime's own handler, so its server is the one that realtime expects.
        server === null ? unavailable("sockets need a listener") : upgrade(request, server as Server),
    },
  ],
})
