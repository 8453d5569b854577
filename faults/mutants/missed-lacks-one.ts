// Who comes back is given all but the first of what was missed.
import { patch } from "./patch.ts"

patch("realtime/sequencer.ts", [
  ["filter(({ position }) => position > offset)", "filter(({ position }) => position > offset + 1)"],
])
