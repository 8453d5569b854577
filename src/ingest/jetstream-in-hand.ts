/**
 * A message in hand, from its bytes to what is answered for it: each of its events is stored on its own, some of them
 * later than others, and the message is let go of when something has become of all.
 */
import type { BusinessId } from "../domain/ids.ts"
import { type FieldError, JSON_LIMITS } from "../domain/json-limits.ts"
import { type Problem, problem } from "../http/problem.ts"
import type { Incoming } from "../store/events.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import type { Accepted } from "./accept.ts"
import { type Item, notStored } from "./item.ts"
import { type ReadMessage, readMessage, type StreamMessage } from "./jetstream-message.ts"
import type { RejectedInput } from "./rejections.ts"

export interface InHand {
  readonly message: StreamMessage
  readonly given: ReadMessage | Problem
  /** What became of its events, by their index; a hole: not stored yet, or refused when it was read. */
  readonly results: Accepted[]
  /** Events that are to be stored and are not yet. */
  left: number
}

/** Reads a message; `now` in milliseconds since the Unix epoch. */
export function takeInHand(message: StreamMessage, now: number, telemetry: Emitter): InHand {
  const given = readSafely(message, now, telemetry)
  const left = given.kind === "problem" ? 0 : given.items.filter(({ kind }) => kind === "ready").length
  return { message, given, results: [], left }
}

/** What is to be stored of it. */
export function readyOf({ given }: InHand): readonly { readonly index: number; readonly incoming: Incoming }[] {
  if (given.kind === "problem") return []
  return given.items.flatMap((item, index) => (item.kind === "ready" ? [{ index, incoming: item.incoming }] : []))
}

/** What is to be kept of a message whose events are all done; null: it is stored whole. */
export function refusalOf({ message, given, results }: InHand): RejectedInput | null {
  if (given.kind === "problem") return rejectedInput(message, given, null)
  const found = given.items.map((item, index): Problem | null => {
    if (item.kind === "refused") return item.problem
    const result = results[index]
    if (result === undefined) throw new Error("an event of a message that is done was not stored")
    return refusalOfEvent(result, item)
  })
  return refusalOfMessage(message, given, found)
}

/** A message that our own code stumbles over must not be brought for ever: it is kept like any other, and we are told. */
function readSafely(message: StreamMessage, now: number, telemetry: Emitter): ReadMessage | Problem {
  try {
    return readMessage(message, now)
  } catch (error) {
    telemetry.emit({ kind: "bug_found", where: "reading a message of the stream", error: describeError(error) })
    return problem("internal", "the hub has a bug in reading this")
  }
}

function refusalOfEvent(result: Accepted, item: Extract<Item, { kind: "ready" }>): Problem | null {
  switch (result.kind) {
    case "accepted":
    case "duplicate":
      return null
    case "reused":
    case "unstorable":
      return notStored(result, item.keyPointer)
  }
}

/**
 * One row for a message, whatever of it was refused; pointers into a list begin with the event's index. The row shows the
 * whole message, so it is a business's own only where all of the list is.
 */
function refusalOfMessage(
  message: StreamMessage,
  { list, businesses }: ReadMessage,
  found: readonly (Problem | null)[],
): RejectedInput | null {
  const refused = found.flatMap((given, index) => (given === null ? [] : [{ given, index }]))
  const first = refused[0]
  if (first === undefined) return null
  const [owner = null, ...others] = new Set(businesses)
  if (!list) return rejectedInput(message, first.given, owner)
  const errors = refused
    .flatMap(({ given, index }): readonly FieldError[] =>
      given.errors.length === 0
        ? [{ pointer: `/${index}`, detail: given.detail }]
        : given.errors.map(({ pointer, detail }) => ({ pointer: `/${index}${pointer}`, detail })),
    )
    .slice(0, JSON_LIMITS.errors)
  const detail = `${refused.length} of ${found.length} events were refused, the others are stored`
  return rejectedInput(message, { ...first.given, detail, errors }, others.length === 0 ? owner : null)
}

const rejectedInput = (
  message: StreamMessage,
  { code, detail, errors }: Problem,
  business: BusinessId | null,
): RejectedInput => ({
  via: "nats",
  code,
  business,
  origin: `${message.subject} ${message.sequence}`,
  detail,
  errors,
  raw: message.data,
  identity: message.place,
})
