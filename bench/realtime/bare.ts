/**
 * The floor: a Bun server that subscribes whoever names a topic and publishes whatever is posted to one. It parses nothing, stores
 * nothing and asks nobody who they are. Prints its port.
 */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request, self) {
    if (request.method === "GET") return self.upgrade(request) ? undefined : new Response(null, { status: 400 })
    const topic = new URL(request.url).pathname.slice(1)
    for (const frame of (await request.text()).split("\n")) self.publish(topic, frame)
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
