/** Deliveries as they are stored with what made them. */
import { createHash } from "node:crypto"
import { addressOf } from "../domain/address.ts"
import type { SendingChannel } from "../domain/channel.ts"
import type { ClaimedDelivery, NewDelivery } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import type { SuppressionReason } from "../domain/receipt.ts"
import { hashOfAddress } from "./address-hash.ts"
import type { Queryable } from "./database.ts"
import { LEFT_SINCE } from "./departures.ts"
import type { Handing } from "./handoff.ts"
import { inPieces } from "./pieces.ts"
import { seal } from "./sealed.ts"
import { holdsFor } from "./suppressions.ts"

// What is handed over right away is stored as claimed. Its transaction may have begun long before, so its lease begins by the
// clock.
const DELIVERIES = `
  insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
    priority, status, reason, next_attempt_at, settled_at, action, round, expires_at, hold_unknown, failover, wishes,
    commercial, bypass_quiet_hours, category, owner, attempt, claimed_at, lease_until)
  select id, event_id, string_to_array(notification_ids, ','), rule, rules_revision, business_id, channel, address_hash,
    priority, case when owner is null then status else 'sending' end, reason,
    case status when 'queued' then now() when 'scheduled' then to_timestamp(at / 1000) end,
    case when status in ('suppressed', 'expired') then now() end,
    action, round, to_timestamp(expires_at / 1000), hold_unknown, failover, wishes, commercial, bypass_quiet_hours, category,
    owner, case when owner is null then 0 else 1 end, case when owner is not null then clock_timestamp() end,
    case when owner is not null then clock_timestamp() + lease_ms * interval '1 millisecond' end
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
    $9::int[], $10::text[], $11::text[], $12::float8[], $13::int[], $14::text[], $15::float8[], $16::bool[], $17::bool[],
    $18::bool[], $19::bool[], $20::bool[], $22::text[], $24::text[], $25::float8[])
    as t (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash, priority, status,
      reason, at, action, round, expires_at, hold_unknown, failover, wishes, commercial, bypass_quiet_hours,
      category, owner, lease_ms)
  on conflict (event_id, address_hash) do nothing`

const MESSAGES = `
  insert into messages (delivery_id, message, sent_to)
  select m.id, m.message, ${hashOfAddress("m.channel", "m.address")}
  from unnest($1::text[], $7::text[], $21::bytea[], $23::text[]) as m (id, channel, message, address) join inserted using (id)
  where m.message is not null`

const INSERT = `with inserted as (${DELIVERIES} returning id) ${MESSAGES}`

// Answers of those that are held what a claim asks besides: whether the address takes messages, whether it may be for nobody
// by now, and for how long it may be sent. It takes some 0.3 ms longer, where a claim takes 0.7.
const INSERT_HELD = `
with inserted as (${DELIVERIES} returning id, owner, lease_until, expires_at, created_at
), leased as (
  insert into leases (until, delivery_ids)
  select min(lease_until), array_agg(id) from inserted where owner is not null group by owner
), worded as (${MESSAGES} returning delivery_id, sent_to
)
select i.id, s.reason as suppressed, ${LEFT_SINCE("i")} as left,
  (extract(epoch from i.expires_at - clock_timestamp()) * 1000)::float8 as expires_in_ms
from inserted i join worded w on w.delivery_id = i.id
left join lateral (select s.reason from suppressions s where s.address = w.sent_to and ${holdsFor("null::timestamptz")} limit 1) s on true
where i.owner is not null`

interface HeldRow {
  readonly id: DeliveryId
  readonly suppressed: SuppressionReason | null
  readonly left: boolean
  readonly expires_in_ms: number | null
}

const PRIORITY = { low: 0, normal: 1, high: 2 } as const

/**
 * A repeated try is known by its key, or takes the place of the first on the device, so trying again can send nothing twice.
 * Of e-mail that is so by Resend alone: its account's policy says it.
 */
const KNOWS_REPEATS: ReadonlySet<SendingChannel> = new Set(["push", "webhook"])

// Their people are told by the one that is there, and what comes after it is theirs too.
const JOIN = `
update deliveries d set notification_ids = d.notification_ids || array(
    select id from unnest(string_to_array(j.notification_ids, ',')) as id where not id = any (d.notification_ids))
from (
  select event_id, address_hash, string_agg(notification_ids, ',') as notification_ids
  from unnest($1::text[], $2::bytea[], $3::text[]) as t (event_id, address_hash, notification_ids)
  group by event_id, address_hash
) j
where d.event_id = j.event_id and d.address_hash = j.address_hash
  and not d.notification_ids @> string_to_array(j.notification_ids, ',')`

