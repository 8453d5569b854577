/**
 * Eta with its sharp edges guarded: a value that is missing is an error instead of the word "undefined", a template can
 * only include what was loaded with it, and what cannot compile says in which line. Templates are programs of the
 * repository, never of a tenant.
 */

import { Eta, type EtaConfig, type TemplateFunction } from "eta/core"
import { endingWithin, NoEnd } from "./ending-within.ts"
import { cutText } from "./escape.ts"

export type { TemplateFunction } from "eta/core"

/** A value in a template that is not there, or that no person could read. */
export class MissingValue extends Error {
  override readonly name = "MissingValue"
}

/** More was printed than a message may hold: of long values, or by a loop that has no end. */
export class TooLong extends Error {
  override readonly name = "TooLong"
}

/** Errors of ours, which name expressions and numbers and never a value. */
export const quotesNothing = (error: Error): boolean =>
  error instanceof MissingValue || error instanceof TooLong || error instanceof NoEnd

export interface RunLimits {
  /** Characters that the tags of one run may print in all. */
  readonly output: number
  /** What a value is longer than is cut. */
  readonly value: number
}

const UNLIMITED: RunLimits = { output: Number.POSITIVE_INFINITY, value: Number.POSITIVE_INFINITY }

/** Hundreds of times what a long one takes. */
const MOST_MS = 250
/** So that all of them, each begun twice, stay below what the loop's watchdog allows for one turn. */
const MOST_STOPPED = 3
/** How often a template was stopped since it was loaded. */
const endless = new WeakMap<TemplateFunction, number>()

/** Hands on what a tag prints. `source` is the tag's own expression (see `withSource`). */
function printable(value: unknown, source?: string): string {
  switch (typeof value) {
    case "string":
      return value
    case "number":
      if (Number.isNaN(value)) break
      return String(value)
    case "boolean":
    case "bigint":
      return String(value)
    case "object":
      if (Array.isArray(value)) return value.map((item) => printable(item, source)).join(", ")
      break
    case "undefined":
    case "function":
    case "symbol":
      break
  }
  const expression = source?.trim() ?? "a value"
  throw new MissingValue(
    value === undefined || value === null ? `${expression} is missing` : `${expression} is no text`,
  )
}

type AstObject = string | { t: string; val: string; lineNo?: number }

/** Passes each tag's own text beside its value, so that an error can name it. */
const withSource: NonNullable<EtaConfig["plugins"]>[number] = {
  processAST(ast: AstObject[]) {
    for (const tag of ast) {
      if (typeof tag !== "string" && tag.t !== "e") tag.val = `${tag.val}\n, ${JSON.stringify(tag.val)}`
    }
    return ast
  },
}

/** A line that holds nothing but code leaves no empty line behind; a value at the end of a line keeps its line break. */
const codeLines: NonNullable<EtaConfig["plugins"]>[number] = {
  processTemplate: (text: string) =>
    text.replace(/^[ \t]*(<%(?![-_]?\s*[=~])(?:(?!%>)[\s\S])*?)[-_]?%>[ \t]*(?=\r?\n)/gm, "$1-%>"),
}

/** A link's first value, where it begins the link, is the address; all others are parts of it. */
const addressFirst: NonNullable<EtaConfig["plugins"]>[number] = {
  processAST(ast: AstObject[]) {
    const [first] = ast
    if (first !== undefined && typeof first !== "string" && first.t === "i") first.t = "r"
    return ast
  },
}

export class TemplateEngine extends Eta {
  /** Of the run that is under way: templates are run to their end at once. */
  #limits = UNLIMITED
  #printed = 0

  /** `escapeValue` is how values are written; `link`: for Eta strings that are links. */
  constructor(escapeValue: (text: string) => string, link = false) {
    super({
      autoEscape: true,
      autoFilter: true,
      autoTrim: false,
      escapeFunction: (value) => escapeValue(String(value)),
      filterFunction: (value: unknown, source?: string) => this.#print(value, source),
      // Without it Eta asks readFile for every include, although it was defined.
      cache: true,
      plugins: link ? [addressFirst, withSource] : [codeLines, withSource],
    })
    this.resolvePath = (path, options) => resolveInclude(path, options?.filepath ?? "/")
    // Everything was loaded before: what is asked for here and not found does not exist.
    this.readFile = (path) => {
      throw new MissingValue(`there is no template ${path}`)
    }
  }

  /** Makes a compiled template known to `include` and `layout` by its path (`/_layouts/email.eta`). */
  define(path: string, compiled: TemplateFunction): void {
    this.templatesSync.define(path, compiled)
  }

