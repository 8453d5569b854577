/**
 * One batch of messages, from bytes to settled: what can be stored is committed, what never can is kept with the
 * rejected, and only then is each message let go of, on its own.
 */
import type { BusinessId } from "../domain/ids.ts"
import { type FieldError, JSON_LIMITS } from "../domain/json-limits.ts"
import { type Problem, problem } from "../http/problem.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Incoming } from "../store/events.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import type { Accept, Accepted } from "./accept.ts"
import { type Item, notStored } from "./item.ts"
import { type ReadMessage, readMessage, type StreamMessage } from "./jetstream-message.ts"
import type { RejectedInput, Rejections } from "./rejections.ts"

export interface BatchRooms {
  readonly accept: Accept
  readonly rejections: Pick<Rejections, "keep">
  readonly clock: Clock
  readonly telemetry: Emitter
}

/** `overloaded` and `late` are `accept`'s: nothing was let go of, and the whole batch may be brought again. */
export type BatchResult = "settled" | "overloaded" | "late"

/** Items for one call of `accept`: lists of 1,000 in 100 messages would never fit its queue at once. */
const MOST_ITEMS = 1_000

/** Stores and settles a batch. Rejects as the database does, and then nothing was let go of. */
export async function settleBatch(messages: readonly StreamMessage[], rooms: BatchRooms): Promise<BatchResult> {
  const { accept, rejections, clock, telemetry } = rooms
  const began = clock.now()
  const read = messages.map((message) => readSafely(message, clock.wall().getTime(), telemetry))
  const ready = read.flatMap((given) =>
    given.kind === "problem" ? [] : given.items.flatMap((item) => (item.kind === "ready" ? [item.incoming] : [])),
  )
  const stored = await acceptAll(ready, accept)
  if (typeof stored === "string") return stored

  let next = 0
  const refusals = messages.map((message, index): RejectedInput | null => {
    const given = read[index]
    if (given === undefined) throw new Error("a message was not read")
    if (given.kind === "problem") return rejectedInput(message, given, null)
    const found = given.items.map((item): Problem | null => {
      if (item.kind === "refused") return item.problem
      const result = stored[next]
      next += 1
      if (result === undefined) throw new Error("accept gave fewer results than items")
      return refusalOf(result, item)
    })
    return refusalOfMessage(message, given, found)
  })
  const rejected = refusals.filter((refusal) => refusal !== null)
  if (rejected.length > 0) await rejections.keep(rejected)

  // From here on everything is durable: a message that is let go of and brought again all the same changes nothing.
  messages.forEach((message, index) => {
    if (refusals[index] === null) message.ack()
    else message.term()
  })
  for (const [code, group] of Map.groupBy(rejected, ({ code }) => code))
    telemetry.emit({ kind: "event_rejected", via: "nats", code, count: group.length })
  telemetry.emit({
    kind: "jetstream_settled",
    acked: messages.length - rejected.length,
    terminated: rejected.length,
    redelivered: messages.filter(({ redelivered }) => redelivered).length,
    ms: clock.now() - began,
  })
  return "settled"
}

async function acceptAll(
  ready: readonly Incoming[],
  accept: Accept,
): Promise<readonly Accepted[] | "overloaded" | "late"> {
  const stored: Accepted[] = []
  for (let from = 0; from < ready.length; from += MOST_ITEMS) {
    const results = await accept(ready.slice(from, from + MOST_ITEMS), "nats")
    if (typeof results === "string") return results
    stored.push(...results)
  }
  return stored
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

function refusalOf(result: Accepted, item: Extract<Item, { kind: "ready" }>): Problem | null {
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
