/** What a person's screen is given of what it missed is what their inbox holds by then, over PostgreSQL. */
import { expect, test } from "bun:test"
import { notificationItem } from "../domain/notification.ts"
import { notificationStream } from "../domain/stream.ts"
import { inboxRoutes } from "../http/inbox.ts"
import { streamHeads, streamHistory, streamTails, withOffset } from "../store/streams.ts"
import { type Front, startFront, tokenFor } from "../testing/front.ts"
import { person, RawClient, startRoom } from "../testing/realtime-room.ts"
import { seedNotifications } from "../testing/seed-notifications.ts"

test.each([
  ["a node that remembers what it pushed", true],
  ["a node that has just started", false],
])("what was read or deleted on another screen meanwhile comes back so, from %s", async (_, remembers) => {
  const front: Front = await startFront((parts) => [inboxRoutes(parts)])
  const { db } = front
  const room = await startRoom({
    people: { ann: person("ann", "*") },
    heads: (streams) => streamHeads(db, streams),
    history: (stream, after, limit) => streamHistory(db, stream, after, limit),
    tails: (asks, most) => streamTails(db, asks, most),
  })
  try {
    const { epoch } = await streamHeads(db, [])
    front.pubsub.subscribe((news) => room.publish(news))
    const desk = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
    if (remembers) await desk.join("notifications:ann")
    const items = await seedNotifications(db, "ann", ["read", "deleted", "new"])
    for (const [n, item] of items.entries()) {
      const payload = withOffset(JSON.stringify(notificationItem(item)), n + 1)
      const about = { stream: notificationStream(item.recipient), event: "notification", position: n + 1 }
      front.pubsub.publish([{ kind: "stream_message", ...about, payload }])
    }
    const key = await tokenFor({ sub: "ann", business_id: "b1" })
    expect((await front.call(`/v1/notifications/${items[0]?.id}/read`, { method: "PATCH", key })).status).toBe(200)
    expect((await front.call(`/v1/notifications/${items[1]?.id}`, { method: "DELETE", key })).status).toBe(204)

    const phone = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
    expect(await phone.join("notifications:ann", { recover: { epoch, offset: 0 } })).toMatchObject({
      status: "ok",
      response: {
        recovered: true,
        missed: [
          { event: "notification", payload: { id: items[0]?.id, read_at: expect.any(String), _offset: 1 } },
          {
            event: "notification_changed",
            payload: { id: items[1]?.id, deleted: true, business_id: "b1", _offset: 2 },
          },
          { event: "notification", payload: { id: items[2]?.id, read_at: null, _offset: 3 } },
        ],
      },
    })
  } finally {
    await room.stop()
    await front.stop()
  }
})
