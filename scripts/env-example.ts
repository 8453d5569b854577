/**
 * Prints `.env.example` from the table of settings: `bun scripts/env-example.ts > .env.example`. A test compares the
 * committed file with it, so a setting cannot be added without its line here.
 */
import { type SettingRow, settingsTable } from "../src/config.ts"

const head = `# Every setting of the hub. All may stay unset in development; production needs DATABASE_URL, HUB_API_KEYS,
# JWT_SECRET or JWT_JWKS_URL, HUB_ENCRYPTION_KEYS and the credentials of the channels that its rules use.
# \`hub init\` writes a complete .env with fresh secrets. A setting marked (secret) may come from a file instead: give the
# file's path in NAME_FILE. Empty is the same as not set. What is shown is the default.
`

function entry({ name, aliases, default: shown, meaning, secret }: SettingRow): string {
  const notes = [...(secret ? ["secret"] : []), ...aliases.map((alias) => `also ${alias}`)]
  const isValue = /^[^\s:;,]+$|^https?:|^events=/.test(shown) && !["none", "any", "embedded"].includes(shown)
  const about = `# ${meaning}${notes.length > 0 ? ` (${notes.join("; ")})` : ""}${isValue ? "" : `. Default: ${shown}`}`
  return `${about}\n# ${name}=${isValue ? shown : ""}\n`
}

export function envExample(): string {
  const table = settingsTable()
  const groups = [...new Set(table.map((row) => row.group))]
  const sections = groups.map((group) => {
    const rows = table.filter((row) => row.group === group)
    return `# ── ${group} ──\n\n${rows.map(entry).join("\n")}`
  })
  return [head, ...sections].join("\n")
}

if (import.meta.main) process.stdout.write(envExample())
