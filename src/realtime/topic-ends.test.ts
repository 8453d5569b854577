/** A topic's actor that ends while somebody is on the way in: nobody may be left on a topic that nothing feeds. */
import { afterEach, expect, test } from "bun:test"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { MemoryStreams, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)

let room: Room
afterEach(async () => {
  await room.stop()
})

/** A room whose database answers who comes back when the test says so, with five messages that this node never saw. */
async function slowRoom() {
  const clock = fakeClock()
  const streams = new MemoryStreams()
  const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  room = await startRoom({
    clock,
    heads: streams.heads,
    history: streams.history,
    async tails(...asks) {
      asked.resolve()
      await gate.promise
      return streams.tails(...asks)
    },
  })
  for (let n = 1; n <= 5; n++) streams.append(stream, { n })
  return { clock, streams, asked: asked.promise, answer: gate.resolve }
}
const COMES_BACK = { recover: { epoch: "e1", offset: 2 } }

test("a topic that nobody shows does not end under somebody who is coming back", async () => {
  const { clock, streams, asked, answer } = await slowRoom()
  const client = await RawClient.open(room.url())
  await client.join(TOPIC)
  client.send(["1", "2", TOPIC, "phx_leave", {}])
  await clock.advance(29_000)
  expect(await client.settled()).toHaveLength(2)
  const back = client.join(TOPIC, COMES_BACK, "3")
  await asked
  // Now it looks whether anybody is there.
  await clock.advance(1_000)
  answer()
  expect(await back).toMatchObject({ status: "ok", response: { recovered: true, offset: 5 } })
  room.publish([streams.append(stream, { n: 6 })])
  expect((await client.frame())[4]).toEqual({ n: 6, _offset: 6 })
})

test("a topic that ends while the database is asked ends at once: its sockets are told, and come back to a fresh one", async () => {
  const { asked, answer } = await slowRoom()
  const [here, coming] = [await RawClient.open(room.url()), await RawClient.open(room.url())]
  await here.join(TOPIC)
  const back = coming.join(TOPIC, COMES_BACK)
  await asked
  expect(await room.tree.pool("topics").stopChild(`topic ${stream}`)).toBe("stopped")
  expect(await back).toEqual({ status: "error", response: { reason: "unavailable" } })
  expect(await here.frame()).toEqual(["1", "1", TOPIC, "phx_error", { reason: "channel_crash" }])
  expect(await here.join(TOPIC, {}, "2")).toEqual({ status: "ok", response: { epoch: "e1", offset: 5 } })
  answer()
})
