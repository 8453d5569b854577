/**
 * What is wrong with a rule or a template, in the form that lets its author mend it without asking: where, what was
 * found, what was expected, and the nearest right word.
 */
import { nearest } from "../domain/nearest.ts"

/** `file` is relative: `rules/…` or `templates/…`. Lines and columns count from 1. */
export interface RuleError {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly problem: string
  readonly expected: string | null
  readonly suggestion: string | null
}

/** `rules/a.yaml:3:5 unknown key "chanels", expected one of …; did you mean "channels"?` */
export function explainRuleError({ file, line, column, problem, expected, suggestion }: RuleError): string {
  const wanted = expected === null ? "" : `, expected ${expected}`
  const nearer = suggestion === null ? "" : `; did you mean "${suggestion}"?`
  return `${file}:${line}:${column} ${problem}${wanted}${nearer}`
}

/** Takes errors from all files; a bound keeps a file of nothing but errors from filling the memory. */
export class ErrorList {
  readonly #errors: RuleError[] = []

  add(error: RuleError): void {
    if (this.#errors.length < MAX_ERRORS) this.#errors.push(error)
  }

  get count(): number {
    return this.#errors.length
  }

  /** By file, line and column. */
  sorted(): readonly RuleError[] {
    return inOrder(this.#errors)
  }
}

/** By file, line and column. */
export const inOrder = (errors: readonly RuleError[]): readonly RuleError[] =>
  errors.toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column)

const MAX_ERRORS = 1_000

/** `one of a, b, c` */
export const oneOf = (words: readonly string[]): string =>
  words.length === 1 ? `${words[0]}` : `one of ${words.join(", ")}`

/** The right word for a wrong one: an old spelling's successor, else the nearest by edits; null: none is near. */
export function rightWord(
  wrong: string,
  words: readonly string[],
  oldSpellings: Readonly<Record<string, string>> = {},
): string | null {
  const successor = Object.hasOwn(oldSpellings, wrong) ? oldSpellings[wrong] : undefined
  return successor ?? nearest(wrong, words)
}

/** A piece of somebody's file inside an error: one line, 60 characters at most. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
