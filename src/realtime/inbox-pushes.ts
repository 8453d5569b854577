/**
 * What a person may push on `notifications:{recipient}`: `ack`, `read` and `seen`, with the ids of own items. They do
 * what the same words do over HTTP, and the person's other screens hear of it in the same way.
 */
import { asNotificationId, type BusinessId, type NotificationId, type RecipientId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { confinedTo } from "../domain/principal.ts"
import { databaseProblem } from "../store/database.ts"
import type { Mark } from "../store/notifications.ts"
import type { Payload } from "./frame.ts"
import type { ClientPush, PushOutcome } from "./topic.ts"

/** Whose inbox, and which of its businesses the token names (null: all). */
export interface InboxOwner {
  readonly recipient: RecipientId
  readonly businesses: readonly BusinessId[] | null
}

/** Marks own items and tells every screen; gives those that there are, as they now are. */
export type MarkInbox = (
  owner: InboxOwner,
  ids: readonly NotificationId[],
  mark: Mark,
) => Promise<readonly JsonObject[]>

const MARKS: Readonly<Record<string, Mark>> = { ack: "acknowledge", read: "read", seen: "seen" }
/** In one push; a screen holds fewer. */
const MOST_IDS = 100

const refused = (reason: string): PushOutcome => ({ kind: "reply", status: "error", response: { reason } })

/** `unknown`: it is none of these events. */
export async function inboxPush(
  { event, payload, principal }: Pick<ClientPush, "event" | "payload" | "principal">,
  markInbox: MarkInbox,
): Promise<PushOutcome | "unknown"> {
  const mark = Object.hasOwn(MARKS, event) ? MARKS[event] : undefined
  if (mark === undefined) return "unknown"
  const given = idsIn(payload)
  const { recipient } = principal
  if (given === null) return refused("invalid_ids")
  // Nobody else has joined such a topic.
  if (recipient === null) return refused("unauthorized")
  const ids = given.flatMap((text) => asNotificationId(text) ?? [])
  try {
    const owner = { recipient, businesses: confinedTo(principal.tenancy) }
    const items = ids.length === 0 ? [] : await markInbox(owner, ids, mark)
    const found = new Set<unknown>(items.map(({ id }) => id))
    // Somebody else's, another business's, none at all: it is the same to whoever asks.
    if (found.size === 0) return refused("not_found")
    const missing = given.filter((id) => !found.has(id))
    return { kind: "reply", status: "ok", response: { notifications: items, not_found: missing } }
  } catch (error) {
    if (databaseProblem(error) === null) throw error
    return refused("unavailable")
  }
}

/** `{"ids": [...]}`, or one as `{"id": ...}` or, as over HTTP, `{"notification_id": ...}`. Null: none of these. */
function idsIn(payload: Payload): readonly string[] | null {
  if (payload instanceof Uint8Array || !isJsonObject(payload)) return null
  const { ids, id, notification_id } = payload
  const given: Json = ids ?? [id ?? notification_id ?? null]
  if (!Array.isArray(given) || given.length === 0 || given.length > MOST_IDS) return null
  const texts = given.filter((each): each is string => typeof each === "string" && each.length <= 64)
  return texts.length === given.length ? [...new Set(texts)] : null
}
