/** `hub keys create|list|revoke`: API keys beyond those of HUB_API_KEYS. A key is shown once, at its creation. */
import { asBusinessId } from "../domain/ids.ts"
import { createApiKey, listApiKeys, revokeApiKey } from "../store/api-keys.ts"
import { type Command, flags, Misuse, settings } from "./command.ts"
import { withDatabase } from "./with-database.ts"

export const keysCreate: Command = {
  name: "keys create",
  usage: "--name <who uses it> [--scope service|admin] [--business b1] [--json]",
  summary: "make an API key and show it once",
  async run(invocation) {
    const { values } = flags(
      invocation,
      { name: { type: "string" }, scope: { type: "string", default: "service" }, business: { type: "string" } },
      0,
    )
    const { name, scope } = values
    if (name === undefined || name.trim() === "") throw new Misuse("--name: say who uses the key")
    if (scope !== "service" && scope !== "admin") throw new Misuse("--scope: expected service or admin")
    const business = values.business === undefined ? null : asBusinessId(values.business)
    if (values.business !== undefined && business === null)
      throw new Misuse("--business: expected [A-Za-z0-9_.-]{1,64}")
    const made = await withDatabase(settings(invocation), invocation, (db) =>
      createApiKey(db, { name, scope, business }),
    )
    if (values.json) invocation.out(JSON.stringify({ key: made.key, ...made.apiKey }))
    else {
      invocation.out(made.key)
      invocation.err(
        `Key ${made.apiKey.id} (${scope}${business === null ? "" : ` of ${business}`}). It is not shown again.`,
      )
    }
    return 0
  },
}

export const keysList: Command = {
  name: "keys list",
  usage: "[--json]",
  summary: "list API keys, never the keys themselves",
  async run(invocation) {
    const { values } = flags(invocation, {}, 0)
    const keys = await withDatabase(settings(invocation), invocation, listApiKeys)
    if (values.json) invocation.out(JSON.stringify({ data: keys }))
    else if (keys.length === 0) invocation.out("No keys. Those of HUB_API_KEYS are not listed.")
    else {
      for (const key of keys) {
        const state = key.revokedAt === null ? "live" : "revoked"
        invocation.out(`${key.id}  ${state.padEnd(7)}  ${key.scope.padEnd(7)}  ${key.business ?? "*"}  ${key.name}`)
      }
    }
    return 0
  },
}

export const keysRevoke: Command = {
  name: "keys revoke",
  usage: "<id> [--json]",
  summary: "revoke an API key; running hubs notice within seconds",
  async run(invocation) {
    const { values, positionals } = flags(invocation, {}, 1)
    const [id] = positionals
    if (id === undefined) throw new Misuse("which key? hub keys revoke <id>; hub keys list shows them")
    const revoked = await withDatabase(settings(invocation), invocation, (db) => revokeApiKey(db, id))
    if (values.json) invocation.out(JSON.stringify({ id, revoked }))
    else invocation.out(revoked ? `Key ${id} is revoked.` : `There is no live key ${id}.`)
    return revoked ? 0 : 1
  },
}
