// The path of a poll through the whole front: Elysia, body limits, the listener's patience.
import { afterAll, beforeAll, expect, test } from "bun:test"
import { LongPoll, Socket } from "phoenix"
import { SERVICE_KEY, tokenFor } from "../testing/front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

let hub: TestHub
let token: string
beforeAll(async () => {
  hub = await startTestHub({
    HUB_ANONYMOUS_TOPICS: "false",
    HUB_ALLOWED_ORIGINS: "https://app.example.com",
    HUB_TOPICS_PER_SOCKET: "2",
  })
  token = await tokenFor({ sub: "u1", tenants: [{ business: "b1", locations: ["l1"] }] })
})
afterAll(async () => {
  await hub.remove()
})

const publish = (n: number): Promise<Response> =>
  hub.call("/api/notifications", {
    key: SERVICE_KEY,
    json: {
      type: "resource_updated",
      resourceType: "reservation",
      businessId: "b1",
      locationId: "l1",
      resourceId: `r${n}`,
      timestamp: "2026-01-08T10:00:00.000Z",
    },
  })

for (const [n, how] of (["params", "authToken"] as const).entries()) {
  test(`the stock client polls with its token by ${how}, and is pushed what the hub accepts`, async () => {
    const carried = how === "params" ? { params: { token } } : { authToken: token }
    const socket = new Socket(`http://127.0.0.1:${hub.port}/socket`, { ...carried, transport: LongPoll })
    socket.connect()
    const channel = socket.channel("resources:b1-l1")
    const pushed = new Promise<unknown>((done) => channel.on("resource_update", done))
    await new Promise((done, failed) => channel.join().receive("ok", done).receive("error", failed))
    expect((await publish(n)).status).toBe(202)
    expect(await pushed).toMatchObject({ businessId: "b1", locationId: "l1" })
    await new Promise((done) => channel.leave().receive("ok", done))
    await new Promise<void>((done) => socket.disconnect(() => done()))
  })
}

test("every method and a large body are answered by the room, with nothing of the hub's own in between", async () => {
  const path = "/socket/longpoll?vsn=2.0.0"
  const open = await hub.call(`${path}&token=${token}`, { key: null })
  const session = ((await open.json()) as { token: string }).token
  expect(open.headers.get("cache-control")).toBe("no-store")
  const post = (headers: Record<string, string>, body: string) =>
    hub.call(`${path}&token=${session}`, { key: null, method: "POST", headers, body })
  const ndjson = { "content-type": "application/x-ndjson" }
  expect(await (await post(ndjson, `[null,"1","phoenix","heartbeat",{}]`)).json()).toEqual({ status: 200 })
  expect(await (await post(ndjson, "x".repeat(1024 * 1024 + 1))).json()).toEqual({ status: 413 })
  expect(await (await post({ ...ndjson, origin: "https://evil.example" }, "")).json()).toEqual({ status: 403 })
  const options = await hub.call(path, { key: null, method: "OPTIONS", headers: { origin: "https://app.example.com" } })
  expect([options.status, options.headers.get("access-control-allow-methods")]).toEqual([200, "get, post, options"])
  for (const method of ["HEAD", "PUT", "PATCH", "DELETE"]) {
    expect((await hub.call(path, { key: null, method })).status).toBe(400)
  }
})

test("so many topics as the setting says are joined on one connection, and no more", async () => {
  const operator = await tokenFor({ sub: "u2", roles: ["admin"], tenants: "*" })
  const socket = new Socket(`http://127.0.0.1:${hub.port}/socket`, { params: { token: operator } })
  socket.connect()
  const join = (topic: string) =>
    new Promise((done) =>
      socket
        .channel(topic)
        .join()
        .receive("ok", () => done("ok"))
        .receive("error", done),
    )
  expect(await join("resources:b1:l1")).toBe("ok")
  expect(await join("resources:b1:l2")).toBe("ok")
  expect(await join("resources:b1:l3")).toEqual({ reason: "too many channels joined" })
  await new Promise<void>((done) => socket.disconnect(() => done()))
})
