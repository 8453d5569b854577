import { hostileSockets } from "./38-hostile-sockets.ts"
import { shows } from "./shown.ts"

shows(
  hostileSockets,
  "sockets that misbehave in every way are ended as documented, and a client beside them misses nothing",
)
