/**
 * What the doors for answers share behind their signatures: what cannot be read is kept, because its sender will not read
 * our answer, and whatever had an effect or none is counted with the reason.
 */
import type { LinkTokens } from "../domain/link-token.ts"
import type { Secret } from "../domain/secret.ts"
import { decode, parseJson, readBytes } from "../http/body.ts"
import { PROBLEMS, type Problem, problem, unavailable } from "../http/problem.ts"
import type { Call, Reply, Route, RouteDoc } from "../http/route.ts"
import type { Rejections } from "../ingest/rejections.ts"
import { notSigned } from "../ingest/webhook-signature.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Database } from "../store/database.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Answering, Effect, Effects } from "./effects.ts"

export interface DoorOptions {
  readonly db: Database
  readonly clock: Clock
  readonly telemetry: Emitter
  readonly rejections: Pick<Rejections, "keep">
  readonly effects: Effects
  readonly links: Pick<LinkTokens, "readAcknowledge">
}

/** What an answer was, and what it did. `nothing`: it asks for nothing, such as a report that a message is on its way. */
export interface Taken {
  readonly what: "receipt" | "stop" | "start" | "help" | "acknowledge" | "reply" | "nothing"
  readonly effect: Effect | "nothing" | "not_theirs"
  readonly reply: Reply
}

export interface Door {
  readonly via: Answering["via"]
  readonly doc: RouteDoc
  /** Null: every request is refused. */
  readonly secret: Secret | null
  isSigned(call: Call, body: Uint8Array): boolean
  /** Of a body whose sender is known. A problem: it is none of what this provider sends. */
  take(call: Call, body: Uint8Array): Promise<Taken | Problem>
}

/** A provider's largest is a fraction of it. */
const BODY_BYTES = 128 * 1024
/** Some seconds: what was not stored in time comes again. */
const AGAIN_S = 5

export function doorRoute(
  { via, doc, secret, isSigned, take }: Door,
  { telemetry, rejections }: Pick<DoorOptions, "telemetry" | "rejections">,
): Route {
  const refused = (given: Problem): Problem => {
    telemetry.emit({ kind: "event_rejected", via, code: given.code, count: 1 })
    return given
  }
  return {
    method: "POST",
    path: `/v1/inbound/${via}`,
    access: "open",
    doc,
    async handle(call) {
      const body = await readBytes(call.request, BODY_BYTES)
      if ("kind" in body) return refused(body)
      // Asked whether there is a secret or not: both take as long.
      if (!isSigned(call, body) || secret === null) return refused(notSigned())
      return counted(via, body, await take(call, body), { telemetry, rejections })
    },
  }
}

/** What an answer that was taken is answered with, once it is counted; and what could not be read is kept. */
export async function counted(
  via: Answering["via"],
  body: Uint8Array,
  taken: Taken | Problem,
  { telemetry, rejections }: Pick<DoorOptions, "telemetry" | "rejections">,
): Promise<Reply | Problem> {
  if ("kind" in taken) {
    const { code, detail, errors } = taken
    if (PROBLEMS[code].status < 500)
      await rejections.keep([{ via, code, business: null, origin: via, detail, errors, raw: body, identity: null }])
    telemetry.emit({ kind: "event_rejected", via, code, count: 1 })
    return taken
  }
  telemetry.emit({ kind: "answer_taken", via, what: taken.what, effect: taken.effect })
  return taken.effect === "late" ? unavailable("not stored in time; send it again", AGAIN_S) : taken.reply
}

/** An object in JSON. */
export function objectIn(text: string | Uint8Array): { readonly value: Readonly<Record<string, unknown>> } | Problem {
  const decoded = typeof text === "string" ? text : decode(text)
  const parsed = typeof decoded === "string" ? parseJson(decoded) : decoded
  if ("kind" in parsed) return parsed
  const value = asObject(parsed.value)
  return value === null ? problem("invalid", "expected an object") : { value }
}

/** A provider's own field, read without trust: null where it is none. */
export const asObject = (value: unknown): Readonly<Record<string, unknown>> | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null

/** Not empty and at most `max` characters; whole numbers are taken as their digits. */
export function asText(value: unknown, max: number): string | null {
  const text = Number.isSafeInteger(value) ? String(value) : value
  return typeof text === "string" && text !== "" && text.length <= max ? text : null
}

/** The longest id of a provider that is taken for one. */
export const ID_LENGTH = 200
