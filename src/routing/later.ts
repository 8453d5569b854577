/**
 * What the contract names and this version cannot do yet. A template that asks for it is refused, rather than read over
 * in silence. Whoever builds one of these deletes its entry here.
 */
import type { Explanation } from "./language/yaml-file.ts"

export const LATER = {
  /** What templates see as `it.…`. */
  templateData: ["links.preferences", "links.unsubscribe", "links.acknowledge"],
} as const satisfies Record<string, readonly string[]>

/** Says that a word is right and its time has not come; null where it is not such a word. */
export function notYet(where: keyof typeof LATER, word: string): Explanation | null {
  const words: readonly string[] = LATER[where]
  if (!words.includes(word)) return null
  return { problem: `"${word}" is not supported by this version yet`, expected: null, suggestion: null }
}
