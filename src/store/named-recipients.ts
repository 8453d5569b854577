/** A user id that no recipient has becomes a recipient, in-app only. */
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { Profile, Recipient } from "../domain/recipient.ts"
import type { Queryable } from "./database.ts"
import { seal } from "./sealed.ts"

/** People who are named for the first time, by something that happened in a business. */
export interface Naming {
  readonly newRecipients: readonly Recipient[]
  readonly business: BusinessId
}

/**
 * Inserts those who are named for the first time, and returns whether a person may be told things of a business: two
 * businesses can name the same unknown id at once, and then only the first one's member exists.
 */
export async function insertNamedRecipients(
  tx: Queryable,
  namings: readonly Naming[],
): Promise<(recipient: RecipientId, business: BusinessId) => boolean> {
  const named = namings
    .flatMap(({ newRecipients, business }) => newRecipients.map(({ id }) => ({ id, business })))
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  if (named.length === 0) return () => true
  const nobody: Profile = {
    name: null,
    email: null,
    phone: null,
    telegramChatId: null,
    slackWebhookUrl: null,
    slackUserId: null,
    deviceTokens: [],
  }
  const ids = named.map((n) => n.id)
  // In the order of an upsert, which goes by code points whatever the database's own collation says: else they deadlock.
  const businesses = named.map((n) => n.business)
  await tx.execute(
    `with first as (
       select distinct on (id) id, business_id from unnest($1::text[], $2::text[]) with ordinality as t (id, business_id, n)
       order by id, n
     ), inserted as (
       insert into recipients (id, profile) select id, $3 from first order by id collate "C" on conflict (id) do nothing returning id
     )
     insert into memberships (recipient_id, business_id, roles)
     select id, business_id, '{}' from first join inserted using (id)`,
    [ids, businesses, seal(nobody)],
  )
  const members = await tx.query<{ recipient_id: string; business_id: string }>(
    "select recipient_id, business_id from memberships where recipient_id = any($1) and business_id = any($2)",
    [ids, businesses],
  )
  const key = (recipient: string, business: string): string => `${business}:${recipient}`
  const asked = new Set(named.map((n) => key(n.id, n.business)))
  const known = new Set(members.map((m) => key(m.recipient_id, m.business_id)))
  return (recipient, business) => !asked.has(key(recipient, business)) || known.has(key(recipient, business))
}
