// Whoever settles is believed to hold it still.
import { patch } from "./patch.ts"

patch("store/deliveries.ts", [
  [
    "where d.id = i.id and d.attempt = i.attempt and d.status || '' = 'sending' and d.owner = $1\n",
    "where d.id = i.id and d.status || '' = 'sending' and $1 <> ''\n",
  ],
])
