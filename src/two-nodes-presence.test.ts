/** Two hubs are one hub for who is present, too: also when one of them is killed, and when it comes back. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Presence, Socket } from "phoenix"
import { tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { startNats, type TestNats } from "./testing/nats.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

let database: TestDatabase
let nats: TestNats
const hubs: HubProcess[] = []
const sockets: Socket[] = []

const start = async (port = 0): Promise<HubProcess> => {
  const hub = await startHubProcess({ databaseUrl: database.url, port, settings: { NATS_URL: nats.url } })
  hubs.push(hub)
  return hub
}
beforeAll(async () => {
  ;[database, nats] = await Promise.all([testDatabase(), startNats()])
})
afterAll(async () => {
  for (const socket of sockets) socket.disconnect()
  for (const hub of hubs) hub.signal("SIGTERM")
  await Promise.all(hubs.map((hub) => hub.exited))
  await Promise.all([database.drop(), nats.stop()])
})

/** The stock client, as long as the test lasts; `told` is each coming and going as its Presence tells of it. */
async function watch(hub: HubProcess, sub: string, topic: string) {
  const token = await tokenFor({ sub, tenants: [{ business: "b1" }] })
  const socket = new Socket(`ws://127.0.0.1:${hub.port}/socket`, { params: { token }, reconnectAfterMs: () => 50 })
  sockets.push(socket)
  socket.connect()
  const channel = socket.channel(topic, { presence: { name: sub } })
  const presence = new Presence(channel)
  const told: string[] = []
  let wake = (): void => {}
  presence.onJoin((key) => void told.push(`+${key}`))
  presence.onLeave((key) => void told.push(`-${key}`))
  presence.onSync(() => wake())
  channel.join()
  return {
    told,
    /** When these are the people there. */
    async until(...people: readonly string[]): Promise<void> {
      const keys = () => presence.list((key: string) => key).sort()
      while (!Bun.deepEquals(keys(), [...people].sort())) {
        await new Promise<void>((done) => {
          wake = done
        })
      }
    },
  }
}

test("a killed node's people leave once, within seconds, and when it is back all see all again", async () => {
  const [one, two] = await Promise.all([start(), start()])
  const ann = await watch(one, "ann", "resources:b1:l1")
  const bob = await watch(one, "bob", "resources:b1:l1")
  const cat = await watch(two, "cat", "resources:b1-l1")
  await Promise.all([ann, bob, cat].map((each) => each.until("ann", "bob", "cat")))
  two.signal("SIGKILL")
  const killed = performance.now()
  await Promise.all([ann, bob].map((each) => each.until("ann", "bob")))
  expect(performance.now() - killed).toBeLessThan(8_000)
  await two.exited
  // The same address, another process: its client comes back by itself.
  await start(two.port)
  await Promise.all([ann, bob, cat].map((each) => each.until("ann", "bob", "cat")))
  for (const each of [ann, bob])
    expect(each.told.filter((word) => word.endsWith("cat"))).toEqual(["+cat", "-cat", "+cat"])
  for (const each of [ann, bob]) expect(each.told.filter((word) => word.startsWith("-"))).toEqual(["-cat"])
}, 40_000)
