/**
 * One YAML text read through a closed schema: every look at a node that is not what it should be leaves an error with
 * its line and column, and reading goes on, so that all that is wrong with a file is found at once.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
  type YAMLMap,
} from "yaml"
import { type ErrorList, oneOf, rightWord, shown } from "./rule-error.ts"

export type { Node } from "yaml"

/** A key of a map with its value; a key without a value has a null scalar. */
export interface Field {
  readonly name: string
  readonly key: Node
  readonly value: Node
}

export interface Keys {
  /** How the map is called in an error: `an action`. */
  readonly of: string
  readonly known: readonly string[]
  readonly required?: readonly string[]
  /** Says better than "unknown key" what is wrong with this one; null: nothing to add. */
  readonly explain?: (name: string) => Explanation | null
  readonly oldSpellings?: Readonly<Record<string, string>>
}

export interface Explanation {
  readonly problem: string
  readonly expected: string | null
  readonly suggestion: string | null
}

export class YamlFile {
  readonly file: string
  readonly root: Node | null
  readonly #errors: ErrorList
  readonly #counter = new LineCounter()
  readonly #firstLine: number

  /** `firstLine`: the line of the file on which `text` begins. `root` is null where the text is no YAML. */
  constructor(file: string, text: string, errors: ErrorList, firstLine = 1) {
    this.file = file
    this.#errors = errors
    this.#firstLine = firstLine
    this.root = this.#parse(text)
  }

  #parse(text: string): Node | null {
    const before = this.#errors.count
    if (isAbsurdlyDeep(text)) {
      this.#refuseAt(0, "nested too deeply")
      return null
    }
    let contents: Node | null
    try {
      const document = parseDocument(text, { lineCounter: this.#counter, uniqueKeys: true, prettyErrors: false })
      for (const { message, pos } of [...document.errors, ...document.warnings]) {
        this.#refuseAt(pos[0], `no valid YAML: ${message.replace(/\s+/g, " ")}`)
      }
      contents = document.contents
      visit(document, {
        Alias: (_, alias) =>
          this.refuse(alias, `the alias *${alias.source}`, "the value itself: aliases are not taken"),
        Pair: (_, pair) => {
          if (!isScalar(pair.key) || typeof pair.key.value !== "string") {
            this.#refuseAt(rangeStart(pair.key), "a key that is no text", "a text")
          }
        },
      })
    } catch (error) {
      // The parser recurses: what ends its stack is the file's fault.
      if (!(error instanceof RangeError)) throw error
      this.#refuseAt(0, "nested too deeply")
      return null
    }
    if (this.#errors.count > before) return null
    if (contents === null) this.#refuseAt(0, "an empty file", "YAML")
    return contents
  }

  refuse(node: Node, problem: string, expected: string | null = null, suggestion: string | null = null): void {
    this.#refuseAt(rangeStart(node), problem, expected, suggestion)
  }

  #refuseAt(offset: number, problem: string, expected: string | null = null, suggestion: string | null = null): void {
    this.#errors.add({ file: this.file, ...this.#position(offset), problem, expected, suggestion })
  }

  position(node: Node): { readonly line: number; readonly column: number } {
    return this.#position(rangeStart(node))
  }

  /** `rules/invoicing.yaml:12:5` */
  at(node: Node): string {
    const { line, column } = this.position(node)
    return `${this.file}:${line}:${column}`
  }

  #position(offset: number): { readonly line: number; readonly column: number } {
    const { line, col } = this.#counter.linePos(offset)
    return { line: Math.max(1, line) - 1 + this.#firstLine, column: Math.max(1, col) }
  }

  /** The map's fields by name; null where it is no map. Unknown and missing keys are refused. */
  fields(node: Node, keys: Keys): ReadonlyMap<string, Field> | null {
    const found = this.entries(node, keys.of)
    if (found === null) return null
    const fields = new Map<string, Field>()
    for (const field of found) {
      if (keys.known.includes(field.name)) fields.set(field.name, field)
      else this.#unknownKey(field, keys)
    }
    for (const name of keys.required ?? []) {
      if (!fields.has(name)) this.refuse(node, `${keys.of} without "${name}"`, `"${name}:"`)
    }
    return fields
  }

  #unknownKey(field: Field, keys: Keys): void {
    const better = keys.explain?.(field.name) ?? {
      problem: `unknown key ${shown(field.name)} in ${keys.of}`,
      expected: oneOf(keys.known),
      suggestion: rightWord(field.name, keys.known, keys.oldSpellings),
    }
    this.refuse(field.key, better.problem, better.expected, better.suggestion)
  }

  /** All fields of a map, whatever they are called; null where it is no map. */
  entries(node: Node, what: string): readonly Field[] | null {
    if (!isMap(node)) {
      this.refuse(node, describe(node), `${what}: a map of keys and values`)
      return null
    }
    return pairsOf(node)
  }

  /** The items of a list; null where it is none, or empty. */
  items(node: Node, what: string, max: number): readonly Node[] | null {
    if (!isSeq(node)) {
      this.refuse(node, describe(node), what)
      return null
    }
    const items = node.items.filter(isAnyNode)
    if (items.length === 0) this.refuse(node, "an empty list", what)
    else if (items.length > max) this.refuse(node, `a list of ${items.length}`, `at most ${max} items`)
    else return items
    return null
  }

  /** A text of 1 to `max` characters; null where it is none. */
  text(node: Node, what: string, max: number): string | null {
    const value = scalarOf(node)
    if (typeof value !== "string" || value.trim() === "") this.refuse(node, describe(node), what)
    else if (value.length > max) this.refuse(node, `a text of ${value.length} characters`, `at most ${max}`)
    else return value
    return null
  }

  flag(node: Node): boolean | null {
    const value = scalarOf(node)
    if (typeof value === "boolean") return value
    this.refuse(node, describe(node), "true or false")
    return null
  }
}

const MAX_NESTING = 200

/** The parser's time grows with the square of the depth. Brackets within texts are counted too: rules have few. */
function isAbsurdlyDeep(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[{\]}]/g)) {
    depth = bracket === "[" || bracket === "{" ? depth + 1 : Math.max(0, depth - 1)
    if (depth > MAX_NESTING) return true
  }
  return new RegExp(`^\\s*(?:[-?] +){${MAX_NESTING}}`, "m").test(text)
}

const isAnyNode = (item: unknown): item is Node => isMap(item) || isSeq(item) || isScalar(item) || isAlias(item)

function pairsOf(map: YAMLMap): readonly Field[] {
  return map.items.flatMap(({ key, value }) => {
    if (!isScalar(key) || typeof key.value !== "string") return []
    return [{ name: key.value, key, value: isAnyNode(value) ? value : nothingAt(key) }]
  })
}

/** `{ a }` has a key and no value: a null that stands where the key does. */
function nothingAt(key: Scalar): Scalar {
  const nothing = new Scalar(null)
  if (key.range) nothing.range = key.range
  return nothing
}

/** The value of a scalar; undefined where the node is a map or a list. */
export const scalarOf = (node: Node): unknown => (isScalar(node) ? node.value : undefined)

/** What a node is, for "found …". */
export function describe(node: Node): string {
  if (isMap(node)) return "a map"
  if (isSeq(node)) return "a list"
  const value = scalarOf(node)
  return value === null || value === undefined ? "nothing" : shown(value)
}

const rangeStart = (node: unknown): number =>
  (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined) ?? 0
