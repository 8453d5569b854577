/**
 * One YAML text read through a closed schema: every look at a node that is not what it should be leaves an error with
 * its line and column, and reading goes on, so that all that is wrong with a file is found at once.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, Scalar, type YAMLMap } from "yaml"
import { type ErrorList, oneOf, rightWord, shown } from "../rule-error.ts"

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
    const absurd = absurdity(text)
    if (absurd !== null) {
      this.#refuseAt(0, absurd.problem, absurd.expected)
      return null
    }
    let contents: Node | null
    try {
      // The parser looks for a key's double among all before it, which takes seconds for a map of 50,000.
      const document = parseDocument(text, { lineCounter: this.#counter, uniqueKeys: false, prettyErrors: false })
      const tabs = document.errors.filter(({ code }) => code === "TAB_AS_INDENT")
      for (const { pos } of tabs) this.#refuseAt(pos[0], "a tab as indentation", "spaces")
      // What else the parser dislikes follows from the tabs, and stands before them.
      if (tabs.length > 0) return null
      for (const { message, pos } of [...document.errors, ...document.warnings]) {
        this.#refuseAt(pos[0], `no valid YAML: ${message.replace(/\s+/g, " ")}`)
      }
      const { version } = document.directives?.yaml ?? {}
      if (version !== undefined && version !== "1.2")
        this.#refuseAt(0, `YAML ${version}`, "YAML 1.2, which needs no %YAML")
      contents = document.contents
      this.#judge(contents)
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

  /** What means something else than it looks like, or is longer than it looks. */
  #judge(node: unknown): void {
    if (isAlias(node)) this.refuse(node, `the alias *${node.source}`, "the value itself: aliases are not taken")
    else if (isSeq(node)) for (const item of node.items) this.#judge(item)
    else if (isMap(node)) this.#judgeMap(node)
    else if (isScalar(node) && typeof node.value === "number" && !PLAIN_NUMBER.test(node.source ?? "")) {
      const expected = "digits, or a text in quotes"
      this.refuse(node, `the number ${shown(node.source)}, which is read as ${node.value}`, expected)
    }
  }

  #judgeMap(map: YAMLMap): void {
    const seen = new Set<string>()
    for (const { key, value } of map.items) {
      if (!isScalar(key) || typeof key.value !== "string") {
        this.#refuseAt(rangeStart(key), "a key that is no text", "a text")
      } else if (key.value === "__proto__") this.refuse(key, `the key "__proto__"`, "another name")
      else if (seen.has(key.value)) this.refuse(key, `the key ${shown(key.value)} a second time`, "it once")
      else seen.add(key.value)
      this.#judge(value)
    }
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
    const pairs = pairsOf(node)
    if (pairs.length <= MAX_KEYS) return pairs
    this.refuse(node, `a map of ${pairs.length} keys`, `at most ${MAX_KEYS}`)
    return null
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

/** The value of one key of a map, without judging the others; undefined where it is no map or has no such key. */
export const peek = (node: Node, name: string): Node | undefined =>
  isMap(node) ? pairsOf(node).find((field) => field.name === name)?.value : undefined

/** Of one map; each that is unknown costs a search for the nearest word. */
const MAX_KEYS = 200

/** Not `007`, `1e3`, `0x1f`, `.inf`. */
const PLAIN_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/

const MAX_NESTING = 100
const MAX_INDENT = 200
const MAX_LINES = 10_000
const MAX_MARKS = 30_000

/**
 * Why a text is not even parsed, or null. The parser takes seconds for what no person writes, in which nothing is sent:
 * its time grows with the square of the depth, and is tens of microseconds for each bracket too many. Brackets within
 * texts are counted too: rules have few.
 */
function absurdity(text: string): { readonly problem: string; readonly expected: string | null } | null {
  const deep = { problem: "nested too deeply", expected: null }
  let depth = 0
  let marks = 0
  let lines = 1
  for (const [mark] of text.matchAll(/[[\]{},:&*!?%\\]|\r\n?|\n/g)) {
    if (mark === "[" || mark === "{") depth += 1
    else if (mark === "]" || mark === "}") depth = Math.max(0, depth - 1)
    if (depth > MAX_NESTING) return deep
    if (mark.startsWith("\r") || mark === "\n") lines += 1
    else marks += 1
  }
  if (lines > MAX_LINES) return { problem: `${lines} lines`, expected: `at most ${MAX_LINES}: two files` }
  if (marks > MAX_MARKS)
    return { problem: `${marks} marks such as { or :`, expected: `at most ${MAX_MARKS}: two files` }
  const bullets = new RegExp(`^\\s*(?:[-?][ \\t]+){${MAX_NESTING}}|^[ \\t]{${MAX_INDENT}}`, "m")
  return bullets.test(text) ? deep : null
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

/** A text without quotes that is true or false in other YAML: whoever compares with `NO` may mean Norway, or false. */
export const isOtherwiseBoolean = (node: Node): boolean =>
  isScalar(node) && node.type === "PLAIN" && /^(?:y|yes|n|no|on|off)$/i.test(node.source ?? "")

export const UNQUOTED = "true or false, or the text in quotes"

/** What a node is, for "found …". */
export function describe(node: Node): string {
  if (isMap(node)) return "a map"
  if (isSeq(node)) return "a list"
  const value = scalarOf(node)
  return value === null || value === undefined ? "nothing" : shown(value)
}

const rangeStart = (node: unknown): number =>
  (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined) ?? 0
