/** The supervision tree of a whole hub, as its operator meets it: over HTTP, over a socket, in the metrics. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Channel, Socket } from "phoenix"
import type { ActorLine, ActorTree } from "../telemetry/actor-tree.ts"
import { jsonOf, SERVICE_KEY, tokenFor } from "../testing/front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

const PERSON = "canary@example.com"

let hub: TestHub
const sockets: Socket[] = []
beforeAll(async () => {
  hub = await startTestHub()
})
afterAll(async () => {
  for (const socket of sockets) await new Promise<void>((done) => socket.disconnect(() => done()))
  await hub.remove()
})

function channelOf(token: string, topic: string, of: TestHub = hub): Channel {
  const socket = new Socket(`ws://127.0.0.1:${of.port}/socket`, { params: { token } })
  sockets.push(socket)
  socket.connect()
  return socket.channel(topic)
}
const joined = <T>(channel: Channel): Promise<T> =>
  new Promise((done, refuse) => {
    channel
      .join()
      .receive("ok", (response: unknown) => done(response as T)) // the test says what it expects, and checks
      .receive("error", (reason: unknown) => refuse(new Error(JSON.stringify(reason))))
  })
const flat = (line: ActorLine): ActorLine[] => [line, ...(line.children ?? []).flatMap(flat)]
const lineOf = ({ tree }: ActorTree, id: string): ActorLine | undefined => flat(tree).find((line) => line.id === id)
const restart = (id: string, key?: string): Promise<Response> =>
  hub.call(`/admin/actors/${encodeURIComponent(id)}/restart`, { method: "POST", ...(key === undefined ? {} : { key }) })

test("an admin who watches sees a part restarted, by whom it was asked or not, as it happens", async () => {
  const admin = await tokenFor({ sub: "root", role: "admin", tenants: "*" })
  const channel = channelOf(admin, "dashboard")
  const again = new Promise<ActorTree>((done) => {
    channel.on("actors", (tree: ActorTree) => {
      const line = lineOf(tree, "rescuer")
      if (line?.incarnation === 2 && line.state === "running") done(tree)
    })
  })
  const { actors } = await joined<{ actors: ActorTree }>(channel)
  expect(lineOf(actors, "rescuer")).toMatchObject({ state: "running", incarnation: 1, mailbox: { depth: 0 } })
  expect((await restart("rescuer")).status).toBe(200)
  const pushed = await again
  expect(pushed.node).toMatch(/^hubbub-[0-9a-f]{4}$/)
  const asked = await jsonOf<ActorTree>(hub.call("/admin/actors"))
  expect(asked.node).toBe(pushed.node)
  expect(flat(asked.tree).map(({ id }) => id)).toEqual(flat(pushed.tree).map(({ id }) => id))
})

test("the hub's admins are let in, its services and people are not", async () => {
  const person = await tokenFor({ sub: "u1", business_id: "b1" })
  for (const key of [person, SERVICE_KEY]) expect((await hub.call("/admin/actors", { key })).status).toBe(403)
  await expect(joined(channelOf(person, "dashboard"))).rejects.toThrow("unauthorized")
  expect((await hub.call("/admin/actors", { key: null })).status).toBe(401)
})

test("from an address where operators may not come from, an admin is refused by HTTP and by the socket alike", async () => {
  const elsewhere = await startTestHub({ HUB_ADMIN_ALLOW: "10.0.0.0/8" })
  const admin = await tokenFor({ sub: "root", role: "admin", tenants: "*" })
  const channel = channelOf(admin, "dashboard", elsewhere)
  const refused = await joined(channel).catch((error: Error) => error.message)
  const status = (await elsewhere.call("/admin/actors", { key: admin })).status
  await new Promise<void>((done) => sockets.pop()?.disconnect(() => done()))
  await elsewhere.remove()
  expect([refused, status]).toEqual([JSON.stringify({ reason: "unauthorized" }), 403])
}, 30_000)

test("an admin of one business is shown its topics alone, over HTTP and over the socket", async () => {
  const of = (business: string) => tokenFor({ sub: "u1", role: "admin", business_id: business })
  const [b1, b2] = await Promise.all([of("b1"), of("b2")])
  await joined(channelOf(b1, "resources:b1:l1"))
  await joined(channelOf(b2, "resources:b2:l1"))
  const { actors } = await joined<{ actors: ActorTree }>(channelOf(b1, "dashboard"))
  for (const tree of [actors, await jsonOf<ActorTree>(hub.call("/admin/actors", { key: b1 }))]) {
    expect(lineOf(tree, "topic resources:b1:l1")).toMatchObject({ kind: "topic", state: "running" })
    expect(lineOf(tree, "topics")?.children_count).toBeGreaterThan(1)
    expect(JSON.stringify(tree)).not.toContain("b2")
  }
  expect((await restart("topic resources:b2:l1", b1)).status).toBe(404)
  expect((await restart("rescuer", b1)).status).toBe(403)
})

test("what cannot be stopped under a running hub is not", async () => {
  for (const id of ["http", "hub"]) expect((await restart(id)).status).toBe(409)
  expect((await hub.call("/ready")).status).toBe(200)
})

test("every other part can be restarted, one after the other, and the hub works on", async () => {
  const admin = await tokenFor({ sub: "root", role: "admin", tenants: "*" })
  await joined(channelOf(admin, "resources:b1:l1"))
  const { tree } = await jsonOf<ActorTree>(hub.call("/admin/actors"))
  const parts = flat(tree).filter(({ kind, id }) => kind !== "topic" && !["http", "hub"].includes(id))
  expect(parts.length).toBeGreaterThan(12)
  for (const { id } of parts) expect([id, (await restart(id)).status]).toEqual([id, 200])

  const channel = channelOf(admin, "resources:b1:l1")
  const heard = new Promise<unknown>((done) => channel.on("resource_update", done))
  await joined(channel)
  const update = {
    type: "resource_updated",
    resourceType: "invoice",
    resourceId: "inv-1",
    businessId: "b1",
    locationId: "l1",
    timestamp: "2026-01-05T09:00:00.000Z",
  }
  expect((await hub.call("/api/notifications", { json: update })).ok).toBe(true)
  await heard
  const now = await jsonOf<ActorTree>(hub.call("/admin/actors"))
  expect(flat(now.tree).filter(({ state }) => state !== "running")).toEqual([])
}, 60_000)

test("a listener that was started anew takes requests and sockets on its port again", async () => {
  const admin = await tokenFor({ sub: "root", role: "admin", tenants: "*" })
  const channel = channelOf(admin, "resources:b1:l1")
  const back = new Promise<void>((done) => channel.on("resource_update", () => done()))
  let joins = 0
  const { promise: first, resolve: once } = Promise.withResolvers<void>()
  const { promise: rejoined, resolve: twice } = Promise.withResolvers<void>()
  channel.join().receive("ok", () => (++joins === 1 ? once() : twice()))
  await first
  expect(await hub.tree.restart("http")).toEqual({ kind: "restarted" })
  await rejoined
  expect((await hub.call("/ready")).status).toBe(200)
  const update = {
    type: "resource_created",
    resourceType: "table",
    resourceId: "t1",
    businessId: "b1",
    locationId: "l1",
  }
  const timestamp = "2026-01-05T10:00:00.000Z"
  expect((await hub.call("/api/notifications", { json: { ...update, timestamp } })).status).toBe(202)
  await back
}, 30_000)

test("who a topic belongs to is in no tree, no frame and no metric", async () => {
  const frames: string[] = []
  const dashboard = channelOf(await tokenFor({ sub: "root", role: "admin", tenants: "*" }), "dashboard")
  const told = new Promise<void>((done) => {
    dashboard.on("actors", (tree: ActorTree) => {
      frames.push(JSON.stringify(tree))
      if (frames.join("").includes("topic notifications:#")) done()
    })
  })
  frames.push(JSON.stringify(await joined(dashboard)))
  const own = await tokenFor({ sub: PERSON, business_id: "b1" })
  await joined(channelOf(own, `notifications:${PERSON}`))
  await told
  const tree = await (await hub.call("/admin/actors")).text()
  const metrics = await (await hub.call("/metrics")).text()
  const health = await jsonOf<{ parts: { actors: unknown } }>(hub.call("/health/detailed", { key: null }))
  expect(health.parts.actors).toMatchObject({ status: "up", backoff: 0, gave_up: 0, stuck: 0 })
  expect(metrics).toContain('hub_actors{kind="topic",state="running"}')
  expect(metrics).toContain('hub_actor_restarts_total{kind="router"} 0')
  expect([...frames, tree, metrics, JSON.stringify(health)].join("\n")).not.toContain("canary")
  expect(tree).toContain("topic notifications:#")
})
