/**
 * From an authentic message of Zoho to an event. The record is taken as it is, every field of it optional: a receiver
 * that was strict answered 422 to every real call. Only what it is (entity, operation) must be known.
 */
import type { BusinessId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { checkJson, type FieldError, SIGNED_KEYS } from "../domain/json-limits.ts"
import { parseTime } from "../domain/rfc3339.ts"
import { sha256 } from "./content-hash.ts"
import type { ReadDraft } from "./draft.ts"
import { signedParameters, type ZohoMessage } from "./zoho-signature.ts"
import { aliasOf, ENTITIES, type Entity, isKnownOperation, operationOf } from "./zoho-words.ts"

export interface ZohoInput {
  readonly business: BusinessId
  readonly message: ZohoMessage
  /** What `jsonIn` holds; null where it is null. */
  readonly body: Json
}

/** The JSON of a message, not yet parsed: its body, or the field of a form that holds one. Null: it has none. */
export function jsonIn({ parameters, raw }: ZohoMessage): Uint8Array | null {
  if (raw.byteLength > 0) return raw
  const field = parameters.find(([name]) => name === CONTAINER)
  return field === undefined ? null : Buffer.from(field[1])
}

const MODIFIED = ["last_modified_time", "modified_time", "updated_time", "last_modified_at", "updated_at"] as const
const CREATED = ["created_time", "created_at"] as const

/** Reads the event; `errors` point to `?entity` and `?op` for parameters. */
export function readZoho({ business, message, body }: ZohoInput): ReadDraft {
  const told = toldBy(message)
  if ("errors" in told) return told
  const found = recordIn(told, body)
  if ("errors" in found) return found
  const { entity, record } = found
  const modified = textOf(record, MODIFIED)
  return {
    draft: {
      type: `${entity}.${told.operation}`,
      source: "zoho",
      severity: "info",
      business,
      location: null,
      occurredAt: parseTime(modified ?? textOf(record, CREATED) ?? ""),
      idempotencyKey: keyOf(entity, textOf(record, ENTITIES[entity].ids), told.operation, modified, hashOf(message)),
      correlationId: null,
      payload: record,
      extensions: {},
      pushed: false,
      pointers: { business: "", location: "", key: "" },
    },
  }
}

/** What the parameters say. */
interface Told {
  readonly entity: Entity | null
  readonly operation: string
  /** The other parameters: a record that travels as a form or in the query. */
  readonly rest: JsonObject
}

function toldBy({ parameters }: ZohoMessage): Told | { readonly errors: readonly FieldError[] } {
  const errors: FieldError[] = []
  const wrong = (name: string, detail: string): null => {
    errors.push({ pointer: `?${name}`, detail })
    return null
  }
  const given = (name: string): string | null => {
    const [first, second] = parameters.filter(([other]) => other === name)
    if (second !== undefined) return wrong(name, "given twice")
    return first === undefined ? null : first[1]
  }
  const entityWord = given("entity")
  const operationWord = given("op")
  const entity = entityWord === null ? null : (aliasOf(entityWord) ?? wrong("entity", EXPECTED_ENTITY))
  const operation = operationWord === null ? "updated" : (operationOf(operationWord) ?? wrong("op", EXPECTED_OPERATION))
  const rest = Object.fromEntries(parameters.filter(([name]) => name !== "entity" && name !== "op"))
  // Zoho's signature does not say where a name ends: beside other parameters these two could be hidden in them.
  if (errors.length === 0 && Object.keys(rest).some((name) => name !== CONTAINER)) {
    if (entityWord === null) wrong("entity", "required beside other parameters")
    if (operationWord === null) wrong("op", "required beside other parameters")
    else if (!isKnownOperation(operationWord)) wrong("op", "expected one of the usual words beside other parameters")
  }
  return errors.length > 0 || operation === null ? { errors } : { entity, operation, rest }
}

/** The form field in which Zoho sends JSON. */
const CONTAINER = "JSONString"
const EXPECTED_ENTITY = `expected one of ${Object.keys(ENTITIES).join(", ")}, or Zoho's name for it`
const EXPECTED_OPERATION = "expected a word such as created, updated or deleted"

type Found = { readonly entity: Entity; readonly record: JsonObject }

function recordIn(told: Told, body: Json): Found | { readonly errors: readonly FieldError[] } {
  const outer = body ?? told.rest
  if (!isJsonObject(outer)) return { errors: [{ pointer: "", detail: "expected an object" }] }
  const unfit = checkJson(outer, SIGNED_KEYS)
  if (unfit.length > 0) return { errors: unfit }
  const wrapper = wrapperIn(outer, told.entity)
  const entity = told.entity ?? wrapper?.entity
  if (entity === undefined) return { errors: [{ pointer: "?entity", detail: `required; ${EXPECTED_ENTITY}` }] }
  return { entity, record: wrapper?.record ?? outer }
}

/** The record under a key that names an entity: the one that was told, or the only one. */
function wrapperIn(outer: JsonObject, told: Entity | null): Found | null {
  // A record names others by their ids and may hold them: an invoice has its customer.
  if (Object.keys(outer).some((name) => RECORD_IDS.has(name))) return null
  const wrappers = Object.entries(outer).flatMap(([name, record]): Found[] => {
    const entity = aliasOf(name)
    return entity !== null && isJsonObject(record) ? [{ entity, record }] : []
  })
  const [first, second] = wrappers
  if (told === null) return second === undefined ? (first ?? null) : null
  return wrappers.find(({ entity }) => entity === told) ?? (Object.keys(outer).length === 1 ? (first ?? null) : null)
}

const RECORD_IDS: ReadonlySet<string> = new Set(
  Object.values(ENTITIES).flatMap(({ ids }) => ids.filter((name) => name !== "id")),
)

/** The first of these fields that has a text or a whole number. */
function textOf(record: JsonObject, names: readonly string[]): string | null {
  for (const name of names) {
    const value = Object.hasOwn(record, name) ? record[name] : null
    if (typeof value === "string" && value !== "") return value
    if (Number.isSafeInteger(value)) return String(value)
  }
  return null
}

const hashOf = ({ parameters, raw }: ZohoMessage): string =>
  raw.byteLength > 0
    ? new Bun.CryptoHasher("sha256").update(raw).digest("hex")
    : sha256(signedParameters(parameters)).toString("hex")

/** Ids and times that fit into a key as they are; of others the hash says enough, as it does of these. */
const READABLE = /^[\w.:+@-]{1,48}$/

/** The body's hash makes it a version: without it every second update of a record would be taken for a repeat. */
function keyOf(entity: Entity, id: string | null, operation: string, modified: string | null, hash: string): string {
  const readable = (text: string | null): string => (text !== null && READABLE.test(text) ? text : "")
  return [entity, readable(id), operation, readable(modified), hash].join("/")
}
