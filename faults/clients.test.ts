import { stockClient } from "./41-stock-client.ts"
import { shows } from "./shown.ts"

shows(
  stockClient,
  "Phoenix's own client does with the hub what it does with Phoenix, in any order, over both transports",
)
