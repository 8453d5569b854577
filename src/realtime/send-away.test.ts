import { afterEach, expect, test } from "bun:test"
import { type Channel, Socket } from "phoenix"
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { Principal } from "../domain/principal.ts"
import { localPubSub } from "../pubsub/pubsub.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const ANN = "ann" as RecipientId // fits the pattern
const b1 = [{ business: "b1" as BusinessId, locations: null }]
const service: Principal = { ...person(null, "*"), kind: "key", label: "key:k1", service: true }
const people = { ann: person("ann", b1), ben: person("ben", b1), root: person("ann", "*"), k1: service }

const rooms: Room[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await new Promise<void>((done) => socket.disconnect(() => done()))
  for (const room of rooms.splice(0)) await room.stop()
})
async function start(options: Parameters<typeof startRoom>[0] = {}): Promise<Room> {
  const room = await startRoom({ people, ...options })
  rooms.push(room)
  return room
}
async function open(room: Room, token: string): Promise<RawClient> {
  const client = await RawClient.open(room.url(`vsn=2.0.0&token=${token}`))
  await client.join(TOPIC)
  return client
}

/** The stock client, with whatever token it has when it connects. */
function stock(room: Room, token: () => string): { readonly channel: Channel; joins(n: number): Promise<void> } {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, {
    params: () => ({ token: token() }),
    reconnectAfterMs: () => 5,
    rejoinAfterMs: () => 5,
  })
  sockets.push(socket)
  socket.connect()
  const channel = socket.channel(TOPIC)
  let joined = 0
  let wake = (): void => {}
  channel.join().receive("ok", () => {
    joined += 1
    wake()
  })
  return {
    channel,
    async joins(n) {
      while (joined < n) {
        await new Promise<void>((done) => {
          wake = done
        })
      }
    },
  }
}

test("a kick closes a person's sockets on every node with 1001 and nobody else's; the stock client comes back", async () => {
  const pubsub = localPubSub((error) => {
    throw error
  })
  const [one, two] = [await start({ pubsub }), await start({ pubsub })]
  const [here, there, ben] = [await open(one, "ann"), await open(two, "ann"), await open(two, "ben")]
  const client = stock(one, () => "ann")
  await client.joins(1)
  expect(one.realtime.kick({ recipient: ANN, businesses: null })).toBe(2)
  expect(await Promise.all([here.closed, there.closed])).toEqual([1001, 1001])
  await client.joins(2)
  expect(await ben.settled()).toEqual([])
})

test("an operator of some businesses closes the sockets that came with one of them, and no other", async () => {
  const room = await start()
  const [own, unlimited] = [await open(room, "ann"), await open(room, "root")]
  expect(room.realtime.kick({ recipient: ANN, businesses: ["b2" as BusinessId] })).toBe(0)
  expect(await own.settled()).toEqual([])
  expect(room.realtime.kick({ recipient: ANN, businesses: ["b2" as BusinessId, "b1" as BusinessId] })).toBe(1)
  expect(await own.closed).toBe(1001)
  expect(await unlimited.settled()).toEqual([])
})

test("a revoked key's sockets end within seconds: each topic is told why, then 1008; people are not asked about", async () => {
  const clock = fakeClock()
  const asked: (readonly string[])[] = []
  let revoked: readonly string[] = []
  const revokedOf = async (labels: readonly string[]) => {
    asked.push(labels)
    if (asked.length === 1) throw new Error("the database is away")
    return revoked
  }
  const room = await start({ clock, revokedOf, limits: { idleSeconds: 900 } })
  await clock.advance(2_000)
  expect(asked).toEqual([])
  const [key, ann] = [await open(room, "k1"), await open(room, "ann")]
  await clock.advance(4_000)
  expect(asked).toEqual([["key:k1"], ["key:k1"]])
  expect(await key.settled()).toEqual([])
  revoked = ["key:k1"]
  await clock.advance(2_000)
  expect(await key.frame()).toEqual(["1", "1", TOPIC, "phx_error", { reason: "key_revoked" }])
  expect(await key.closed).toBe(1008)
  expect(await ann.settled()).toEqual([])
})

test("when a token runs out its topics end in time, and the stock client comes back with a fresh one", async () => {
  const clock = fakeClock()
  const until = clock.wall().getTime() + 30_000
  const room = await start({
    clock,
    people: { short: person("ann", b1, until), fresh: person("ann", b1, until + 3_600_000) },
  })
  let token = "short"
  const client = stock(room, () => token)
  await client.joins(1)
  const raw = await open(room, "short")
  token = "fresh"
  await clock.advance(29_000)
  expect(await raw.settled()).toEqual([])
  await clock.advance(2_000)
  expect(await raw.frame()).toEqual(["1", "1", TOPIC, "phx_error", { reason: "token_expired" }])
  expect(await raw.closed).toBe(1008)
  await client.joins(2)
  await clock.advance(60_000)
  expect(client.channel.state).toBe("joined")
})
