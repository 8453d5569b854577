/** One action of a rule. Its type says which keys it may have. */

import { oneOf, shown } from "../rule-error.ts"
import type { LoadedAction } from "../rule-set.ts"
import { AUDIENCE, BROADCAST, keysOf, MODES, NOTIFY, type Vocabulary, WEBHOOK } from "./language.ts"
import { readInhibition } from "./read-limits.ts"
import { readNotify } from "./read-notify.ts"
import { readBroadcast, readWebhook } from "./read-systems.ts"
import { belongsUnder, optional, type Reading, readWord } from "./reading.ts"
import { type Explanation, type Field, type Node, peek, type YamlFile } from "./yaml-file.ts"

const KINDS = { notify: NOTIFY, webhook: WEBHOOK, broadcast: BROADCAST } as const satisfies Record<
  LoadedAction["type"],
  Vocabulary
>
const TYPES = ["notify", "webhook", "broadcast"] as const satisfies readonly LoadedAction["type"][]

/** The keys of all actions: whoever writes one of them outside of an action is told where it belongs. */
export const ACTION_KEYS = { ...NOTIFY.keys, ...WEBHOOK.keys, ...BROADCAST.keys }

/** Null where it is no action; what is wrong with one is in `reading.errors`. */
export function readAction(yaml: YamlFile, reading: Reading, node: Node): LoadedAction | null {
  const type = typeOf(yaml, node)
  const kind = KINDS[type ?? "notify"]
  const fields = yaml.fields(
    node,
    keysOf(
      kind,
      (name) => (type === "notify" ? belongsUnder("to", name, AUDIENCE.keys) : null) ?? ofAnother(kind, name),
    ),
  )
  if (fields === null) return null
  const common = {
    mode: optional(fields.get("mode"), (value) => readWord(yaml, value, { words: MODES, what: "mode" })) ?? "live",
    inhibitedBy: optional(fields.get("inhibited_by"), (value) => readInhibition(yaml, value)),
  } as const
  const read = readKind(yaml, reading, fields, type ?? "notify")
  return read === null ? null : { ...read, ...common }
}

function readKind(yaml: YamlFile, reading: Reading, fields: ReadonlyMap<string, Field>, type: LoadedAction["type"]) {
  switch (type) {
    case "notify":
      return readNotify(yaml, reading, fields)
    case "webhook":
      return readWebhook(yaml, reading, fields)
    case "broadcast":
      return readBroadcast(yaml, reading, fields)
  }
}

/** Null where it is refused: the rest is then read as if it told people, which most do. */
function typeOf(yaml: YamlFile, node: Node): LoadedAction["type"] | null {
  const type = peek(node, "type")
  return type === undefined ? "notify" : readWord(yaml, type, { words: TYPES, what: "action type" })
}

/** A key of another kind of action. */
function ofAnother({ of, keys, oldSpellings = {} }: Vocabulary, name: string): Explanation | null {
  const kind = Object.hasOwn(oldSpellings, name)
    ? undefined
    : TYPES.find((type) => Object.hasOwn(KINDS[type].keys, name))
  if (kind === undefined) return null
  return {
    problem: `${shown(name)}, which is for "type: ${kind}", in ${of}`,
    expected: oneOf(Object.keys(keys)),
    suggestion: null,
  }
}
