/**
 * What a developer sees after `npm start`: where to look, a token, and one line that makes a notification appear. On a
 * hub that knows nobody yet, the developer becomes its first recipient.
 */
import type { Config } from "../config.ts"
import { asRecipientId, DEFAULT_BUSINESS } from "../domain/ids.ts"
import { namedOnly, type Recipient } from "../domain/recipient.ts"
import type { Hub } from "../hub.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { listRecipients, upsertRecipients } from "../store/recipients.ts"
import type { Terminal } from "./command.ts"
import { signToken } from "./token.ts"

const DEVELOPER = "dev"

/** An event that a shipped rule turns into a notification for the developer's roles. */
const SAMPLE = {
  type: "invoice.overdue",
  source: "invoicing",
  payload: {
    invoice_id: "inv-1",
    invoice_number: "INV-1",
    customer_name: "Al Noor Trading",
    days_overdue: 9,
    amount_due: 1_250_000,
    currency: "IQD",
  },
}

/** Prints the lines on standard output; with `json`, one object in one line. */
export async function firstSteps(config: Config, hub: Hub, terminal: Terminal, json: boolean): Promise<void> {
  await welcome(hub.db).catch((error: unknown) => {
    if (databaseProblem(error) === null) throw error
    // Away in this very moment: the hub waits for it, and so can the welcome.
  })
  const token = await developmentToken(config)
  const key = config.apiKeys.find((known) => known.business === null)?.key.reveal()
  if (json) {
    terminal.out(JSON.stringify({ url: hub.url, port: hub.port, token, api_key: key ?? null, sample: SAMPLE }))
    return
  }
  const lines = [
    "",
    `  Hubbub is up:  ${hub.url}${token === null ? "" : `/#token=${token}`}`,
    ...(token === null ? [] : ["", `  development token (user ${DEVELOPER}, admin):`, `  ${token}`]),
    "",
    "  make a notification appear:",
    `  curl -X POST ${hub.url}/v1/events -H "Authorization: Bearer ${key ?? "<key>"}" -H "Content-Type: application/json" -d '${JSON.stringify(SAMPLE)}'`,
    "",
  ]
  for (const line of lines) terminal.out(line)
}

/** A token for the pages, good for 30 days; null where tokens come from somebody else. */
async function developmentToken(config: Config): Promise<string | null> {
  if (config.jwt.secret === null) return null
  return signToken({
    secret: config.jwt.secret.reveal(),
    sub: DEVELOPER,
    roles: ["admin"],
    tenants: "*",
    ttl: "30d",
    issuer: config.jwt.issuer,
    audience: config.jwt.audience,
  })
}

async function welcome(db: Database): Promise<void> {
  const { recipients } = await listRecipients(db, { businesses: null, limit: 1 })
  const id = asRecipientId(DEVELOPER)
  if (recipients.length > 0 || id === null) return
  const developer: Recipient = {
    ...namedOnly(id, DEFAULT_BUSINESS),
    name: "You",
    email: "you@example.com",
    phone: "+9647700000001",
    telegramChatId: "1",
    memberships: [{ business: DEFAULT_BUSINESS, locations: null, roles: ["accountant", "finance_manager"] }],
  }
  await upsertRecipients(db, [developer], null)
}
