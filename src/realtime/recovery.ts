/** What a client says it has seen (`{"recover": {"epoch", "offset"}}`), and the words in which a join answers it. */
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { Payload } from "./frame.ts"
import type { StreamItem } from "./sequencer.ts"

export interface Recover {
  readonly epoch: string
  readonly offset: number
}

/** Null: the join does not ask to recover. `invalid`: it asks in words that mean nothing. */
export function recoverFrom(payload: Payload): Recover | null | "invalid" {
  if (payload instanceof Uint8Array || !isJsonObject(payload)) return null
  const { recover } = payload
  if (recover === undefined || recover === null) return null
  if (!isJsonObject(recover)) return "invalid"
  const { epoch, offset } = recover
  if (typeof epoch !== "string" || typeof offset !== "number") return "invalid"
  return Number.isSafeInteger(offset) && offset >= 0 ? { epoch, offset } : "invalid"
}

/** Where the stream stands, for a client that starts from here. */
export const startsHere = (epoch: string, offset: number): JsonObject => ({ epoch, offset })

/** Nothing of what was missed: the client must load what it shows anew. */
export const notRecovered = (epoch: string, offset: number): JsonObject => ({ epoch, offset, recovered: false })

/** All of what was missed, in order. */
export const recovered = (epoch: string, offset: number, missed: readonly StreamItem[]): JsonObject => ({
  epoch,
  offset,
  recovered: true,
  // The store wrote these payloads as JSON objects; parsed again only here, once for each client that comes back.
  missed: missed.map(({ event, payload }) => ({ event, payload: JSON.parse(payload) as Json })),
})
