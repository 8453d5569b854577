/**
 * Writes the settings table of README.md from the one table of settings: `bun scripts/readme-settings.ts`. A test
 * compares, so that the README cannot fall behind.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { settingsTable } from "../src/config.ts"

const README = join(import.meta.dirname, "../README.md")
const [BEGIN, END] = ["<!-- settings -->", "<!-- /settings -->"]

/** The table as Markdown. */
export function settingsMarkdown(): string {
  const rows = settingsTable().map(({ name, aliases, default: shown, meaning, secret }) => {
    const names = [name, ...aliases].map((word) => `\`${word}\``).join(", ")
    return `| ${names} | ${shown} | ${meaning}${secret ? " (secret)" : ""} |`
  })
  return ["| name | default | meaning |", "| --- | --- | --- |", ...rows].join("\n")
}

/** README.md with the table in its place. */
export function withSettings(readme: string): string {
  const from = readme.indexOf(BEGIN)
  const to = readme.indexOf(END)
  if (from === -1 || to === -1) throw new Error("README.md has no place for the settings")
  return `${readme.slice(0, from)}${BEGIN}\n\n${settingsMarkdown()}\n\n${readme.slice(to)}`
}

if (import.meta.main) writeFileSync(README, withSettings(readFileSync(README, "utf8")))
