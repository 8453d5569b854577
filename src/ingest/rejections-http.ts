/** Refusals over HTTP, noted with what was refused: the producer has its answer, its operator may want to see the body. */
import type { BusinessId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { writeJson } from "../domain/json-limits.ts"
import type { Problem, ProblemCode } from "../http/problem.ts"
import { type Call, path } from "../http/route.ts"
import type { Accepted } from "./accept.ts"
import { type Item, notStored } from "./item.ts"
import type { RejectedInput, Rejections } from "./rejections.ts"

type Noting = Pick<Rejections, "note">
type Via = Extract<RejectedInput["via"], "http" | "resources">

/** Nothing is wrong with what came: it may come again. */
const NOT_NOW: ReadonlySet<ProblemCode> = new Set(["unavailable", "rate_limited"])

/** What of a request is kept at hand until it is answered; no longer, for it may be 8 MiB. */
export interface Held {
  /** Its body, once it was read. */
  bytes: Uint8Array | null
}

/** Notes that a request was refused as a whole. */
export function noteRequest(rejections: Noting | undefined, call: Call, via: Via, given: Problem, held: Held): void {
  if (NOT_NOW.has(given.code)) return
  rejections?.note(inputOf(call, via, given, () => held.bytes))
}

/** Notes the refused events of a batch, each with its own text. `stored` has one result for each ready item, in order. */
export function noteItems(
  rejections: Noting | undefined,
  call: Call,
  via: Via,
  values: readonly Json[],
  items: readonly Item[],
  stored: readonly Accepted[],
): void {
  if (rejections === undefined) return
  let next = 0
  for (const [index, item] of items.entries()) {
    const given = item.kind === "refused" ? item.problem : refusalOf(stored[next++], item.keyPointer)
    if (given !== null) rejections.note(inputOf(call, via, given, () => textOf(values[index] ?? null)))
  }
}

const refusalOf = (result: Accepted | undefined, keyPointer: string): Problem | null =>
  result === undefined || result.kind === "accepted" || result.kind === "duplicate"
    ? null
    : notStored(result, keyPointer)

const inputOf = (call: Call, via: Via, given: Problem, raw: () => Uint8Array | null): RejectedInput => ({
  via,
  code: given.code,
  business: onlyBusiness(call),
  origin: path(call),
  detail: given.detail,
  errors: given.errors,
  raw,
  identity: null,
})

/** A body cannot be trusted to say whose it is, but a caller of one business has no other. */
function onlyBusiness({ principal }: Call): BusinessId | null {
  if (principal.tenancy === "*") return null
  const [first, second] = principal.tenancy
  return first !== undefined && second === undefined ? first.business : null
}

/** A value may be too deep to be written down. */
function textOf(value: Json): Uint8Array | null {
  const text = writeJson(value)
  return text === null ? null : Buffer.from(text)
}
