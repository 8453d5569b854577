/** What people wish: one sealed row for each who has said anything. Keyed by id, so that a wish may come before its recipient. */
import type { RecipientId } from "../domain/ids.ts"
import { NO_PREFERENCES, type Preferences } from "../domain/preferences.ts"
import type { Database, Queryable } from "./database.ts"
import { openAs, seal } from "./sealed.ts"

/** `NO_PREFERENCES` of whoever said nothing. */
export async function getPreferences(db: Queryable, recipient: RecipientId): Promise<Preferences> {
  const [row] = await db.query<{ wishes: Buffer }>("select wishes from preferences where recipient_id = $1", [
    recipient,
  ])
  return row === undefined ? NO_PREFERENCES : openAs<Preferences>(row.wishes)
}

/**
 * Replaces what somebody wishes by what `change` makes of it (null: it stays), one change after the other. The answer is
 * what holds from then on, also for what is held back already.
 */
export const changePreferences = (db: Database, recipient: RecipientId, change: Change): Promise<Preferences> =>
  db.transaction((tx) => changePreferencesIn(tx, recipient, change))

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
