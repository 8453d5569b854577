/** What every channel reads from an exchange in the same way: waiting wishes, failures without an answer, scrubbed text. */
import type { Outcome } from "../domain/delivery.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import { scrub } from "../telemetry/scrub.ts"
import type { Exchange } from "./provider-fetch.ts"

export type Answer = Extract<Exchange, { kind: "answered" }>
type NoAnswer = Exclude<Exchange, Answer>

const WEEK_MS = 7 * 86_400_000

/**
 * `Retry-After` in milliseconds from now: seconds or an HTTP date (read against the answer's own clock where it has
 * one). Null where it says nothing; never negative, never beyond a week, whatever was sent.
 */
export function retryAfterMs(headers: Headers, wallMillis: number): number | null {
  const text = headers.get("retry-after")?.trim() ?? ""
  if (/^\d+(\.\d+)?$/.test(text)) return secondsToMs(Number(text))
  const moment = Date.parse(text)
  // Dates have letters ("Fri, 20 Nov …"); Date.parse takes lone numbers such as "-5" for years.
  if (Number.isNaN(moment) || !/[A-Za-z]{3}/.test(text)) return null
  const theirNow = Date.parse(headers.get("date") ?? "")
  return secondsToMs((moment - (Number.isNaN(theirNow) ? wallMillis : theirNow)) / 1_000)
}

/** Any number of seconds as milliseconds between now and a week from now. */
export const secondsToMs = (seconds: number): number =>
  Number.isNaN(seconds) ? 0 : Math.round(Math.min(WEEK_MS, Math.max(0, seconds * 1_000)))

/** The answer's body as a JSON object; null where it is none. */
export function jsonBody(answer: Answer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(answer.body)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

export const textField = (object: JsonObject | null, name: string): string | null => {
  const value = object?.[name]
  return typeof value === "string" ? value : null
}

export const numberField = (object: JsonObject | null, name: string): number | null => {
  const value = object?.[name]
  return typeof value === "number" ? value : null
}

/** A provider's name for a message; whatever else it may be, it is short and on one line. */
export const messageIdOf = (value: string | number | null): string | null =>
  value === null
    ? null
    : String(value)
        .replace(/[^\x21-\x7e]/g, "")
        .slice(0, 128)

/** A provider's words without whom they were about: `privates` are this message's address and our credentials. */
export function detailOf(text: string, privates: readonly (string | null)[]): string {
  let clean = text.slice(0, 4_000)
  for (const part of privates) if (part !== null && part !== "") clean = clean.replaceAll(part, "…")
  return scrub(clean)
}

/** An exchange without an answer. `idempotent`: the provider knows the delivery's id, so that asking again is harmless. */
export function withoutAnswer(exchange: NoAnswer, idempotent: boolean): Outcome {
  switch (exchange.kind) {
    case "unreachable":
      return { kind: "retry", reason: "unreachable", detail: exchange.reason, retryAfterMs: null }
    case "silent":
      return idempotent
        ? {
            kind: "retry",
            reason: exchange.reason,
            detail: "no answer; the same key goes with the next try",
            retryAfterMs: null,
          }
        : { kind: "unknown", reason: exchange.reason, detail: "the request left, no answer came" }
  }
}

/** What went wrong before anything was asked: an SDK refused its input, which is our bug. Free of what it quotes. */
export function neverAsked(channel: string, error: unknown, privates: readonly (string | null)[]): Error {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new Error(`${channel}: the SDK asked for nothing: ${detailOf(text, privates)}`)
}
