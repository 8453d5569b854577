/**
 * What a client may say of itself (`{"presence": {…meta}}` at a join), and under which key it is shown. Everyone on the
 * topic is sent it and may merge it into objects of theirs, so it is small, shallow, and names nothing that would hurt.
 */
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { Principal } from "../domain/principal.ts"
import type { Payload } from "./frame.ts"

/** Encoded; with it a thousand people are a frame that any client takes. */
const MOST_META_BYTES = 1_024
const DEEPEST_META = 4
/** The hub's own words for which meta it is. */
const OWN_NAMES: readonly string[] = ["phx_ref", "phx_ref_prev"]

/** Null: the join asks for no presence. */
export function presenceFrom(payload: Payload): JsonObject | null | "invalid" {
  if (payload instanceof Uint8Array || !isJsonObject(payload)) return null
  const { presence } = payload
  return presence === undefined || presence === null ? null : metaFrom(presence)
}

/** A meta as a client gave it: an object of at most 1 KiB, four levels deep. */
export function metaFrom(given: Payload): JsonObject | "invalid" {
  if (given instanceof Uint8Array || !isJsonObject(given) || !isHarmless(given, DEEPEST_META)) return "invalid"
  if (OWN_NAMES.some((name) => Object.hasOwn(given, name))) return "invalid"
  return Buffer.byteLength(JSON.stringify(given)) > MOST_META_BYTES ? "invalid" : given
}

function isHarmless(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true
  if (levels === 0 || Object.hasOwn(value, "__proto__")) return false
  return Object.values(value).every((inner: Json) => isHarmless(inner, levels - 1))
}

/**
 * A person's id; whoever is none has a key for each join, `id`. Ids that every JavaScript object knows already crash
 * older clients (CVE-2026-56812): they get a `~`, which is in no id.
 */
export function presenceKey({ kind, recipient }: Pick<Principal, "kind" | "recipient">, id: string): string {
  if (recipient === null) return `${kind === "key" ? "service" : kind}:${id}`
  return recipient in {} ? `~${recipient}` : recipient
}
