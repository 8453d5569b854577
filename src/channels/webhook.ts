/**
 * A POST to a system, signed as Standard Webhooks: `webhook-id` is the delivery's id on every try, so whoever keeps ids
 * takes a message once. The URL comes from a rule, which is not trusted with the network that the hub stands in.
 */
import { createHmac } from "node:crypto"
import type { Outcome } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import type { ChannelWorker } from "./channel.ts"
import { openLine } from "./provider-fetch.ts"
import { type Answer, retryAfterMs, withoutAnswer } from "./reading.ts"
import { guardUrl, namesLoopback, type Resolve } from "./url-guard.ts"

export interface WebhookOptions {
  /** `whsec_…` by the names that rules use. */
  readonly secrets: ReadonlyMap<string, Secret>
  /** Development: posts go to this machine alone, and all others are captured. Production: to public addresses alone. */
  readonly loopback: boolean
  readonly resolve?: Resolve
  readonly deadlineMs?: number
  readonly wall?: () => number
}

/** One post a try. */
export function webhookChannel(options: WebhookOptions): ChannelWorker<"webhook"> {
  const wall = options.wall ?? Date.now
  return {
    channel: "webhook",
    async send({ id, message, signal }) {
      // Before its name is asked for: in development not even that leaves the machine.
      if (options.loopback && !namesLoopback(message.url)) return { kind: "captured" }
      const key = keyOf(message.secret, options.secrets)
      if (key === "unknown") {
        const detail = `HUB_WEBHOOK_SECRETS does not name ${message.secret}`
        return { kind: "unusable", reason: "no_secret", detail }
      }
      const guarded = await guardUrl(message.url, options)
      if (guarded.kind === "refused")
        return { kind: "rejected", reason: "url_refused", detail: `the rule's webhook URL is ${guarded.reason}` }
      if (guarded.kind === "unresolved")
        return { kind: "retry", reason: "unreachable", detail: "unresolved", retryAfterMs: null }

      const line = openLine({ signal, deadlineMs: options.deadlineMs, pins: guarded.pins })
      const headers = { ...signed(id, Math.floor(wall() / 1_000), message.body, key), ...PLAIN }
      // What went wrong is in the line's record, which knows more than what was thrown.
      await line.fetch(guarded.url, { method: "POST", headers, body: message.body }).catch(() => null)
      const seen = line.seen()
      if (seen === null) throw new Error("webhook: nothing was asked")
      return seen.kind === "answered" ? outcomeOf(seen, wall()) : withoutAnswer(seen, true)
    },
  }
}

const PLAIN = { "content-type": "application/json", "user-agent": "Hubbub" } as const

/** The key's bytes; null: the rule wants no signature. */
function keyOf(secret: string | null, secrets: ReadonlyMap<string, Secret>): Buffer | null | "unknown" {
  if (secret === null) return null
  const whole = secret.startsWith("whsec_") ? secret : secrets.get(secret)?.reveal()
  return whole === undefined ? "unknown" : Buffer.from(whole.slice("whsec_".length), "base64")
}

/** Standard Webhooks 1.0.0; the time is that of the try, in seconds since the Unix epoch. */
function signed(id: string, timestamp: number, body: string, key: Buffer | null): Readonly<Record<string, string>> {
  const named = { "webhook-id": id, "webhook-timestamp": String(timestamp) }
  if (key === null) return named
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")
  return { ...named, "webhook-signature": `v1,${mac}` }
}

/** Not now, whatever class its number is of. */
const LATER: ReadonlySet<number> = new Set([408, 425, 429])

/** The answer's words are left out: they may repeat what was posted. */
function outcomeOf(answer: Answer, wallMillis: number): Outcome {
  const { status } = answer
  const detail = `the system answered ${status}`
  if (status >= 200 && status < 300) return { kind: "delivered", providerMessageId: null }
  if (status >= 500 || LATER.has(status)) {
    const reason = status === 429 ? "rate_limited" : "provider_error"
    return { kind: "retry", reason, detail, retryAfterMs: retryAfterMs(answer.headers, wallMillis) }
  }
  // A secret or a wall that somebody is changing; where it stays so, the last try says it to the rule's owner.
  if (status === 401 || status === 403) return { kind: "retry", reason: "not_authorized", detail, retryAfterMs: null }
  return { kind: "rejected", reason: status === 404 || status === 410 ? "address_dead" : "bad_request", detail }
}
