// What a provider refuses for good is tried again, for ever.
import { patch } from "./patch.ts"

patch("domain/delivery.ts", [
  [
    'return { status: "dead", reason: outcome.reason, detail: outcome.detail, because: "permanent" }',
    'return { ...outcome, status: "retrying", delayMs: 1_000, because: "throttled" }',
  ],
])
