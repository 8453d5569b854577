/**
 * What the contract names and this version cannot do yet. A rule that asks for it is refused: a cooldown that is read
 * over in silence is a person told a hundred times. Whoever builds one of these deletes its entry here.
 */
import type { Explanation } from "./yaml-file.ts"

export const LATER = {
  file: ["sources"],
  action: [
    "cooldown",
    "throttle",
    "delay",
    "digest",
    "escalate",
    "until",
    "failover",
    "expires_in",
    "on_unknown",
    "update",
    "commercial",
    "mode",
    "inhibited_by",
  ],
  actionType: ["webhook", "broadcast"],
  audience: ["lists"],
  channel: ["voice", "push"],
  /** What templates see as `it.…`. */
  templateData: ["events", "links.preferences", "links.unsubscribe", "links.acknowledge"],
} as const satisfies Record<string, readonly string[]>

/** Says that a word is right and its time has not come; null where it is not such a word. */
export function notYet(where: keyof typeof LATER, word: string): Explanation | null {
  const words: readonly string[] = LATER[where]
  if (!words.includes(word)) return null
  return { problem: `"${word}" is not supported by this version yet`, expected: null, suggestion: null }
}
