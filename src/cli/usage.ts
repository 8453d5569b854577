/** What the command line says of itself, within the width of a terminal: a line or two for each command, or one whole. */
import type { Command } from "./command.ts"

const WIDTH = 80
const INDENT = "    "

/** Every command with what it does; how each is called, its own help says. */
export function overview(commands: readonly Command[]): string {
  const indent = Math.max(...commands.map(({ name }) => name.length)) + "  hub   ".length
  const rows = commands.map(({ name, summary }) => {
    const [first = "", ...more] = wrapped(summary.split(" "), WIDTH - indent)
    return [`  hub ${name}`.padEnd(indent) + first, ...more.map((line) => " ".repeat(indent) + line)].join("\n")
  })
  return [
    "usage: hub <command> [options]",
    "",
    ...rows,
    "",
    "hub <command> --help says how one of them is called.",
  ].join("\n")
}

/** How one command is called, and what it does. */
export function helpOf({ name, usage, summary }: Command): string {
  const called = wrapped(words(`usage: hub ${name} ${usage}`), WIDTH - INDENT.length)
  return [called.join(`\n${INDENT}`), ...wrapped(summary.split(" "), WIDTH)].join("\n")
}

/** Words, of which `[--business b1[:l1+l2],b2 | *]` is one: no line breaks within an option. */
function words(text: string): readonly string[] {
  const found: string[] = []
  let depth = 0
  for (const word of text.split(" ")) {
    if (depth === 0 && found.at(-1) !== ">") found.push(word)
    else found[found.length - 1] += ` ${word}`
    for (const letter of word) depth += "[<".includes(letter) ? 1 : "]>".includes(letter) ? -1 : 0
    // The `>` of `> events.ndjson` closes nothing.
    depth = Math.max(depth, 0)
  }
  return found
}

function wrapped(parts: readonly string[], width: number): readonly string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + part.length <= width) lines[lines.length - 1] = `${last} ${part}`
    else lines.push(part)
  }
  return lines
}
