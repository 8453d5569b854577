// The rival, on Node as most run it: whoever joins a room hears what is posted to it. WebSockets alone, without compression,
// and no pings while it is measured. Prints its port.
import { createServer } from "node:http"
import { Server } from "socket.io"

const http = createServer((request, response) => {
  const room = request.url.slice(1)
  const chunks = []
  request.on("data", (chunk) => chunks.push(chunk))
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(chunks).toString())
    for (const message of Array.isArray(body) ? body : [body]) io.to(room).emit("resource_update", message)
    response.writeHead(202, { "content-length": 0 }).end()
  })
})
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, pingInterval: 3_600_000 })
io.on("connection", (socket) => {
  socket.on("join", (room, joined) => {
    socket.join(room)
    joined("ok")
  })
})
http.listen(0, "127.0.0.1", () => console.log(http.address().port))