  /** Runs a compiled template. Throws MissingValue, TooLong, NoEnd and whatever the template's own code throws. */
  run(compiled: TemplateFunction, path: string, data: object, limits: RunLimits = UNLIMITED): string {
    const stopped = endless.get(compiled) ?? 0
    // Each stands still for everybody: what has no end so often is not begun any more, until it is loaded anew.
    if (stopped >= MOST_STOPPED) throw new NoEnd(`did not end ${stopped} times`)
    this.#limits = limits
    this.#printed = 0
    try {
      const print = (): string => compiled.call(this, data, { filepath: path })
      return straight.has(compiled) ? print() : endingWithin(MOST_MS, print)
    } catch (error) {
      if (error instanceof NoEnd) endless.set(compiled, stopped + 1)
      throw error
    }
  }

  #print(value: unknown, source?: string): string {
    const text = cutText(printable(value, source), this.#limits.value)
    this.#printed += text.length + 1
    if (this.#printed > this.#limits.output) throw new TooLong(`more than ${this.#limits.output} characters`)
    return text
  }
}

/** `/x` is meant from the templates folder, anything else from the including file's folder; `.eta` may be left out. */
export function resolveInclude(path: string, from: string): string {
  const base = path.startsWith("/") ? [] : from.split("/").slice(0, -1)
  const parts: string[] = []
  for (const part of [...base, ...path.split("/")]) {
    if (part === "..") parts.pop()
    else if (part !== "" && part !== ".") parts.push(part)
  }
  const resolved = `/${parts.join("/")}`
  return resolved.endsWith(".eta") ? resolved : `${resolved}.eta`
}

const compiler = new TemplateEngine(String)
const linkCompiler = new TemplateEngine(encodeURIComponent, true)

/** Where in the text, and what. Lines and columns count from 1. */
export interface CompileError {
  readonly line: number
  readonly column: number
  readonly problem: string
}

export type Compiled = { readonly ok: TemplateFunction } | { readonly error: CompileError }

/** Of templates that only print: a watch over them would cost more than all they do. */
const straight = new WeakSet<TemplateFunction>()
/** A value of the event's, or words: names of properties, one below the other, none of which is called. */
const OPERAND = String.raw`(?:it(?:\??\.[A-Za-z_]\w*)+|"[^"\\]*"|'[^'\\]*'|\d+)`
const ONLY_PRINTS = new RegExp(String.raw`^\s*${OPERAND}(?:\s*\?\?\s*${OPERAND})*\s*$`)

/** Whether a text that compiles prints values and words alone: it runs no code that could go on without an end. */
export const onlyPrints = (text: string): boolean =>
  !text.includes("<%") || tagsOf(text).every(({ kind, code }) => kind !== "code" && ONLY_PRINTS.test(code))

/** Compiles a template for every engine: how values are escaped is asked at render. */
export function compileTemplate(text: string, link = false): Compiled {
  try {
    const compiled = (link ? linkCompiler : compiler).compile(text)
    if (onlyPrints(text)) straight.add(compiled)
    return { ok: compiled }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const message = error.message.split("\n").filter((line) => line !== "")
    const placed = /^(.*) at line (\d+) col (\d+):?$/.exec(message[0] ?? "")
    if (placed !== null)
      return { error: { line: Number(placed[2]), column: Number(placed[3]), problem: placed[1] ?? "" } }
    return { error: { ...brokenTag(text), problem: message[1] ?? message[0] ?? "bad template syntax" } }
  }
}

export interface Tag {
  readonly kind: "print" | "raw" | "code"
  readonly code: string
  /** Where `<%` stands in the text. */
  readonly at: number
}

const parser = new Eta({ autoTrim: false })

/** The tags of a text that compiled (or nearly did): as Eta splits it, with their places. */
export function tagsOf(text: string): readonly Tag[] {
  const tags: Tag[] = []
  let from = 0
  for (const piece of parser.parse(text)) {
    if (typeof piece === "string") continue
    const at = text.indexOf("<%", from)
    const end = text.indexOf(piece.val, at + 2)
    from = end + piece.val.length
    tags.push({ kind: piece.t === "i" ? "print" : piece.t === "r" ? "raw" : "code", code: piece.val, at })
  }
  return tags
}

export function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at).split("\n")
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

/** The tag that JavaScript refuses: a printed one can be tried alone, code may span tags, so its first one is named. */
function brokenTag(text: string): { readonly line: number; readonly column: number } {
  const tags = tagsOf(text)
  const broken =
    tags.find(({ kind, code }) => kind !== "code" && !isExpression(code)) ??
    tags.find(({ kind }) => kind === "code") ??
    tags[0]
  return placeOf(text, broken?.at ?? 0)
}

function isExpression(code: string): boolean {
  try {
    new Function("it", `return (${code}\n)`)
    return true
  } catch {
    return false
  }
}
