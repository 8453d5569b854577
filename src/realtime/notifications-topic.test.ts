import { expect, test } from "bun:test"
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Tenancy } from "../domain/principal.ts"
import { notificationStream } from "../domain/stream.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const ANN = "ann" as RecipientId // an id that fits the pattern
const TOPIC = "notifications:ann"
const of = (...businesses: string[]): Tenancy =>
  businesses.map((business) => ({ business: business as BusinessId, locations: null }))
const people = {
  cafe: person("ann", of("cafe")),
  shop: person("ann", of("shop")),
  both: person("ann", of("shop", "cafe")),
}

/** A notification of Ann's in one of the businesses that she works for. */
const tell = (room: Room, id: string, business_id: string) =>
  room.publish([room.streams.append(notificationStream(ANN), { id, business_id }, "notification")])
const open = (room: Room, token: string) => RawClient.open(room.url(`vsn=2.0.0&token=${token}`))
const shownTo = async (client: RawClient) =>
  (await client.settled()).map((text) => (JSON.parse(text) as [null, null, string, string, JsonObject])[4]["id"])

test("a person of two businesses is shown what their token names, at once and when they come back", async () => {
  const room = await startRoom({ people })
  const [cafe, shop, both] = await Promise.all([open(room, "cafe"), open(room, "shop"), open(room, "both")])
  for (const client of [cafe, shop, both]) await client.join(TOPIC)
  tell(room, "coffee", "cafe")
  tell(room, "shoes", "shop")
  tell(room, "cake", "cafe")
  expect(await shownTo(cafe)).toEqual(["coffee", "cake"])
  expect(await shownTo(shop)).toEqual(["shoes"])
  expect(await shownTo(both)).toEqual(["coffee", "shoes", "cake"])
  const back = await open(room, "shop")
  expect(await back.join(TOPIC, { recover: { epoch: "e1", offset: 0 } })).toEqual({
    status: "ok",
    response: {
      epoch: "e1",
      offset: 3,
      recovered: true,
      missed: [{ event: "notification", payload: { id: "shoes", business_id: "shop", _offset: 2 } }],
    },
  })
  await room.stop()
})

test("the counts beside it are those of the same businesses", async () => {
  const room = await startRoom({
    people,
    countsOf: async () =>
      new Map([[ANN, (businesses) => ({ unread_in: businesses === null ? "all" : [...businesses] })]]),
  })
  const [cafe, both] = await Promise.all([open(room, "cafe"), open(room, "both")])
  for (const [client, own] of [
    [cafe, ["cafe"]],
    [both, ["cafe", "shop"]],
  ] as const) {
    await client.join(TOPIC)
    expect(await client.frame()).toEqual(["1", null, TOPIC, "counts", { unread_in: own }])
  }
  room.publish([{ kind: "counts_changed", recipient: ANN }])
  expect(await cafe.frame()).toEqual([null, null, TOPIC, "counts", { unread_in: ["cafe"] }])
  expect(await both.frame()).toEqual([null, null, TOPIC, "counts", { unread_in: ["cafe", "shop"] }])
  await room.stop()
})
