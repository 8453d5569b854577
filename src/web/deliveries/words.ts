/** What the hub's codes mean to a person who reads a timeline, and how long things took. */
import type { Attempt, Delivery } from "./shapes.ts"

/** How it stands: the colour and the drawing of what is said. */
export type Mood = "good" | "kept" | "wait" | "doubt" | "bad" | "off"

interface Said {
  readonly mood: Mood
  readonly title: string
}

const STATUS: Readonly<Record<string, Said>> = {
  scheduled: { mood: "wait", title: "Held back for now" },
  queued: { mood: "wait", title: "About to be sent" },
  sending: { mood: "wait", title: "Being sent now" },
  delivered: { mood: "good", title: "The provider took it" },
  retrying: { mood: "wait", title: "Not sent yet" },
  dead: { mood: "bad", title: "Given up" },
  unknown: { mood: "doubt", title: "Nobody knows whether it was sent" },
  suppressed: { mood: "off", title: "Not to be sent" },
  expired: { mood: "off", title: "Too late to be of use" },
  captured: { mood: "kept", title: "Kept in the outbox" },
  cancelled: { mood: "off", title: "Called off" },
}

const RECEIPTS: Readonly<Record<string, Said>> = {
  delivered: { mood: "good", title: "It arrived" },
  opened: { mood: "good", title: "Its reader opened it" },
  clicked: { mood: "good", title: "Its reader followed a link in it" },
  undelivered: { mood: "bad", title: "The provider could not bring it" },
  bounced: { mood: "bad", title: "It came back: the address does not take it" },
  complained: { mood: "bad", title: "Its reader marked it as spam" },
}

export const statusSaid = (status: string): Said => STATUS[status] ?? { mood: "off", title: code(status) }
export const receiptSaid = (receipt: string): Said => RECEIPTS[receipt] ?? { mood: "off", title: code(receipt) }

/** The headline: what its reader or provider said last counts more than that it was sent. */
export function headline(delivery: Pick<Delivery, "status" | "receipt" | "next">): Said {
  const { status, receipt, next } = delivery
  if (receipt !== null && (status === "delivered" || status === "captured")) return receiptSaid(receipt)
  if (status === "queued" && next?.code === "account")
    return { mood: "doubt", title: "Waits for the hub’s own account" }
  if (status === "queued" && next?.code === "replayed") return { mood: "wait", title: "About to be sent again" }
  return statusSaid(status)
}

const OUTCOMES: Readonly<Record<string, Said>> = {
  delivered: { mood: "good", title: "Taken by the provider" },
  captured: { mood: "kept", title: "Captured" },
  retry: { mood: "wait", title: "Not sent" },
  rejected: { mood: "bad", title: "Refused for good" },
  unusable: { mood: "doubt", title: "The hub’s account was refused" },
  unknown: { mood: "doubt", title: "No answer: it may have been sent" },
  lost: { mood: "doubt", title: "Its sender was lost: it may have been sent" },
}

export function outcomeSaid({ outcome, reason }: Pick<Attempt, "outcome" | "reason">): Said {
  if (outcome === "retry" && reason === "rate_limited")
    return { mood: "wait", title: "The provider asked for patience" }
  return OUTCOMES[outcome] ?? { mood: "off", title: code(outcome) }
}

/** `rate_limited` as words. */
export const code = (text: string): string => text.replaceAll("_", " ")

/** `340 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `1 d 3 h`; empty for what is no time. */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return ""
  const most = Math.max(0, ms)
  if (most < 1_000) return `${Math.round(most)} ms`
  if (most < 10_000) return `${(most / 1_000).toFixed(1)} s`
  const seconds = Math.round(most / 1_000)
  if (seconds < 60) return `${seconds} s`
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s")
  const minutes = Math.round(seconds / 60)
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min")
  const hours = Math.round(minutes / 60)
  return pair(Math.floor(hours / 24), "d", hours % 24, "h")
}

/** Milliseconds from one moment to another; NaN where either is none. */
export const between = (from: string, to: string): number => Date.parse(to) - Date.parse(from)

/** `in 4 s`, `now`: until a moment, whole seconds, so that it can count down. */
export function countdown(at: string, now: number): string {
  const left = Date.parse(at) - now
  if (Number.isNaN(left)) return ""
  if (left < 1_000) return "now"
  return left < 60_000 ? `in ${Math.floor(left / 1_000)} s` : `in ${span(left)}`
}

export const CHANNELS: Readonly<Record<string, string>> = {
  email: "Email",
  sms: "SMS",
  voice: "Call",
  telegram: "Telegram",
  slack: "Slack",
  push: "Push",
  webhook: "Webhook",
}

export const channelName = (channel: string): string => CHANNELS[channel] ?? channel