/**
 * Stores them; one that its event, rule, address and round have already is left out. Of a later channel, which is due for
 * each person at another moment, its people join that one. With `handing` those that find room are stored as claimed.
 */
export async function insertDeliveries(
  tx: Queryable,
  all: readonly NewDelivery[],
  handing: Handing | null = null,
): Promise<void> {
  handing?.reserve(all)
  const sealed = all.values().map((d) => ({ d, message: "message" in d.start ? seal(d.start.message) : null }))
  for (const piece of inPieces(sealed, ({ message }) => message?.byteLength ?? 0)) {
    const messages = piece.map(({ message }) => message)
    const deliveries = piece.map(({ d }) => d)
    await insertPiece(tx, deliveries, messages, handing)
  }
}

async function insertPiece(
  tx: Queryable,
  all: readonly NewDelivery[],
  messages: readonly (Buffer | null)[],
  handing: Handing | null,
): Promise<void> {
  const places = handing === null ? [] : all.map((d) => handing.placeOf(d))
  const held = places.some((place) => place !== null)
  const rows = await tx.query<HeldRow>(held ? INSERT_HELD : INSERT, [
    all.map((d) => d.id),
    all.map((d) => d.event),
    all.map((d) => d.notifications.join(",")),
    all.map((d) => d.rule),
    all.map((d) => d.rulesRevision),
    all.map((d) => d.business),
    all.map((d) => d.channel),
    all.map(addressHash),
    all.map((d) => PRIORITY[d.priority]),
    all.map((d) => d.start.status),
    all.map((d) => ("reason" in d.start ? d.start.reason : null)),
    all.map((d) => (d.start.status === "scheduled" ? d.start.at : null)),
    all.map((d) => d.action),
    all.map((d) => d.round),
    all.map((d) => d.expiresAt),
    all.map(holdsUnknown),
    all.map((d) => d.failover),
    all.map((d) => d.wishes !== false),
    all.map((d) => d.wishes !== false && d.wishes.commercial),
    all.map((d) => d.wishes !== false && d.wishes.bypassQuietHours),
    messages,
    all.map((d) => (d.wishes === false ? null : d.wishes.category)),
    all.map((d) => ("message" in d.start ? addressOf(d.start.message) : null)),
    held ? places.map((place) => place?.owner ?? null) : null,
    held ? places.map((place) => place?.leaseMs ?? null) : null,
  ])
  if (rows.length > 0) {
    const stored = new Map(rows.map((row) => [row.id, row]))
    for (const d of all) {
      const row = stored.get(d.id)
      if (row !== undefined && "message" in d.start) handing?.stored(claimedFromRow(d, d.start.message, row))
    }
  }
  const joining = all.filter(({ round }) => round?.startsWith("failover:"))
  if (joining.length > 0)
    await tx.execute(JOIN, [
      joining.map((d) => d.event),
      joining.map(addressHash),
      joining.map((d) => d.notifications.join(",")),
    ])
}

const holdsUnknown = (d: NewDelivery): boolean => d.holdUnknown && !KNOWS_REPEATS.has(d.channel)

/** As a claim would give it out: what its people wish was asked in the same transaction. */
const claimedFromRow = (d: NewDelivery, message: Message, row: HeldRow): ClaimedDelivery => ({
  id: d.id,
  channel: d.channel,
  priority: PRIORITY[d.priority],
  attempt: 1,
  tries: 1,
  maybeDuplicate: false,
  ageMs: 0,
  holdUnknown: holdsUnknown(d),
  wishes: false,
  message,
  ...(row.suppressed === null ? {} : { suppressed: row.suppressed }),
  ...(row.left ? { left: true } : {}),
  ...(row.expires_in_ms === null ? {} : { expiresInMs: row.expires_in_ms }),
})

const RENAME = `
update deliveries d set notification_ids = string_to_array(t.notification_ids, ',')
from unnest($1::text[], $2::text[]) as t (id, notification_ids) where d.id = t.id`

/** Says under which notifications those were stored whom these tell. */
export async function renameTold(tx: Queryable, all: readonly NewDelivery[]): Promise<void> {
  for (const piece of inPieces(all)) {
    await tx.execute(RENAME, [piece.map(({ id }) => id), piece.map((d) => d.notifications.join(","))])
  }
}

/** Salted with the event and the rule, which is as far as addresses are compared: hashes say nothing beyond that. */
const addressHash = (d: NewDelivery): Buffer =>
  createHash("sha256")
    .update(`${d.event}\n${d.rule}\n${d.channel}\n${d.round ?? ""}\n${d.addressKey}`)
    .digest()
    .subarray(0, 16)
