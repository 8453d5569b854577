/** Lists of any length over endpoints that take up to 1,000 items and 8 MiB: several requests, one list of results. */
import { type FieldError, HubUnexpectedAnswer } from "./errors.ts"
import { isObject } from "./json.ts"

/** What one request may hold. */
interface Limits {
  readonly items: number
  readonly bytes: number
}
const LIMITS: Limits = { items: 1_000, bytes: 8 * 1024 * 1024 }

/** One request of several: a JSON list, and the place of its first item in the whole. */
export interface Batch {
  readonly from: number
  readonly size: number
  readonly body: string
}

/** An item that was refused; the others are not affected. */
export interface InvalidItem {
  readonly index: number
  readonly status: "invalid"
  readonly errors: readonly FieldError[]
}

/** One item's result. `Word` is what the endpoint says of those it took. */
export type ItemResult<Word extends string> =
  | { readonly index: number; readonly status: Word; readonly id: string }
  | InvalidItem

/** Splits JSON texts; `tooLarge` are the places of those that fit into no request. */
export function splitBatches(
  texts: readonly string[],
  limits = LIMITS,
): {
  readonly batches: readonly Batch[]
  readonly tooLarge: ReadonlySet<number>
} {
  const encoder = new TextEncoder()
  const batches: Batch[] = []
  const tooLarge = new Set<number>()
  let open: string[] = []
  let bytes = 2 // the brackets
  const close = (end: number): void => {
    if (open.length > 0) batches.push({ from: end - open.length, size: open.length, body: `[${open.join(",")}]` })
    open = []
    bytes = 2
  }
  for (const [index, text] of texts.entries()) {
    const more = encoder.encode(text).byteLength + 1 // its comma
    if (more + 2 > limits.bytes) {
      close(index)
      tooLarge.add(index)
      continue
    }
    if (open.length === limits.items || bytes + more > limits.bytes) close(index)
    open.push(text)
    bytes += more
  }
  close(texts.length)
  return { batches, tooLarge }
}

/** Sends one after the other, and answers in the order of the items. Rejects with the first request that fails. */
export async function inBatches<Word extends string>(
  items: readonly object[],
  words: readonly Word[],
  idempotencyKey: string | undefined,
  send: (batch: Batch) => Promise<unknown>,
): Promise<readonly ItemResult<Word>[]> {
  const { batches, tooLarge } = splitBatches(items.map((item) => JSON.stringify(item)))
  const results: ItemResult<Word>[] = []
  for (const index of tooLarge) results[index] = refusedHere(index)
  for (const { from, ...batch } of batches) {
    const answered = readResults(await send({ from, ...batch }), batch.size, words)
    if (answered === undefined)
      throw new HubUnexpectedAnswer("the answer has no result for each item", { tries: 1, idempotencyKey })
    for (const [at, result] of answered.entries()) results[from + at] = { ...result, index: from + at }
  }
  return results
}

// Only what no request can carry is refused here; the rest is the hub's to judge.
const refusedHere = (index: number): InvalidItem => ({
  index,
  status: "invalid",
  errors: [{ pointer: "", detail: `larger than the ${LIMITS.bytes} bytes that a request may have` }],
})

/** Every item has its result, or the answer is not believed: a missing one would be an event lost without a word. */
function readResults<Word extends string>(
  answer: unknown,
  size: number,
  words: readonly Word[],
): readonly ItemResult<Word>[] | undefined {
  const results: unknown = isObject(answer) ? answer["results"] : undefined
  const whole = Array.isArray(results) && results.length === size && results.every((each) => isItemResult(each, words))
  return whole ? results : undefined
}

function isItemResult<Word extends string>(value: unknown, words: readonly Word[]): value is ItemResult<Word> {
  if (!isObject(value)) return false
  const { status, id, errors } = value
  return status === "invalid" ? Array.isArray(errors) : words.some((word) => word === status) && typeof id === "string"
}
