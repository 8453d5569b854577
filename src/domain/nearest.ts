/** Which of the right words a wrong one was probably meant to be. */

/** The nearest word by edits, or null when none is near (more than a third of the word wrong). */
export function nearest(wrong: string, words: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(2, Math.floor(wrong.length / 3)) + 1
  for (const word of words) {
    const edits = distance(wrong.toLowerCase(), word.toLowerCase(), least)
    if (edits < least) {
      least = edits
      best = word
    }
  }
  return best
}

/** Levenshtein's distance by rows; gives up with `bound` once it cannot be below it. */
function distance(left: string, right: string, bound: number): number {
  if (Math.abs(left.length - right.length) >= bound) return bound
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [i, from] of [...left].entries()) {
    const next = [i + 1]
    for (const [j, to] of [...right].entries()) {
      const replaced = (row[j] ?? bound) + (from === to ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? bound) + 1, (next[j] ?? bound) + 1))
    }
    row = next
  }
  return row[right.length] ?? bound
}
