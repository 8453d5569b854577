// Preloaded into a hub's process: its lease (PACE_LEASE_MS), and its patience with a provider (PACE_PROVIDER_MS), so that
// what takes a hub half a minute is shown in seconds; so how often it asks how far its streams go (PACE_TAIL_MS). Only the
// number changes.
import { patch } from "./mutants/patch.ts"

const { PACE_LEASE_MS: lease, PACE_PROVIDER_MS: provider, PACE_TAIL_MS: tail } = process.env

if (lease !== undefined)
  patch("delivery/tree.ts", [
    ["policyOf = () => DEFAULT_RETRY, leaseMs }", `policyOf = () => DEFAULT_RETRY, leaseMs = ${lease} }`],
  ])
if (provider !== undefined) {
  patch("channels/provider-fetch.ts", [["PROVIDER_DEADLINE_MS = 15_000", `PROVIDER_DEADLINE_MS = ${provider}`]])
  patch("channels/push-fcm.ts", [["SEND_DEADLINE_MS = 10_000", `SEND_DEADLINE_MS = ${provider}`]])
}
if (tail !== undefined) patch("realtime/realtime.ts", [["TAIL_CHECK_MS = 10_000", `TAIL_CHECK_MS = ${tail}`]])
