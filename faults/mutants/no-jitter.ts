// All that failed together comes back together.
import { patch } from "./patch.ts"

patch("domain/delivery.ts", [
  ["Math.floor(random * Math.min(policy.maxDelayMs", "Math.floor(Math.min(policy.maxDelayMs"],
])
