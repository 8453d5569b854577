/** Answers as providers send them, signed as they sign: Twilio's by its SDK, Resend's by Svix' way in its library. */
import { createHmac } from "node:crypto"
import { Webhook } from "standardwebhooks"
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js"

export const TWILIO_TOKEN = "canary-twilio-auth-token-0123456"
export const RESEND_SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`
export const TELEGRAM_SECRET = "canary-telegram-webhook-secret"
export const SLACK_SECRET = "canary0slack0signing0secret01234"
export const PUBLIC_URL = "https://hub.example/prefix"

/** What `fetch`, or a socket, is given. */
export interface Sent {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const FORM = "application/x-www-form-urlencoded"
const JSON_TYPE = "application/json"
const seconds = (at: number): string => String(Math.floor(at / 1_000))

/** `query`: with its question mark. */
export function byTwilio(
  fields: Readonly<Record<string, string>>,
  { query = "", token = TWILIO_TOKEN, publicUrl = PUBLIC_URL } = {},
): Sent {
  const path = `/v1/inbound/twilio${query}`
  const signature = getExpectedTwilioSignature(token, publicUrl + path, fields)
  return {
    path,
    headers: { "content-type": FORM, "x-twilio-signature": signature },
    body: String(new URLSearchParams(fields)),
  }
}

/** `at`: milliseconds since the Unix epoch. */
export function byResend(event: unknown, id: string, { at = Date.now(), secret = RESEND_SECRET } = {}): Sent {
  const body = JSON.stringify(event)
  const signature = new Webhook(secret).sign(id, new Date(at), body)
  const headers = { "svix-id": id, "svix-timestamp": seconds(at), "svix-signature": signature }
  return { path: "/v1/inbound/resend", headers: { "content-type": JSON_TYPE, ...headers }, body }
}

export const byTelegram = (update: unknown, secret = TELEGRAM_SECRET): Sent => ({
  path: "/v1/inbound/telegram",
  headers: { "content-type": JSON_TYPE, "x-telegram-bot-api-secret-token": secret },
  body: JSON.stringify(update),
})

/** An interaction is a form, an event is JSON. */
export function bySlack(
  value: unknown,
  { at = Date.now(), secret = SLACK_SECRET, form = false }: { at?: number; secret?: string; form?: boolean } = {},
): Sent {
  const text = JSON.stringify(value)
  const body = form ? String(new URLSearchParams({ payload: text })) : text
  const mac = createHmac("sha256", secret)
    .update(`v0:${seconds(at)}:${body}`)
    .digest("hex")
  const headers = { "x-slack-request-timestamp": seconds(at), "x-slack-signature": `v0=${mac}` }
  return { path: "/v1/inbound/slack", headers: { "content-type": form ? FORM : JSON_TYPE, ...headers }, body }
}
