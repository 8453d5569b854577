/** What a reaction calls off is an end like any other: figures count it, and whoever watches deliveries hears of it. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { linkTokens } from "../domain/link-token.ts"
import type { Notification } from "../domain/notification.ts"
import { Secret } from "../domain/secret.ts"
import { type Front, startFront, tokenFor } from "../testing/front.ts"
import { seedNotifications } from "../testing/seed-notifications.ts"
import { acknowledgeRoutes } from "./acknowledge.ts"
import { inboxRoutes } from "./inbox.ts"

const links = linkTokens([new Secret("a-key-for-links-that-is-long-enough")])

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [inboxRoutes(parts), acknowledgeRoutes({ ...parts, links })])
})
afterAll(() => front.stop())

/** An item, and a text message of an escalation that waits until it is acknowledged or read. */
async function escalated(sub: string, until: "acknowledged" | "read"): Promise<Notification> {
  const [item] = await seedNotifications(front.db, sub, ["an alarm"])
  if (item === undefined) throw new Error("nothing was seeded")
  await front.db.execute(
    `insert into timers (id, kind, event_id, business_id, rule, action, step, began_at, due_at, next_at, until, rules_hash,
      rules_revision)
    select 'esc_' || id, 'escalate', event_id, business_id, rule, action, 0, now(), now(), now(), $2, '', 'r1'
    from deliveries where event_id = $1`,
    [item.event, until],
  )
  return item
}

const answered = async (path: string, method: string, sub: string | null, json?: unknown): Promise<void> => {
  const key = sub === null ? null : await tokenFor({ sub, business_id: "b1" })
  const answer = await front.call(path, { method, key, ...(json === undefined ? {} : { json }) })
  expect(answer.status).toBe(200)
}

test.each([
  [
    "acknowledged in the inbox",
    "acknowledged",
    (item: Notification) => answered(`/v1/notifications/${item.id}/acknowledge`, "PATCH", item.recipient),
  ],
  ["read in the inbox", "read", (item) => answered(`/v1/notifications/${item.id}/read`, "PATCH", item.recipient)],
  ["read with all others", "read", (item) => answered("/v1/notifications/mark-all-read", "POST", item.recipient)],
  [
    "acknowledged by a link",
    "acknowledged",
    (item) => answered(`/v1/acknowledge/${links.acknowledge(item.id)}`, "POST", null),
  ],
] as [string, "acknowledged" | "read", (item: Notification) => Promise<void>][])(
  "what waits for somebody is told as cancelled when it is %s, once",
  async (name, by, react) => {
    const item = await escalated(name.replaceAll(" ", "."), by)
    const before = front.emitted.length
    await react(item)
    await react(item)
    const rows = await front.db.query<{ id: string }>("select id from deliveries where event_id = $1", [item.event])
    expect(front.emitted.slice(before).filter(({ kind }) => kind === "delivery_settled")).toEqual(
      rows.map(({ id }) => ({
        kind: "delivery_settled",
        channel: "sms",
        deliveryId: id,
        status: "cancelled",
        reason: by,
        latencySeconds: null,
      })),
    )
    expect(rows).toHaveLength(1)
  },
)
