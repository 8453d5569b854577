/** What reading a rule file's parts has in common. */
import { type ErrorList, oneOf, rightWord, shown } from "../rule-error.ts"
import type { Templates } from "../templates.ts"
import { describe, type Explanation, type Field, type Node, scalarOf, type YamlFile } from "./yaml-file.ts"

/** What the rules of all files share while they are read. */
export interface Reading {
  readonly templates: Templates
  readonly errors: ErrorList
  /** Where each name was first used. */
  readonly names: Map<string, string>
  /** Where each source, in each business, was first promised to speak. */
  readonly promises: Map<string, string>
  /** Names of the secrets that webhooks can be signed with. Left out: it is not known here which there are. */
  readonly webhookSecrets?: readonly string[]
}

/** What a field says, where there is one. */
export const optional = <T>(field: Field | undefined, read: (value: Node) => T): T | null =>
  field === undefined ? null : read(field.value)

/** One of a few words, else an error; null then. */
export function readWord<W extends string>(
  yaml: YamlFile,
  node: Node,
  {
    words,
    what,
    oldSpellings = {},
  }: {
    readonly words: readonly W[]
    /** How an error calls it: `channel`. */
    readonly what: string
    readonly oldSpellings?: Readonly<Record<string, string>>
  },
): W | null {
  const value = scalarOf(node)
  const known = words.find((word) => word === value)
  if (known !== undefined) return known
  const text = typeof value === "string" ? value : ""
  const suggestion = rightWord(text, words, oldSpellings)
  yaml.refuse(node, `unknown ${what} ${describe(node)}`, oneOf(words), suggestion)
  return null
}

/** A whole number within bounds; null where it is none. */
export function readWhole(yaml: YamlFile, node: Node, least: number, most: number): number | null {
  const value = scalarOf(node)
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value
  yaml.refuse(node, describe(node), `a whole number from ${least} to ${most}`)
  return null
}

/** A right word in the wrong place; null where it is not one of `words`. */
export const belongsUnder = (parent: string, name: string, words: object): Explanation | null =>
  Object.hasOwn(words, name)
    ? { problem: `${shown(name)} in the wrong place`, expected: `it under "${parent}:"`, suggestion: null }
    : null
