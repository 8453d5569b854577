/** The settings as a `.env` file: `.env.example` is one with nothing filled in, `hub init` writes one with secrets. */
import { type SettingRow, settingsTable } from "./settings.ts"

const HEAD = `# Every setting of the hub. All may stay unset in development; production needs DATABASE_URL, HUB_API_KEYS,
# JWT_SECRET or JWT_JWKS_URL, HUB_ENCRYPTION_KEYS and the credentials of the channels that its rules use.
# \`hub init\` writes a complete .env with fresh secrets. A setting marked (secret) may come from a file instead: give the
# file's path in NAME_FILE. Empty is the same as not set. What is shown is the default.
`

function entry(row: SettingRow, value: string | undefined): string {
  const { name, aliases, default: shown, meaning, secret } = row
  const notes = [...(secret ? ["secret"] : []), ...aliases.map((alias) => `also ${alias}`)]
  const isValue = /^[^\s:;,]+$|^https?:|^events=/.test(shown) && !["none", "any", "embedded"].includes(shown)
  const about = `# ${meaning}${notes.length > 0 ? ` (${notes.join("; ")})` : ""}${isValue ? "" : `. Default: ${shown}`}`
  return `${about}\n${value === undefined ? `# ${name}=${isValue ? shown : ""}` : `${name}=${value}`}\n`
}

/** The whole file; `values` are filled in by name, everything else stays a comment. Throws on a name that is no setting. */
export function environmentFile(values: Readonly<Record<string, string>> = {}): string {
  const table = settingsTable()
  const unknown = Object.keys(values).find((name) => !table.some((row) => row.name === name))
  if (unknown !== undefined) throw new Error(`${unknown} is no setting`)
  const groups = [...new Set(table.map((row) => row.group))]
  const sections = groups.map((group) => {
    const rows = table.filter((row) => row.group === group)
    return `# ── ${group} ──\n\n${rows.map((row) => entry(row, values[row.name])).join("\n")}`
  })
  return [HEAD, ...sections].join("\n")
}
