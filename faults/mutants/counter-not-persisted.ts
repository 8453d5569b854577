// The claim does not count its attempt.
import { patch } from "./patch.ts"

patch("store/deliveries.ts", [["else d.attempt + 1 end,", "else d.attempt end,"]])
