/**
 * Recorded events in a file, for whoever has no way to the database: lines of JSON, `{"event": {…}}` as the API shows an
 * event and `{"recipient": {…}}` as it takes a recipient, with `lists` (by business) and `preferences`.
 */
import { readFile } from "node:fs/promises"
import { type HubEvent, isSeverity } from "../domain/event.ts"
import {
  asBusinessId,
  asEventId,
  asListName,
  asLocationId,
  asRecipientId,
  type BusinessId,
  type EventId,
} from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { Principal } from "../domain/principal.ts"
import { parseTime } from "../domain/rfc3339.ts"
import { readPreferences } from "../http/preferences-body.ts"
import { readRecipient } from "../http/recipient-body.ts"
import type { MemoryPerson } from "../routing/world/memory-audience.ts"
import type { Recorded } from "../store/replay.ts"
import { Misuse } from "./command.ts"

export interface RecordedFile {
  readonly people: readonly MemoryPerson[]
  /** In the order of acceptance, then of ids; each once. */
  readonly events: readonly Recorded[]
}

const MAX_BYTES = 512 * 1024 * 1024

/** Reads all of it. Throws Misuse with the line of what cannot be read. */
export async function readRecordedFile(path: string): Promise<RecordedFile> {
  const text = await textOf(path)
  const people = new Map<string, MemoryPerson>()
  const events = new Map<EventId, Recorded>()
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const wrong = (problem: string): never => {
      throw new Misuse(`${path}:${i + 1} ${problem}`)
    }
    const entry = parsed(line) ?? wrong("is no JSON object")
    const { event, recipient } = entry
    if (event !== undefined) {
      const read = readEvent(event)
      if (typeof read === "string") wrong(read)
      else events.set("event" in read ? read.event.id : read.id, read)
    } else if (recipient !== undefined) {
      const read = readPerson(recipient)
      if (typeof read === "string") wrong(read)
      else people.set(read.recipient.id, read)
    } else wrong('has neither "event" nor "recipient"')
  }
  const ordered = [...events.values()].sort((a, b) => acceptedAt(a) - acceptedAt(b) || (idOf(a) < idOf(b) ? -1 : 1))
  return {
    people: [...people.values()].sort((a, b) => (a.recipient.id < b.recipient.id ? -1 : 1)),
    events: ordered,
  }
}

const acceptedAt = (one: Recorded): number => ("event" in one ? one.event.acceptedAt : one.acceptedAt)
const idOf = (one: Recorded): EventId => ("event" in one ? one.event.id : one.id)

async function textOf(path: string): Promise<string> {
  try {
    const bytes = await readFile(path)
    if (bytes.length > MAX_BYTES) throw new Misuse(`${path}: ${bytes.length} bytes, expected at most ${MAX_BYTES}`)
    return bytes.toString("utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error) throw new Misuse(`${path} cannot be read (${error.code})`)
    throw error
  }
}

function parsed(line: string): JsonObject | null {
  try {
    const value = JSON.parse(line) as Json // what JSON.parse makes of a text
    return isJsonObject(value) ? value : null
  } catch {
    // No JSON: the caller says where.
    return null
  }
}

/** The event; or what is wrong with it. */
function readEvent(value: Json): Recorded | string {
  if (!isJsonObject(value)) return "event: expected an object"
  const { id, type, source, severity, business_id, location_id, payload } = value
  const eventId = typeof id === "string" ? asEventId(id) : null
  if (eventId === null) return "event.id: expected evt_…"
  const accepted = timeOf(value["accepted_at"])
  if (accepted === null) return "event.accepted_at: expected an RFC 3339 time"
  if (!isJsonObject(payload)) return { id: eventId, acceptedAt: accepted, problem: "unreadable" }
  const business = asBusinessId(business_id)
  if (business === null) return "event.business_id: expected [A-Za-z0-9_.-]{1,64}"
  if (typeof type !== "string" || typeof source !== "string") return "event.type, event.source: expected texts"
  if (!isSeverity(severity)) return "event.severity: expected a severity such as info"
  const { correlation_id, idempotency_key, extensions } = value
  const event: HubEvent = {
    id: eventId,
    type,
    source,
    severity,
    business,
    location: location_id === null || location_id === undefined ? null : asLocationId(location_id),
    occurredAt: timeOf(value["occurred_at"]) ?? accepted,
    acceptedAt: accepted,
    idempotencyKey: typeof idempotency_key === "string" ? idempotency_key : null,
    correlationId: typeof correlation_id === "string" ? correlation_id : null,
    payload,
    extensions: isJsonObject(extensions) ? extensions : {},
  }
  return { event }
}

const timeOf = (value: Json | undefined): number | null => (typeof value === "string" ? parseTime(value) : null)

const EVERYBODY: Principal = {
  kind: "anonymous",
  label: "file",
  recipient: null,
  service: true,
  admin: true,
  tenancy: "*",
  expiresAt: null,
}

/** The person; or what is wrong with them. */
function readPerson(value: Json): MemoryPerson | string {
  if (!isJsonObject(value)) return "recipient: expected an object"
  const { id, lists, preferences, ...profile } = value
  const recipientId = asRecipientId(id)
  if (recipientId === null) return "recipient.id: expected [A-Za-z0-9_.@|+-]{1,128}"
  const read = readRecipient(profile, recipientId, EVERYBODY, "/recipient")
  if ("errors" in read) return read.errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join("; ")
  const wishes =
    preferences === undefined || preferences === null ? null : readPreferences(preferences, read.recipient.timezone)
  if (wishes !== null && "errors" in wishes) {
    return wishes.errors.map(({ pointer, detail }) => `/recipient/preferences${pointer}: ${detail}`).join("; ")
  }
  const listsOf = readLists(lists)
  if (listsOf === null) return 'recipient.lists: expected lists by business, such as {"b1": ["vip"]}'
  return { recipient: read.recipient, preferences: wishes?.preferences ?? null, lists: [], listsOf }
}

function readLists(value: Json | undefined): ReadonlyMap<BusinessId, readonly string[]> | null {
  const listsOf = new Map<BusinessId, readonly string[]>()
  if (value === undefined || value === null) return listsOf
  if (!isJsonObject(value)) return null
  for (const [name, lists] of Object.entries(value)) {
    const business = asBusinessId(name)
    if (business === null || !Array.isArray(lists)) return null
    const names = lists.map(asListName)
    if (names.includes(null)) return null
    listsOf.set(
      business,
      names.filter((each) => each !== null),
    )
  }
  return listsOf
}
