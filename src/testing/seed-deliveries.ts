// Deliveries as routing would have left them, for tests and benchmarks that begin behind it.
import type { SendingChannel } from "../domain/channel.ts"
import type { ClaimedDelivery, NewDelivery } from "../domain/delivery.ts"
import { type DeliveryId, type NotificationId, newDeliveryId, newEventId, type RuleName } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import type { Queryable } from "../store/database.ts"
import type { Handing } from "../store/handoff.ts"
import { insertDeliveries } from "../store/new-deliveries.ts"
import { seal } from "../store/sealed.ts"
import { business, PLAIN_DELIVERY } from "./builders.ts"

export interface Seed {
  readonly channel?: SendingChannel
  readonly message?: Message
  readonly business?: string
  readonly priority?: 0 | 1 | 2
}

const INSERT = `
with input as (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bytea[])
    as t (id, event_id, business_id, channel, priority, message)
), made as (
  insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
    priority, status, next_attempt_at)
  select id, event_id, array['ntf_' || id], 'a-rule', 'r1', business_id, channel, '\\x00', priority, 'queued', now()
  from input
)
insert into messages (delivery_id, message) select id, message from input`

/** Queues deliveries that are due now; answers their ids in order. */
export async function seedDeliveries(db: Queryable, seeds: readonly Seed[]): Promise<readonly DeliveryId[]> {
  const ids = seeds.map(() => newDeliveryId(Date.now()))
  await db.execute(INSERT, [
    ids,
    seeds.map(() => newEventId(Date.now())),
    seeds.map(({ business = "b1" }) => business),
    seeds.map(({ channel = "telegram" }) => channel),
    seeds.map(({ priority = 1 }) => priority),
    seeds.map(({ channel = "telegram", message }, index) => seal(message ?? someMessage(channel, `message ${index}`))),
  ])
  return ids
}

/** The same deliveries, stored as claimed by `owner` by the statement that routing has for it. */
export async function seedHeld(
  db: Queryable,
  owner: string,
  leaseMs: number,
  count: number,
): Promise<readonly DeliveryId[]> {
  const held: DeliveryId[] = []
  const place = { owner, leaseMs, take: () => true, drop: () => true }
  const handing: Handing = {
    reserve: () => undefined,
    placeOf: () => place,
    stored: ({ id }) => void held.push(id),
    committed: () => Promise.resolve(),
    failed: () => undefined,
  }
  const deliveries = Array.from({ length: count }, (_, index): NewDelivery => {
    const id = newDeliveryId(Date.now())
    return {
      ...PLAIN_DELIVERY,
      id,
      event: newEventId(Date.now()),
      notifications: [`ntf_${id}` as NotificationId], // as the others have it
      rule: "a-rule" as RuleName, // matches the pattern
      rulesRevision: "r1",
      business: business("b1"),
      channel: "telegram",
      priority: "normal",
      addressKey: id,
      start: { status: "queued", message: someMessage("telegram", `message ${index}`) },
    }
  })
  await insertDeliveries(db, deliveries, handing)
  if (held.length < count) throw new Error("some were not stored as held")
  return deliveries.map(({ id }) => id)
}

/** Somebody who reads of each of these deliveries, and an escalation that ends when they have: marking all as read cancels them. */
export async function seedReader(db: Queryable, reader: string, ids: readonly DeliveryId[]): Promise<void> {
  const content = seal({ title: "t", body: "b", actionUrl: null, actionLabel: null, data: null })
  await db.execute(
    `insert into notifications (id, event_id, rule, rules_revision, recipient_id, business_id, severity, priority, inbox,
      content, read_at)
    select 'ntf_' || id, event_id, rule, 'r1', $1, business_id, 'high', 'high', true, $2, now()
    from deliveries where id = any ($3)`,
    [reader, content, ids],
  )
  await db.execute(
    `insert into timers (id, kind, event_id, business_id, rule, action, step, began_at, due_at, next_at, until, rules_hash,
      rules_revision)
    select 'esc_' || id, 'escalate', event_id, business_id, rule, 0, 0, now(), now(), now(), 'read', '', 'r1'
    from deliveries where id = any ($1)`,
    [ids],
  )
}

/** They are news to their reader again. */
export const unread = (db: Queryable, ids: readonly DeliveryId[]): Promise<number> =>
  db.execute(
    "update notifications n set read_at = null from deliveries d where n.event_id = d.event_id and d.id = any ($1)",
    [ids],
  )

/** One that is held for its first try. */
export const heldDelivery = (id: DeliveryId): ClaimedDelivery => ({
  id,
  channel: "sms",
  priority: 1,
  attempt: 1,
  tries: 1,
  maybeDuplicate: false,
  ageMs: 0,
  holdUnknown: false,
  wishes: false,
  message: someMessage("sms", "hello"),
})

/** A message of a channel with these words. */
export function someMessage(channel: SendingChannel, words: string): Message {
  const link = { actionUrl: null, actionLabel: null }
  switch (channel) {
    case "telegram":
      return { channel, chatId: "4711", html: words, ...link }
    case "slack":
      return { channel, webhookUrl: null, text: words, ...link }
    case "email":
      return { channel, to: "reader@example.com", subject: words, html: words, text: words, ...link }
    case "sms":
      return { channel, to: "+9647700000000", text: words, ...link }
    case "voice":
      return { channel, to: "+9647700000000", text: words, language: null, ...link }
    case "push": {
      const device = { platform: "android", token: "device-token" }
      return { channel, device, title: words, text: words, priority: "normal", expiresAt: null, topic: null, ...link }
    }
    case "webhook":
      return { channel, url: "http://127.0.0.1:9/hook", secret: null, body: JSON.stringify({ words }) }
  }
}
