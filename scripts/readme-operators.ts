/**
 * Writes the tables of operators in src/routing/README.md from those that the loader reads: `bun scripts/readme-operators.ts`.
 * A test compares, so that an operator cannot be added in silence.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { OPERATORS } from "../src/routing/conditions/operators.ts"
import { STANDARD } from "../src/routing/conditions/standard-operators.ts"

const README = join(import.meta.dirname, "../src/routing/README.md")
const [BEGIN, END] = ["<!-- operators -->", "<!-- /operators -->"]

const cell = (text: string): string => text.replaceAll("|", "\\|")
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`
const counts = ([least, most]: readonly [number, number]): string =>
  least === most ? `${least}` : most >= 100 ? `${least} or more` : `${least} to ${most}`

/** The tables as Markdown. */
export function operatorsMarkdown(): string {
  const own = OPERATORS.map(({ name, doc, arity, example: { logic, gives } }) =>
    row(`\`${name}\``, counts(arity), doc, `\`${JSON.stringify(logic)}\``, `\`${JSON.stringify(gives)}\``),
  )
  const standard = Object.entries(STANDARD).map(([name, { doc, arity }]) => row(`\`${name}\``, counts(arity), doc))
  return [
    "Beyond JSONLogic's own, with what each gives for the example event of `conditions.test.ts`:",
    "",
    "| operator | arguments | does | example | gives |",
    "| --- | --- | --- | --- | --- |",
    ...own,
    "",
    "JSONLogic's own:",
    "",
    "| operator | arguments | does |",
    "| --- | --- | --- |",
    ...standard,
  ].join("\n")
}

/** The page with the tables in their place. */
export function withOperators(readme: string): string {
  const from = readme.indexOf(BEGIN)
  const to = readme.indexOf(END)
  if (from === -1 || to === -1) throw new Error("src/routing/README.md has no place for the operators")
  return `${readme.slice(0, from)}${BEGIN}\n\n${operatorsMarkdown()}\n\n${readme.slice(to)}`
}

if (import.meta.main) writeFileSync(README, withOperators(readFileSync(README, "utf8")))
