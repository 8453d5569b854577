/**
 * Addresses that nothing is sent to on a channel any more, because whoever reads there said STOP or mail came back. They
 * are the address's and not a person's: whoever has it is not written to. What is claimed asks for them again.
 */
import { type AnsweringChannel, sameSpelling } from "../domain/address.ts"
import type { SendingChannel } from "../domain/channel.ts"
import type { EndedWaiting } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { SuppressionReason } from "../domain/receipt.ts"
import type { Profile } from "../domain/recipient.ts"
import { hashOfAddress } from "./address-hash.ts"
import { appendAudit } from "./audit.ts"
import type { Queryable } from "./database.ts"
import { ENDED_COLUMNS, setFailovers } from "./failover.ts"

/** An address as somebody named it, or that of a delivery, whose message may be sealed. */
export type Suppressed =
  | { readonly channel: AnsweringChannel; readonly address: string }
  | { readonly delivery: DeliveryId }

/** Numbers find other owners, and who has blocked a bot may have it back. */
const GONE_FOR = "interval '30 days'"
/**
 * Of a suppression `s`, whether it holds still for a delivery that an operator has last sent again at `replayedAt`: that
 * nobody was there before is what he knows, and he wants it tried.
 */
export const holdsFor = (replayedAt: string): string =>
  `(s.reason <> 'gone' or s.since > greatest(now() - ${GONE_FOR}, ${replayedAt}))`

// A word of its owner is not taken for a report of a provider, nor the other way round: the first stays. That nobody was
// there says less than either.
const INSERT = "insert into suppressions (address, channel, reason)"
const KEEP = `on conflict (address) do update set reason = excluded.reason, since = now() where suppressions.reason = 'gone'
  returning address, channel`

// What somebody has claimed is left to its claim, and to the next one where it is tried again.
const SWEEP = `
with waiting as (
  select d.id from messages m join deliveries d on d.id = m.delivery_id
  where m.sent_to = any($1::bytea[]) and d.status in ('scheduled', 'queued', 'retrying') for update of d skip locked
), stopped as (
  update deliveries d set status = 'suppressed', reason = $2, next_attempt_at = null, settled_at = now()
  from waiting where d.id = waiting.id returning d.id, d.channel, ${ENDED_COLUMNS}
), failovers as (${setFailovers("stopped")}
)
select id, channel from stopped`

export interface Suppression {
  /** False: it was so already. */
  readonly changed: boolean
  /** Deliveries that waited and are suppressed now. */
  readonly stopped: readonly EndedWaiting[]
}

/** What somebody said, and not what a provider found out. */
const WORDS: ReadonlySet<SuppressionReason> = new Set(["stop", "unsubscribed", "complained"])

/** The last statement of its transaction: nobody waits for a row while he holds the log's end. */
async function consented(
  tx: Queryable,
  action: "address.stop" | "address.resume",
  addresses: readonly { readonly address: Buffer; readonly channel: string }[],
  detail: JsonObject,
): Promise<void> {
  // An address is named by the keyed hash that it is kept as, which says nothing to whoever reads it.
  for (const { address, channel } of addresses) {
    const named = address.toString("hex").slice(0, 16)
    await appendAudit(tx, {
      actor: `address:${named}`,
      action,
      businesses: null,
      key: null,
      detail: { ...detail, channel, address: named },
    })
  }
}

/** Nothing more goes there, and what waits for it is suppressed. Within the transaction of what it follows from. */
export async function suppress(tx: Queryable, what: Suppressed, reason: SuppressionReason): Promise<Suppression> {
  const made =
    "delivery" in what
      ? await tx.query<{ address: Buffer; channel: string }>(
          `${INSERT} select m.sent_to, d.channel, $2 from messages m join deliveries d on d.id = m.delivery_id
           where m.delivery_id = $1 and m.sent_to is not null ${KEEP}`,
          [what.delivery, reason],
        )
      : await tx.query<{ address: Buffer; channel: string }>(
          `${INSERT} values (${hashOfAddress("$1", "$2")}, $1, $3) ${KEEP}`,
          [what.channel, sameSpelling(what.channel, what.address), reason],
        )
  if (made.length === 0) return { changed: false, stopped: [] }
  const addresses = made.map(({ address }) => address)
  const stopped = await tx.query<{ id: DeliveryId; channel: SendingChannel }>(SWEEP, [addresses, reason])
  if (WORDS.has(reason)) await consented(tx, "address.stop", made, { reason, stopped: stopped.length })
  return { changed: true, stopped: stopped.map((one) => ({ ...one, status: "suppressed", reason })) }
}

/**
 * It may be written to again; false: it always might. What came back stays away: that mail is not read there is not
 * changed by a word.
 */
export async function resume(tx: Queryable, channel: AnsweringChannel, address: string): Promise<boolean> {
  const gone = await tx.query<{ address: Buffer; channel: string }>(
    `delete from suppressions where address = ${hashOfAddress("$1", "$2")} and reason in ('stop', 'unsubscribed', 'gone')
     returning address, channel`,
    [channel, sameSpelling(channel, address)],
  )
  await consented(tx, "address.resume", gone, {})
  return gone.length > 0
}

/** Somebody has written from there, so somebody is there. Nobody's word is taken back by it. */
export const heardFrom = (db: Queryable, channel: AnsweringChannel, address: string): Promise<number> =>
  db.execute(`delete from suppressions where address = ${hashOfAddress("$1", "$2")} and reason = 'gone'`, [
    channel,
    sameSpelling(channel, address),
  ])

export interface SuppressedChannel {
  readonly channel: AnsweringChannel
  readonly reason: SuppressionReason
  /** Milliseconds since the Unix epoch. */
  readonly since: number
}

/** On which of their channels somebody is not written to, by their own word or their mailbox's. */
export function suppressionsOf(
  db: Queryable,
  profile: Pick<Profile, "email" | "phone" | "telegramChatId">,
): Promise<readonly SuppressedChannel[]> {
  const addresses = (
    [
      ["email", profile.email],
      ["sms", profile.phone],
      ["voice", profile.phone],
      ["telegram", profile.telegramChatId],
    ] as const
  ).flatMap(([channel, address]) => (address === null ? [] : [[channel, sameSpelling(channel, address)] as const]))
  if (addresses.length === 0) return Promise.resolve([])
  return db.query<SuppressedChannel>(
    `select s.channel, s.reason, (extract(epoch from s.since) * 1000)::float8 as since
     from unnest($1::text[], $2::text[]) as a (channel, address)
     join suppressions s on s.address = ${hashOfAddress("a.channel", "a.address")} and s.reason <> 'gone' order by s.channel`,
    [addresses.map(([channel]) => channel), addresses.map(([, address]) => address)],
  )
}
