/** `hub init`: a complete `.env` for production, with fresh secrets, that `compose.yaml` reads as it is. */
import { randomBytes } from "node:crypto"
import { chmodSync, existsSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { environmentFile, freshSecrets } from "../config.ts"
import { type Command, flags, Misuse } from "./command.ts"

export const init: Command = {
  name: "init",
  usage: "[--out .env] [--force] [--json]",
  summary: "write a complete .env with fresh secrets",
  async run(invocation) {
    const { values } = flags(
      invocation,
      { out: { type: "string", default: ".env" }, force: { type: "boolean", default: false } },
      0,
    )
    const path = resolve(values.out)
    if (existsSync(path) && !values.force)
      throw new Misuse(`${values.out} exists already: --force replaces it, secrets and all`)
    const secrets: Readonly<Record<string, string>> = { ...freshSecrets() }
    const text = productionFile(secrets)
    try {
      writeFileSync(path, text, { mode: 0o600 })
      chmodSync(path, 0o600) // a file that was there before keeps its mode
    } catch (error) {
      throw new Misuse(`${values.out} cannot be written: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (values.json) invocation.out(JSON.stringify({ path, generated: Object.keys(secrets) }))
    else {
      invocation.out(`Wrote ${values.out} (readable by you alone) with fresh ${Object.keys(secrets).join(", ")}.`)
      invocation.out("Fill in the credentials of the channels you use, then: docker compose up")
    }
    return 0
  },
}

/** The settings with the secrets filled in. DATABASE_URL is left to compose.yaml, which shares the password below. */
function productionFile(secrets: Readonly<Record<string, string>>): string {
  const password = randomBytes(18).toString("base64url")
  return `${environmentFile({ NODE_ENV: "production", ...secrets })}
# ── compose.yaml ──

# password of the database that compose.yaml runs
POSTGRES_PASSWORD=${password}
`
}
