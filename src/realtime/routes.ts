/** The room's door for `http/app.ts`: the upgrade route, beside which the server takes `realtime.websocket`. */
import { Elysia } from "elysia"
import type { Realtime } from "./realtime.ts"
import type { SocketData } from "./websocket.ts"

/**
 * Mount with `app.use(realtimeRoutes(realtime))` and `app.listen({ …, websocket: realtime.websocket })`; the native
 * handler replaces Elysia's own, so no `.ws()` route may stand beside it.
 */
export const realtimeRoutes = (realtime: Realtime) =>
  new Elysia({ name: "realtime" }).all(
    "/socket/websocket",
    ({ request, server }) =>
      server === null
        ? new Response(null, { status: 503 })
        : // Elysia types its server without our socket data; it is the one that was given `realtime.websocket`.
          realtime.upgrade(request, server as unknown as Bun.Server<SocketData>),
    { detail: { hide: true } },
  )
