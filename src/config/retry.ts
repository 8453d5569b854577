/** `HUB_RETRY`: how often, how fast and for how long a channel tries again (contract §9), for all of them or for one. */
import { SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import { DEFAULT_RETRY, RESEND_KEY_MS, type RetryPolicy } from "../domain/delivery.ts"
import { duration, type Parser } from "./parse.ts"

type Part = Partial<Pick<RetryPolicy, "firstDelayMs" | "maxDelayMs" | "maxAttempts" | "maxAgeMs">>
export type RetrySetting = Readonly<Partial<Record<SendingChannel | "all", Part>>>

const MAX_TRIES = 1_000

const tries: Parser<number> = (value) => {
  const count = /^\d{1,4}$/.test(value) ? Number(value) : 0
  return count >= 1 && count <= MAX_TRIES ? { value: count } : { expected: `a number from 1 to ${MAX_TRIES}` }
}

const PARTS = {
  first: (value: string) => named("firstDelayMs", duration(value)),
  max: (value: string) => named("maxDelayMs", duration(value)),
  tries: (value: string) => named("maxAttempts", tries(value)),
  age: (value: string) => named("maxAgeMs", duration(value)),
} as const

const named = (name: keyof Part, read: ReturnType<Parser<number>>): ReturnType<Parser<Part>> =>
  "expected" in read ? read : { value: { [name]: read.value } }

const isPart = (name: string): name is keyof typeof PARTS => Object.hasOwn(PARTS, name)

const EXPECTED = `a comma list such as tries=12,age=24h,sms.first=2s; names: ${Object.keys(PARTS).join(", ")}, alone or
 behind a channel (${SENDING_CHANNELS.join(", ")})`.replace("\n", "")

/** A comma list of `name=value` and `channel.name=value`. */
export const retrySetting: Parser<RetrySetting> = (value) => {
  const found: Partial<Record<SendingChannel | "all", Part>> = {}
  for (const entry of value.split(",").map((part) => part.trim())) {
    if (entry === "") continue
    const [, before, name = "", given = ""] = /^(?:(\w+)\.)?(\w+)\s*=\s*(\S+)$/.exec(entry) ?? []
    const channel = before === undefined ? "all" : SENDING_CHANNELS.find((known) => known === before)
    if (channel === undefined || !isPart(name)) return { expected: EXPECTED }
    const part = PARTS[name](given)
    if ("expected" in part) return { expected: `${name} to be ${part.expected}` }
    found[channel] = { ...found[channel], ...part.value }
  }
  return { value: found }
}

/**
 * Each channel's policy; a mail's never outlives Resend's memory of its key, or it would be sent a second time. By SMTP
 * (`keyedMail` false) nobody has such a memory.
 */
export function retryPolicies(
  given: RetrySetting | null,
  keyedMail = true,
): Readonly<Record<SendingChannel, RetryPolicy>> {
  const of = (channel: SendingChannel): RetryPolicy => ({ ...DEFAULT_RETRY, ...given?.all, ...given?.[channel] })
  const email = of("email")
  return {
    email: { ...email, maxAgeMs: Math.min(email.maxAgeMs, RESEND_KEY_MS), knowsRepeats: keyedMail },
    sms: of("sms"),
    voice: of("voice"),
    telegram: of("telegram"),
    slack: of("slack"),
    push: of("push"),
    webhook: of("webhook"),
  }
}
