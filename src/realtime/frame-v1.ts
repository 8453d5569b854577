/** Version 1 of the wire: objects with four keys, as older Phoenix clients still speak it. */
import { isJsonObject, type Json } from "../domain/json.ts"
import { type Incoming, isRef } from "./frame.ts"

/** All four keys must be there; `join_ref` may be. Null: malformed. */
export function decodeV1(raw: string): Incoming | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(raw)
  } catch {
    return null
  }
  if (!isJsonObject(parsed)) return null
  const { topic, event, payload, ref, join_ref: joinRef } = parsed
  if (typeof topic !== "string" || typeof event !== "string" || payload === undefined || ref === undefined) return null
  if (!isRef(ref) || !isRef(joinRef ?? null)) return null
  return { joinRef: joinRef ?? null, ref, topic, event, payload }
}

/** Keys in the order in which Phoenix writes them. */
export const encodeV1 = (topic: string, event: string, payload: Json, ref: Json): string =>
  JSON.stringify({ ref, event, payload, topic })
