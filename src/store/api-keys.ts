/**
 * API keys made with `hub keys create`. A key is `hub_<id>_<secret>`: the id finds the row, and only the key's SHA-256
 * is stored, which is enough because the secret is 32 random bytes.
 */
import type { BusinessId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { appendAudit } from "./audit.ts"
import type { Database, Queryable } from "./database.ts"

export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly scope: "service" | "admin"
  /** Null: every business. */
  readonly business: BusinessId | null
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  readonly revokedAt: number | null
}

interface Row {
  readonly id: string
  readonly hash: Buffer
  readonly name: string
  readonly scope: "service" | "admin"
  readonly business_id: BusinessId | null
  readonly created_at: Date
  readonly revoked_at: Date | null
}

const COLUMNS = "id, hash, name, scope, business_id, created_at, revoked_at"

const fromRow = (row: Row): ApiKey => ({
  id: row.id,
  name: row.name,
  scope: row.scope,
  business: row.business_id,
  createdAt: row.created_at.getTime(),
  revokedAt: row.revoked_at?.getTime() ?? null,
})

export const hashOfKey = (key: string): Buffer => Bun.CryptoHasher.hash("sha256", key)

/** The id inside a key's text, or null where it is none of ours. */
export const idOfKey = (key: string): string | null => /^hub_([0-9a-z]{16})_[A-Za-z0-9_-]{43}$/.exec(key)?.[1] ?? null

/** Makes a key. `key` is its only copy: it cannot be shown again. Keys are the command line's, so that is who did it. */
export async function createApiKey(
  db: Database,
  wanted: { readonly name: string; readonly scope: "service" | "admin"; readonly business: BusinessId | null },
): Promise<{ readonly key: string; readonly apiKey: ApiKey }> {
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex")
  const key = `hub_${id}_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`
  const { name, scope, business } = wanted
  return db.transaction(async (tx) => {
    const [row] = await tx.query<Row>(
      `insert into api_keys (id, hash, name, scope, business_id) values ($1, $2, $3, $4, $5) returning ${COLUMNS}`,
      [id, hashOfKey(key), name, scope, business],
    )
    if (row === undefined) throw new Error("an inserted key was not returned")
    await noted(tx, "key.create", business, { id, name, scope })
    return { key, apiKey: fromRow(row) }
  })
}

/** Keys by their ids, with their hashes; revoked ones are left out. */
export async function liveApiKeys(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly hash: Buffer; readonly apiKey: ApiKey }>> {
  const rows = await db.query<Row>(
    `select ${COLUMNS} from api_keys where id = any($1::text[]) and revoked_at is null`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, { hash: row.hash, apiKey: fromRow(row) }]))
}

/** All of them, revoked ones too, oldest first. */
export async function listApiKeys(db: Queryable): Promise<readonly ApiKey[]> {
  return (await db.query<Row>(`select ${COLUMNS} from api_keys order by created_at, id`)).map(fromRow)
}

/** False where there is no such key or it was revoked before. Running hubs notice within seconds. */
export const revokeApiKey = (db: Database, id: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    const [row] = await tx.query<Row>(
      `update api_keys set revoked_at = now() where id = $1 and revoked_at is null returning ${COLUMNS}`,
      [id],
    )
    if (row === undefined) return false
    await noted(tx, "key.revoke", row.business_id, { id, name: row.name, scope: row.scope })
    return true
  })

const noted = (tx: Queryable, action: string, business: BusinessId | null, detail: JsonObject): Promise<number> =>
  appendAudit(tx, { actor: "cli", action, businesses: business === null ? null : [business], key: null, detail })
