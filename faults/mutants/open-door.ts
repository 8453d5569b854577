// However many knock at once come in at once.
import { patch } from "./patch.ts"

patch("realtime/accept-rate.ts", [["if (waitMs <= 0) return", "if (waitMs <= 1e9) return"]])
