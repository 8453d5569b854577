import { expect, test } from "bun:test"
import { person } from "../testing/realtime-room.ts"
import { socketRoutes } from "./socket.ts"

test("the listener is told to wait longer for a poll than the room holds it", async () => {
  const patience: number[] = []
  // What of Bun's server is used for a poll.
  const server = {
    timeout: (_: Request, seconds: number) => void patience.push(seconds),
  } as unknown as Bun.Server<unknown>
  const { routes } = socketRoutes<unknown>({
    upgrade: async () => undefined,
    drawer: async () => undefined,
    longPoll: async (_request, _server, body) => {
      // Reading has a patience of its own, so the room's begins again after it.
      const read = await body(10)
      return new Response(read instanceof Uint8Array ? "read" : read)
    },
    heldSeconds: 10,
  })
  const poll = routes.find(({ method, path }) => method === "POST" && path === "/socket/longpoll")
  const ask = (body: string) =>
    poll?.handle({
      request: new Request("http://hub/socket/longpoll", { method: "POST", body }),
      params: {},
      principal: person(null, "*"),
      requestId: "r",
      address: () => null,
      server,
    }) as Promise<Response>
  expect(await (await ask("[]")).text()).toBe("read")
  expect(patience).toEqual([20, 20])
  expect(await (await ask("x".repeat(11))).text()).toBe("too_large")
})
