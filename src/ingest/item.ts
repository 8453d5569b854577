/** One item of a body: from a parsed value to something that can be stored, and from what became of it to its result. */
import type { EventId } from "../domain/ids.ts"
import { isJsonObject, type Json } from "../domain/json.ts"
import { checkJson, type FieldError } from "../domain/json-limits.ts"
import { invalid, type Problem, problem } from "../http/problem.ts"
import type { Incoming } from "../store/events.ts"
import type { Accepted } from "./accept.ts"
import { readCloudEvent } from "./cloudevents.ts"
import { type Bringer, type Draft, place, type ReadDraft } from "./draft.ts"
import { type JsonPath, repeatedErrors } from "./repeated-names.ts"
import { readResourceMessage } from "./resource-message.ts"
import { readSpelled } from "./spellings.ts"

/** Reads one value in one of the forms that an endpoint takes. */
export type ReadItem = (value: Json) => ReadDraft

export type Item =
  | { readonly kind: "ready"; readonly incoming: Incoming; readonly keyPointer: string }
  | { readonly kind: "refused"; readonly problem: Problem }

const notAnObject: ReadDraft = { errors: [{ pointer: "", detail: "expected an object" }] }

/** Any of the four spellings. */
export const readAny: ReadItem = (value) => {
  if (!isJsonObject(value)) return notAnObject
  return Object.hasOwn(value, "specversion") ? readCloudEvent(value) : readSpelled(value)
}

/** What the content type already calls a CloudEvent. */
export const readCloud: ReadItem = (value) => (isJsonObject(value) ? readCloudEvent(value) : notAnObject)

export const readResource: ReadItem = (value) => (isJsonObject(value) ? readResourceMessage(value) : notAnObject)

/** `withKey` brings in the key of the `Idempotency-Key` header. */
export function prepare(value: Json, read: ReadItem, withKey: (draft: Draft) => ReadDraft, bringer: Bringer): Item {
  const unfit = checkJson(value)
  if (unfit.length > 0) return { kind: "refused", problem: invalid(unfit) }
  const found = read(value)
  if ("errors" in found) return { kind: "refused", problem: invalid(found.errors) }
  const keyed = withKey(found.draft)
  if ("errors" in keyed) return { kind: "refused", problem: invalid(keyed.errors) }
  const placed = place(keyed.draft, bringer)
  switch (placed.kind) {
    case "placed":
      return { kind: "ready", incoming: placed.incoming, keyPointer: keyed.draft.pointers.key }
    case "not_yours": {
      const { pointer, detail } = placed.error
      return { kind: "refused", problem: problem(placed.code, `${pointer}: ${detail}`, { errors: [placed.error] }) }
    }
  }
}

/** An event that says two things under one name. */
export const ambiguous = (paths: readonly JsonPath[]): Item => ({
  kind: "refused",
  problem: invalid(repeatedErrors(paths)),
})

/** What an event answers that was fit to be stored and was not. */
export function notStored(result: Extract<Accepted, { kind: "reused" | "unstorable" }>, keyPointer: string): Problem {
  switch (result.kind) {
    case "reused": {
      const detail = `the idempotency key was used for ${result.id}, which has other content`
      return problem("idempotency_key_reused", detail, { errors: [{ pointer: keyPointer, detail }] })
    }
    case "unstorable":
      return invalid([{ pointer: "", detail: `the database cannot hold this event (${result.sqlstate})` }])
  }
}

/** One line of a batch's answer (contract §5.1). */
export type ItemResult =
  | { readonly index: number; readonly status: "accepted" | "duplicate"; readonly id: EventId }
  | { readonly index: number; readonly status: "invalid"; readonly errors: readonly FieldError[] }

/** The answer to a batch. `stored` has one result for each ready item, in order; `refusals` counts the rest by code. */
export function resultsOf(
  items: readonly Item[],
  stored: readonly Accepted[],
): { readonly results: readonly ItemResult[]; readonly refusals: ReadonlyMap<string, number> } {
  const refusals = new Map<string, number>()
  const results: ItemResult[] = []
  const refuse = (index: number, given: Problem): void => {
    refusals.set(given.code, (refusals.get(given.code) ?? 0) + 1)
    results.push({ index, status: "invalid", errors: given.errors })
  }
  let next = 0
  for (const [index, item] of items.entries()) {
    if (item.kind === "refused") {
      refuse(index, item.problem)
      continue
    }
    const result = stored[next]
    next += 1
    if (result === undefined) throw new Error("accept gave fewer results than items")
    switch (result.kind) {
      case "accepted":
      case "duplicate":
        results.push({ index, status: result.kind, id: result.id })
        break
      case "reused":
      case "unstorable":
        refuse(index, notStored(result, item.keyPointer))
    }
  }
  return { results, refusals }
}
