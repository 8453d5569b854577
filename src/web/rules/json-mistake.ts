/** Where a text stops being JSON, in words that are the same in every browser. */

/** Null where it is JSON. */
export function jsonMistake(text: string): string | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    const at = placeOf(text, error instanceof Error ? error.message : "")
    return at === null ? "This is no JSON." : `This is no JSON: look at line ${at.line}, column ${at.column}.`
  }
}

/** Browsers say `position 12` or `line 1 column 13`, or that the text ends too early. */
function placeOf(text: string, message: string): { readonly line: number; readonly column: number } | null {
  const [, line, column] = /line (\d+) column (\d+)/.exec(message) ?? []
  if (line !== undefined && column !== undefined) return { line: Number(line), column: Number(column) }
  const position = /position (\d+)/.exec(message)?.[1]
  const end = /end of (JSON|data|file)|EOF/i.test(message)
  if (position === undefined && !end) return null
  const before = text.slice(0, position === undefined ? text.length : Number(position)).split("\n")
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 }
}
