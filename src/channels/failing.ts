/**
 * A captured channel whose provider fails when a developer says so: what comes out is what the real channel makes of the
 * same answer, which the test holds against the real one. So breaker, retries and dead letters can be watched without an account.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import type { FailureSwitch, PlannedFailure, ProviderFailure } from "../domain/provider-failure.ts"
import { systemClock } from "../runtime/clock.ts"
import type { ChannelWorker } from "./channel.ts"

/** All well until something is planned; forgotten with the process. */
export function failureSwitch(): FailureSwitch {
  const planned = new Map<SendingChannel, PlannedFailure>()
  return {
    of: (channel) => planned.get(channel) ?? null,
    plan: (channel, plan) => (plan === null ? planned.delete(channel) : planned.set(channel, plan)),
  }
}

/** As long as a real channel waits for its provider. */
const HANG_MS = 15_000

/** `worker`, but for the sends that the switch lets fail: each counts one down, when it begins. */
export function failing(worker: ChannelWorker, failures: FailureSwitch, hangMs = HANG_MS): ChannelWorker {
  const { channel } = worker
  return {
    channel,
    async send(request) {
      const planned = failures.of(channel)
      if (planned === null) return worker.send(request)
      failures.plan(channel, planned.left > 1 ? { ...planned, left: planned.left - 1 } : null)
      if (planned.failure === "hang") return silent(channel, await silence(request.signal, hangMs))
      return outcomeOf(channel, planned.failure, planned.retryAfterMs)
    },
  }
}

function silence(signal: AbortSignal, ms: number): Promise<"timeout" | "aborted"> {
  const { promise, resolve } = Promise.withResolvers<"timeout" | "aborted">()
  if (signal.aborted) return Promise.resolve("aborted")
  const timer = systemClock.after(ms, () => resolve("timeout"))
  signal.addEventListener("abort", () => {
    timer.cancel()
    resolve("aborted")
  })
  return promise
}

/** These know the delivery's id, so asking again is harmless. */
const IDEMPOTENT: ReadonlySet<SendingChannel> = new Set<SendingChannel>(["email", "push", "webhook"])

const silent = (channel: SendingChannel, reason: "timeout" | "aborted" | "connection_lost"): Outcome =>
  IDEMPOTENT.has(channel)
    ? { kind: "retry", reason, detail: "no answer; the same key goes with the next try", retryAfterMs: null }
    : { kind: "unknown", reason, detail: "the request left, no answer came" }

function outcomeOf(
  channel: SendingChannel,
  failure: Exclude<ProviderFailure, "hang">,
  retryAfterMs: number | null,
): Outcome {
  switch (failure) {
    case "rate_limited":
      return { kind: "retry", reason: "rate_limited", detail: "429 Too Many Requests", retryAfterMs }
    case "server_error":
      // Twilio may have taken a message before it failed.
      return channel === "sms" || channel === "voice"
        ? { kind: "unknown", reason: "provider_error", detail: "500 Internal Server Error" }
        : { kind: "retry", reason: "provider_error", detail: "500 Internal Server Error", retryAfterMs: null }
    case "answer_lost":
      return silent(channel, "connection_lost")
    case "gone":
      return { kind: "rejected", ...GONE[channel] }
    case "bad_credential":
      return REFUSED[channel]
  }
}

/** How each provider says that nobody is there. */
const GONE: Readonly<Record<SendingChannel, { readonly reason: string; readonly detail: string }>> = {
  email: { reason: "bad_request", detail: "422 Invalid `to` field" },
  sms: { reason: "bad_number", detail: "400 21614 'To' number is not a valid mobile number" },
  voice: { reason: "bad_number", detail: "400 21217 Phone number does not appear to be valid" },
  telegram: { reason: "blocked_by_recipient", detail: "403 Forbidden: bot was blocked by the user" },
  slack: { reason: "address_dead", detail: "410 channel_is_archived" },
  push: { reason: "device_gone", detail: "404 UNREGISTERED" },
  webhook: { reason: "address_dead", detail: "the system answered 410" },
}

const badCredential = (detail: string): Outcome => ({ kind: "unusable", reason: "bad_credential", detail })

/** How each provider says that we are nobody. A system has no account of ours: it just refuses. */
const REFUSED: Readonly<Record<SendingChannel, Outcome>> = {
  email: badCredential("401 API key is invalid"),
  sms: badCredential("401 20003 Authenticate"),
  voice: badCredential("401 20003 Authenticate"),
  telegram: badCredential("401 Unauthorized"),
  slack: { kind: "unusable", reason: "bad_webhook", detail: "403 invalid_token" },
  push: badCredential("401 THIRD_PARTY_AUTH_ERROR"),
  webhook: { kind: "retry", reason: "not_authorized", detail: "the system answered 401", retryAfterMs: null },
}
