/** Patterns of event types: `invoice.overdue` itself, `invoice.*` for one part, `**` for any number of parts. */

/** What is wrong with a pattern, or null. */
export function patternProblem(pattern: string): string | null {
  if (pattern.length > 200) return `a pattern of ${pattern.length} characters`
  for (const part of pattern.split(".")) {
    if (part === "") return "a pattern with an empty part"
    if (/[\s\p{Cc}]/u.test(part)) return "a pattern with white space"
    if (part.includes("*") && part !== "*" && part !== "**") return `"${part}": * stands for a whole part`
  }
  return null
}

/** True where the pattern can fit other types than the one it spells. */
export const isWildcard = (pattern: string): boolean => pattern.includes("*")

/** True where the type fits, case-sensitively. `**` fits no part, too: `order.**` is also `order`. */
export function eventTypeFits(pattern: string, type: string): boolean {
  return isWildcard(pattern) ? partsFit(pattern.split("."), type.split(".")) : pattern === type
}

/** Keeps the set of pattern positions that are reachable after each part, so that many `**` cost no more than one. */
function partsFit(pattern: readonly string[], parts: readonly string[]): boolean {
  let reachable = closure(pattern, new Set([0]))
  for (const part of parts) {
    const next = new Set<number>()
    for (const at of reachable) {
      const wanted = pattern[at]
      if (wanted === "**") next.add(at)
      else if (wanted === "*" || wanted === part) next.add(at + 1)
    }
    if (next.size === 0) return false
    reachable = closure(pattern, next)
  }
  return reachable.has(pattern.length)
}

/** Adds the positions behind every `**`, which may stand for nothing. */
function closure(pattern: readonly string[], positions: Set<number>): Set<number> {
  for (const at of positions) if (pattern[at] === "**") positions.add(at + 1)
  return positions
}
