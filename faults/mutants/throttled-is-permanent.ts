// A provider that asks for patience is taken to have refused.
import { patch } from "./patch.ts"

patch("channels/telegram.ts", [['kind: "retry", reason: "rate_limited"', 'kind: "rejected", reason: "rate_limited"']])
