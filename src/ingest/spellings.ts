/**
 * Three spellings of one event in plain JSON, as the producers of today write them (contract §5.1). A spelling is a
 * table of names; whatever is not in it is refused by its pointer, so that a typing error never loses a field.
 */

import type { JsonObject } from "../domain/json.ts"
import { nearest } from "../domain/nearest.ts"
import type { Draft, ReadDraft } from "./draft.ts"
import * as read from "./fields.ts"

interface Spelling {
  readonly name: string
  readonly type: string
  readonly source: string
  /** The first one that is given is the key. */
  readonly keys: readonly string[]
  readonly locations: readonly string[]
}

const CANONICAL: Spelling = {
  name: "canonical",
  type: "type",
  source: "source",
  keys: ["idempotency_key"],
  locations: ["location_id"],
}
const ERP: Spelling = {
  name: "ERP",
  type: "event_type",
  source: "source_module",
  keys: ["producer_idempotency_key"],
  locations: ["location_id", "branch_id"],
}
const TRADING: Spelling = {
  name: "trading",
  type: "type",
  source: "producer",
  keys: ["dedupe_key", "event_id"],
  locations: ["location_id"],
}
const SPELLINGS = [CANONICAL, ERP, TRADING] as const
const SHARED = ["severity", "occurred_at", "business_id", "correlation_id", "payload"] as const

const namesOf = (spelling: Spelling): readonly string[] => [
  spelling.type,
  spelling.source,
  ...spelling.keys,
  ...spelling.locations,
  ...SHARED,
]
const NAMES: ReadonlyMap<Spelling, ReadonlySet<string>> = new Map(SPELLINGS.map((s) => [s, new Set(namesOf(s))]))

/** Required fields weigh most, then whichever has more of its own names; the canonical one where nothing speaks for another. */
function spellingOf(object: JsonObject): Spelling {
  let best: Spelling = CANONICAL
  let most = -1
  for (const spelling of SPELLINGS) {
    const required = [spelling.type, spelling.source].filter((name) => Object.hasOwn(object, name)).length
    const own = namesOf(spelling).filter((name) => Object.hasOwn(object, name)).length
    const weight = required * 100 + own
    if (weight > most) {
      best = spelling
      most = weight
    }
  }
  return best
}

/** Reads an event in the spelling that its required fields name. */
export function readSpelled(object: JsonObject): ReadDraft {
  const spelling = Object.hasOwn(object, "type") && Object.hasOwn(object, "source") ? CANONICAL : spellingOf(object)
  const fields: read.Fields = { object, errors: [] }
  const known = NAMES.get(spelling)
  for (const name of Object.keys(object))
    if (known?.has(name) !== true) read.wrong(fields, name, `unknown field${hint(name, spelling)}`)

  const keys = spelling.keys.map((name) => ({ name, value: read.optionalKey(fields, name) }))
  const key = keys.find(({ value }) => value !== null)
  const locations = spelling.locations
    .map((name) => ({ name, value: read.location(fields, name) }))
    .filter(({ value }) => value !== null)
  if (locations.length > 1 && locations[0]?.value !== locations[1]?.value)
    read.wrong(fields, locations[1]?.name ?? "", `differs from ${locations[0]?.name}`)

  const draft: Draft = {
    type: read.requiredName(fields, spelling.type),
    source: read.sourceName(fields, spelling.source),
    severity: read.severity(fields, "severity"),
    business: read.business(fields, "business_id"),
    location: locations[0]?.value ?? null,
    occurredAt: read.time(fields, "occurred_at"),
    idempotencyKey: key?.value ?? null,
    correlationId: read.optionalKey(fields, "correlation_id"),
    payload: read.payload(fields, "payload"),
    extensions: {},
    pushed: false,
    pointers: {
      business: "/business_id",
      location: `/${locations[0]?.name ?? "location_id"}`,
      key: `/${key?.name ?? spelling.keys[0] ?? ""}`,
    },
  }
  return fields.errors.length > 0 ? { errors: fields.errors } : { draft }
}

/** What the writer of an unknown name probably meant: the same thing in this spelling, or a name one slip away. */
function hint(name: string, spelling: Spelling): string {
  for (const other of SPELLINGS) {
    if (other === spelling) continue
    const here =
      other.type === name
        ? spelling.type
        : other.source === name
          ? spelling.source
          : other.keys.includes(name)
            ? spelling.keys[0]
            : other.locations.includes(name)
              ? spelling.locations[0]
              : undefined
    if (here !== undefined && here !== name)
      return `: it belongs to the ${other.name} spelling; in the ${spelling.name} spelling it is \`${here}\``
  }
  const near = nearest(name, namesOf(spelling))
  return near === null ? "" : `; did you mean \`${near}\`?`
}
