/** What people wish: one sealed row for each who has said anything. Keyed by id, so that a wish may come before its recipient. */
import type { RecipientId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { NO_PREFERENCES, type Preferences } from "../domain/preferences.ts"
import { appendAudit, type NewAuditEntry } from "./audit.ts"
import type { Database, Queryable } from "./database.ts"
import { openAs, seal } from "./sealed.ts"

/** `NO_PREFERENCES` of whoever said nothing. */
export async function getPreferences(db: Queryable, recipient: RecipientId): Promise<Preferences> {
  const [row] = await db.query<{ wishes: Buffer }>("select wishes from preferences where recipient_id = $1", [
    recipient,
  ])
  return row === undefined ? NO_PREFERENCES : openAs<Preferences>(row.wishes)
}

/** Who changes what somebody wishes, and how, for the audit log. */
export interface Consenting extends Pick<NewAuditEntry, "actor" | "businesses"> {
  readonly action: `preferences.${string}`
  readonly detail: JsonObject
}

/**
 * Replaces what people wish by what `change` makes of it (null: it stays), one change after the other, and notes it where
 * it is another. The answer is what holds from then on, also for what is held back already.
 */
export const changePreferences = (
  db: Database,
  recipients: readonly RecipientId[],
  change: Change,
  by: (recipient: RecipientId) => Consenting,
): Promise<readonly Preferences[]> =>
  db.transaction(async (tx) => {
    const all: Preferences[] = []
    const changed: { readonly recipient: RecipientId; readonly after: Preferences }[] = []
    for (const recipient of recipients.toSorted()) {
      let before: Preferences | null = null
      const after = await changePreferencesIn(tx, recipient, (now) => {
        before = now
        return change(now)
      })
      all.push(after)
      if (!Bun.deepEquals(before, after)) changed.push({ recipient, after })
    }
    // Behind all rows: whoever holds the log's end waits for nobody.
    for (const { recipient, after } of changed) await appendAudit(tx, entryOf(recipient, after, by(recipient)))
    return all
  })

/** What somebody may be sent, not when they sleep. */
const entryOf = (recipient: RecipientId, { channels, categories }: Preferences, by: Consenting): NewAuditEntry => ({
  actor: by.actor,
  action: by.action,
  businesses: by.businesses,
  key: null,
  detail: { ...by.detail, recipient_id: recipient, channels: { ...channels }, categories: { ...categories } },
})

/** Null: it stays. */
type Change = (now: Preferences) => Preferences | null

/** The same within a transaction; of several people, in the order of their ids. */
export async function changePreferencesIn(tx: Queryable, recipient: RecipientId, change: Change): Promise<Preferences> {
  // Takes the row's lock, whether it was there or not.
  const [row] = await tx.query<{ wishes: Buffer }>(
    `insert into preferences (recipient_id, wishes) values ($1, $2)
     on conflict (recipient_id) do update set recipient_id = excluded.recipient_id returning wishes`,
    [recipient, seal(NO_PREFERENCES)],
  )
  if (row === undefined) throw new Error("a row that was just written is not there")
  const now = openAs<Preferences>(row.wishes)
  const next = change(now) ?? now
  // Whoever has said nothing is not asked again before each message.
  if (isNothing(next)) await tx.execute("delete from preferences where recipient_id = $1", [recipient])
  else {
    await tx.execute("update preferences set wishes = $2, updated_at = now() where recipient_id = $1", [
      recipient,
      seal(next),
    ])
  }
  return next
}

const isNothing = ({ channels, categories, severityMin, quietHours }: Preferences): boolean =>
  quietHours === null && [channels, categories, severityMin].every((part) => Object.keys(part).length === 0)
