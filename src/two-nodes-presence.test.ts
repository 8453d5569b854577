/** Two hubs are one hub for who is present, too: also when one of them is killed, and when it comes back. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Presence, Socket } from "phoenix"
import { ADMIN_KEY, jsonOf, tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { startNats, type TestNats } from "./testing/nats.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"
import { RawClient } from "./testing/realtime-room.ts"

let database: TestDatabase
let nats: TestNats
const hubs: HubProcess[] = []
/** The two that run once one was killed. */
let living: readonly HubProcess[] = []
const sockets: Socket[] = []
const tokens: string[] = []

const start = async (port = 0): Promise<HubProcess> => {
  // Everything that it can be brought to say.
  const settings = { NATS_URL: nats.url, LOG_LEVEL: "debug" }
  const hub = await startHubProcess({ databaseUrl: database.url, port, settings })
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
  tokens.push(token)
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
  living = [one, await start(two.port)]
  await Promise.all([ann, bob, cat].map((each) => each.until("ann", "bob", "cat")))
  for (const each of [ann, bob])
    expect(each.told.filter((word) => word.endsWith("cat"))).toEqual(["+cat", "-cat", "+cat"])
  for (const each of [ann, bob]) expect(each.told.filter((word) => word.startsWith("-"))).toEqual(["-cat"])
}, 40_000)

test("a kick that one node is asked for closes the person's sockets on the other, which come back", async () => {
  const [asked, other] = living
  if (asked === undefined || other === undefined) throw new Error("the hubs of the test before")
  const dan = await RawClient.open(
    `ws://127.0.0.1:${other.port}/socket/websocket?vsn=2.0.0&token=${await tokenFor({ sub: "dan" })}`,
  )
  const answer = await fetch(`http://127.0.0.1:${asked.port}/admin/sockets/kick`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ recipient_id: "dan" }),
  })
  expect(await jsonOf(answer)).toMatchObject({ closed_here: 0 })
  expect(await dan.closed).toBe(1001)
})

test("no token is in anything that a hub says, however it came, good or bad", async () => {
  const [hub] = living
  if (hub === undefined) throw new Error("the hub of the tests before")
  const good = await tokenFor({ sub: "eve" })
  const bad = [`${good.slice(0, -6)}AAAAAA`, "not-a-token-but-a-secret-word", await tokenFor({ sub: "eve", exp: 1 })]
  const at = (path: string, query: string) => `ws://127.0.0.1:${hub.port}${path}?${query}`
  const carrier = (token: string) => ["phoenix", `base64url.bearer.phx.${btoa(token).replaceAll("=", "")}`]
  const ways = (token: string): readonly (() => Promise<unknown>)[] => [
    () => RawClient.open(at("/socket/websocket", `vsn=2.0.0&token=${token}`)),
    () => RawClient.open(at("/socket/websocket", "vsn=2.0.0"), carrier(token)),
    () => RawClient.open(at("/ws/notifications", `token=${token}`)),
    () => RawClient.open(at("/v1/ws", `token=${token}`)),
    () => RawClient.open(at("/socket/websocket", `vsn=9.9.9&token=${token}`)),
    () => fetch(at("/socket/longpoll", `vsn=2.0.0&token=${token}`).replace("ws:", "http:")),
    () => fetch(at("/socket/websocket", `token=${token}`).replace("ws:", "http:")),
    () => fetch(at("/no/such/path", `token=${token}`).replace("ws:", "http:")),
  ]
  for (const token of [good, ...bad]) {
    for (const way of ways(token)) {
      const came = await way().catch(() => null)
      if (came instanceof RawClient) {
        came.send(["1", "1", "notifications:eve", "phx_join", {}])
        came.close()
        await came.closed
      }
    }
  }
  const metrics = await (await fetch(`http://127.0.0.1:${hub.port}/metrics`)).text()
  const said = hubs.map((each) => each.log()).join("\n") + metrics
  expect(said).toContain("socket_refused")
  for (const token of [...tokens, good, ...bad]) {
    // Nor any part of it that says something, nor in the spelling of the sub-protocol.
    for (const part of [...token.split("."), btoa(token).slice(0, 60)].filter(({ length }) => length > 20)) {
      if (!HEADER.test(part)) expect(said.includes(part)).toBe(false)
    }
  }
})

/** The first part of every token says only how it is signed. */
const HEADER = /^eyJhbGciOiJIUzI1NiJ9$/
