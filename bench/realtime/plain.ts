/** A bare Bun server: subscribes whoever names a topic, and does with what is posted to one as it is told. Prints its port. */

/** `posted` gets the frames of one POST and the server to publish them by; it is answered when that is done. */
export function servePlain(
  posted: (topic: string, frames: readonly string[], server: Bun.Server<undefined>) => void | Promise<void>,
): void {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, self) {
      if (request.method === "GET") return self.upgrade(request) ? undefined : new Response(null, { status: 400 })
      const done = posted(new URL(request.url).pathname.slice(1), (await request.text()).split("\n"), self)
      if (done !== undefined) await done
      return new Response(null, { status: 202 })
    },
    websocket: {
      idleTimeout: 0,
      perMessageDeflate: false,
      message(socket, topic) {
        socket.subscribe(String(topic))
        socket.send("joined")
      },
    },
  })
  console.log(server.port)
}
