import { afterEach, beforeEach, expect, test } from "bun:test"
import { join } from "node:path"
import { SignJWT } from "jose"
import type { Pool } from "pg"
import { type TestDatabase, testDatabase } from "../../src/testing/postgres.ts"
import { openDatabase } from "./database.ts"
import { createApp } from "./http.ts"
import { tellHub } from "./hub.ts"
import { outboxState, type ResourceMessage } from "./outbox.ts"
import { type Relay, startRelay } from "./relay.ts"
import { openResources } from "./resources.ts"
import { type Heard, problem, type StandInHub, startStandInHub } from "./stand-in-hub.ts"
import { admitter } from "./tenancy.ts"

const SECRET = "a secret of the tests, long enough for HS256"
const KEY = "key-of-the-tests-24-chars"

let database: TestDatabase
let pool: Pool
let hub: StandInHub
const relays: Relay[] = []
let wake = (): void => {}

beforeEach(async () => {
  database = await testDatabase()
  pool = await openDatabase(database.url)
  hub = startStandInHub()
})

afterEach(async () => {
  await hub.down()
  await Promise.all(relays.splice(0).map((relay) => relay.stop()))
  wake = () => {}
  await pool.end()
  await database.drop()
})

test("a change and its news are committed together", async () => {
  const created = await call("POST", "/resources/b1-l1", { id: "r1", guests: 4 })
  expect(created.status).toBe(201)
  expect(await created.json()).toMatchObject({ id: "r1", businessId: "b1", locationId: "l1", data: { guests: 4 } })

  expect(await waiting()).toMatchObject([
    {
      type: "resource_created",
      resourceType: "reservation",
      businessId: "b1",
      locationId: "l1",
      resourceId: "r1",
      shardId: "shard-001",
      data: { guests: 4 },
    },
  ])
})

test("a change whose news cannot be written is undone", async () => {
  await pool.query(`
    create function resources_server.no_news() returns trigger language plpgsql as $$ begin raise 'no news'; end $$;
    create trigger no_news before insert on resources_server.outbox
      for each row when (new.message like '%r-silent%') execute function resources_server.no_news()`)

  expect((await call("POST", "/resources/b1-l1", { id: "r-silent" })).status).toBe(503)

  expect((await call("GET", "/resources/b1-l1/r-silent")).status).toBe(404)
  expect(await waiting()).toEqual([])
})

test("an operation that does not succeed is no news", async () => {
  await call("POST", "/resources/b1-l1", { id: "r1" })

  expect((await call("POST", "/resources/b1-l1", { id: "r1" })).status).toBe(409)
  expect((await call("PUT", "/resources/b1-l1/r2", { guests: 1 })).status).toBe(404)
  expect((await call("DELETE", "/resources/b1-l1/r2")).status).toBe(404)
  expect((await call("POST", "/resources/b1-l1", { id: "r3", name: "\u0000" })).status).toBe(422)

  expect(await waiting()).toHaveLength(1)
})

test("each operation tells of the resource as it is afterwards", async () => {
  await call("POST", "/resources/b1-l1", { id: "r1", guests: 4, table: { number: 7, room: "garden" } })
  await call("PUT", "/resources/b1-l1/r1", { guests: 5, table: { number: 7, room: "garden" } })
  await call("PATCH", "/resources/b1-l1/r1", { guests: null, table: { room: "hall" } })
  expect((await call("DELETE", "/resources/b1-l1/r1")).status).toBe(204)

  expect((await waiting()).map(({ type, data }) => ({ type, data }))).toEqual([
    { type: "resource_created", data: { guests: 4, table: { number: 7, room: "garden" } } },
    { type: "resource_updated", data: { guests: 5, table: { number: 7, room: "garden" } } },
    { type: "resource_patched", data: { table: { number: 7, room: "hall" } } },
    { type: "resource_deleted", data: { table: { number: 7, room: "hall" } } },
  ])
})

test("what the hub misses while it is away reaches it later, all of it, once and in order", async () => {
  await hub.down()
  relay()
  await call("POST", "/resources/b1-l1", { id: "r1", step: 1 })
  await call("POST", "/resources/b1-l2", { id: "r2", step: 1 }, { location: "l2" })
  for (const step of [2, 3, 4]) {
    await call("PATCH", "/resources/b1-l1/r1", { step })
    await call("PATCH", "/resources/b1-l2/r2", { step }, { location: "l2" })
  }
  hub.script(
    () => new Response("broken", { status: 500 }),
    () => problem(503, "unavailable", { "retry-after": "0" }),
    () => new Response("<h1>Not Found</h1>", { status: 404 }),
    () => problem(401, "unauthenticated"),
    () => new Response("<h1>Welcome</h1>", { status: 200 }),
  )
  hub.up()
  await hub.acceptances(8)
  await settled()

  const told = hub.accepted.map(readMessage)
  expect(told.filter(({ resourceId }) => resourceId === "r1").map(stepOf)).toEqual([1, 2, 3, 4])
  expect(told.filter(({ locationId }) => locationId === "l2").map(stepOf)).toEqual([1, 2, 3, 4])
  expect(new Set(hub.accepted.map(({ key }) => key)).size).toBe(8)
  for (const { key, body } of hub.heard) expect(hub.accepted).toContainEqual(expect.objectContaining({ key, body }))
  expect(await outboxState(pool)).toEqual({ waiting: 0, oldest_seconds: null, parked: [] })
})

test("a server that is killed after the hub's 202 and before its own note sends the same key again", async () => {
  await call("POST", "/resources/b1-l1", { id: "r1" })
  const first = spawnServer()
  hub.script(async () => {
    first.kill("SIGKILL") // the hub has it; the server will never know
    await first.exited
    return Response.json({ id: "evt_1", status: "accepted" }, { status: 202 })
  })
  await hub.calls(1)
  await first.exited
  expect((await outboxState(pool)).waiting).toBe(1)

  const second = spawnServer()
  await hub.calls(2)
  second.kill("SIGTERM")
  expect(await second.exited).toBe(0)

  expect(hub.heard[1]).toMatchObject({ key: hub.heard[0]?.key ?? "", body: hub.heard[0]?.body ?? "" })
  expect((await outboxState(pool)).waiting).toBe(0)
}, 20_000)

test("the hub's answer that it is a duplicate ends the matter", async () => {
  hub.script(() => Response.json({ id: "evt_1", status: "duplicate" }, { status: 202 }))
  relay()
  await call("POST", "/resources/b1-l1", { id: "r1" })
  await hub.calls(1)
  await settled()

  expect(hub.heard).toHaveLength(1)
  expect((await outboxState(pool)).waiting).toBe(0)
})

test("a hub that names a time is left in peace until then", async () => {
  hub.script(() => problem(429, "rate_limited", { "retry-after": "1" }))
  relay()
  await call("POST", "/resources/b1-l1", { id: "r1" })
  await hub.calls(1)
  await call("POST", "/resources/b1-l1", { id: "r2" })
  await hub.acceptances(2)

  expect((hub.heard[1]?.at ?? 0) - (hub.heard[0]?.at ?? 0)).toBeGreaterThan(950)
})

test("what the hub refuses for good is parked, shown, and does not hold up what follows", async () => {
  hub.script(() => problem(422, "invalid"))
  relay()
  await call("POST", "/resources/b1-l1", { id: "r1" })
  await call("POST", "/resources/b1-l1", { id: "r2" })
  await hub.acceptances(1)
  await settled()

  expect(hub.accepted.map(readMessage)).toMatchObject([{ resourceId: "r2" }])
  const health = await app().handle(new Request("http://localhost/health"))
  expect(await health.json()).toMatchObject({
    status: "ok",
    outbox: { waiting: 0, parked: [{ id: hub.heard[0]?.key ?? "", reason: "422 invalid" }] },
  })
})

test("a message that the hub stumbles over holds up its own place and no other", async () => {
  const stumble = (heard: Heard): Response =>
    readMessage(heard).locationId === "l1"
      ? problem(500, "internal")
      : Response.json({ id: "evt_1", status: "accepted" }, { status: 202 })
  hub.script(...Array.from({ length: 40 }, () => stumble))
  await call("POST", "/resources/b1-l1", { id: "r1" })
  for (const id of ["r2", "r3", "r4"]) await call("POST", "/resources/b1-l2", { id }, { location: "l2" })
  relay()
  await hub.acceptances(1) // r1, when the stumbling ends
  await settled()

  const others = hub.heard.filter((heard) => readMessage(heard).locationId === "l2")
  expect(others.map((heard) => readMessage(heard).resourceId)).toEqual(["r2", "r3", "r4"])
  expect(hub.heard.indexOf(others[2] as Heard)).toBeLessThan(10) // there are three: the line above says so
})

test("several relays on one outbox send each message once, and each place in order", async () => {
  const places = ["l1", "l2", "l3"]
  await Promise.all(places.map((location) => call("POST", `/resources/b1-${location}`, { id: "r1" }, { location })))
  relay()
  relay()
  const steps = Array.from({ length: 20 }, (_, step) => step)
  await Promise.all(
    places.flatMap((location) =>
      steps.map((step) => call("PATCH", `/resources/b1-${location}/r1`, { [`s${step}`]: true }, { location })),
    ),
  )
  await hub.acceptances(63)
  await settled()

  expect(hub.heard).toHaveLength(63)
  for (const location of places) {
    const told = hub.accepted.map(readMessage).filter((message) => message.locationId === location)
    // Each patch adds a field, so whoever holds the messages in order sees the resource grow by one each time.
    expect(told.map(({ data }) => Object.keys(data ?? {}).length)).toEqual([0, ...steps.map((step) => step + 1)])
  }
})

test("a token opens the places of its tenancy and no other", async () => {
  const mine = { token: await tokenOf({ tenants: [{ business: "b1", locations: ["l1"] }] }) }
  expect((await call("POST", "/resources/b1-l1", { id: "r1" }, mine)).status).toBe(201)
  expect((await call("POST", "/resources/b1-l2", { id: "r1" }, { ...mine, location: "l2" })).status).toBe(403)
  expect((await call("GET", "/resources/b2-l1/r1", undefined, { ...mine, business: "b2" })).status).toBe(403)

  const erp = { token: await tokenOf({ business_id: "b1", branch_ids: ["l2"] }) }
  expect((await call("GET", "/resources/b1-l1/r1", undefined, erp)).status).toBe(403)
  expect((await call("GET", "/resources/b1-l1/r1", undefined, { token: await tokenOf({}) })).status).toBe(403)
  expect((await call("GET", "/resources/b1-l1/r1", undefined, { token: await tokenOf({ tenants: "*" }) })).status).toBe(
    200,
  )
})

test("a token that is late, unsigned or without an end is refused", async () => {
  const unsigned = `${btoa('{"alg":"none"}')}.${btoa('{"tenants":"*","exp":9999999999}')}.`.replaceAll("=", "")
  for (const token of [await tokenOf({ tenants: "*" }, "-1h"), await tokenOf({ tenants: "*" }, null), unsigned, ""])
    expect((await call("GET", "/resources/b1-l1/r1", undefined, { token })).status).toBe(401)
})

test("a path is taken whole: one that its headers do not spell is refused, and places that spell alike stay apart", async () => {
  const both = { token: await tokenOf({ tenants: [{ business: "a" }, { business: "a-b" }] }) }
  const first = { ...both, business: "a", location: "b-c" }
  const second = { ...both, business: "a-b", location: "c" }
  expect((await call("POST", "/resources/a-b-c", { id: "r1" }, first)).status).toBe(201)
  expect((await call("GET", "/resources/a-b-c/r1", undefined, second)).status).toBe(404)
  expect((await call("GET", "/resources/a-b-c/r1", undefined, { ...first, location: "b" })).status).toBe(400)

  const onlySecond = { ...first, token: await tokenOf({ tenants: [{ business: "a-b" }] }) }
  expect((await call("GET", "/resources/a-b-c/r1", undefined, onlySecond)).status).toBe(403)
})

test("the documentation describes every operation and loads nothing from other hosts", async () => {
  const response = await app().handle(new Request("http://localhost/api/json"))
  const description = (await response.json()) as { paths: Record<string, object> } // an OpenAPI document has them
  const operations = Object.entries(description.paths).map(([path, methods]) => [path, Object.keys(methods)])
  expect(Object.fromEntries(operations)).toEqual({
    "/health": ["get"],
    "/resources/{place}": ["get", "post"],
    "/resources/{place}/{id}": ["get", "put", "patch", "delete"],
  })
  const page = await (await app().handle(new Request("http://localhost/api"))).text()
  expect(page).not.toMatch(/(src|href)="(https?:)?\/\//)
})

function app() {
  return createApp({
    resources: openResources(pool, "shard-001", () => wake()),
    admit: admitter(SECRET),
    outbox: () => outboxState(pool),
    trouble: () => relays[0]?.trouble() ?? null,
  })
}

function relay(): void {
  const to = { url: hub.url, key: KEY, timeoutMs: 2_000 }
  const started = startRelay({
    pool,
    send: ({ id, message }) => tellHub(to, id, message),
    width: 3,
    pollMs: 50,
    pauseMs: 2,
    longestPauseMs: 20,
  })
  relays.push(started)
  wake = () => {
    for (const each of relays) each.wake()
  }
}

/** Lets the relays finish what is under way, so that the outbox says what became of it. */
async function settled(): Promise<void> {
  await Promise.all(relays.splice(0).map((each) => each.stop()))
}

function spawnServer() {
  return Bun.spawn([process.execPath, join(import.meta.dir, "main.ts")], {
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      JWT_SECRET: SECRET,
      HUB_API_KEY: KEY,
      HUB_URL: hub.url,
      PORT: "0",
    },
    stdio: ["ignore", "ignore", "ignore"],
  })
}

async function call(
  method: string,
  path: string,
  body?: Record<string, unknown>,
  { business = "b1", location = "l1", token }: { business?: string; location?: string; token?: string } = {},
): Promise<Response> {
  const bearer = token ?? (await tokenOf({ tenants: "*" }))
  const headers = {
    authorization: `Bearer ${bearer}`,
    "content-type": "application/json",
    "x-business-id": business,
    "x-location-id": location,
    "x-resource-type": "reservation",
  }
  const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
  return app().handle(new Request(`http://localhost${path}`, init))
}

function tokenOf(claims: Record<string, unknown>, ends: string | null = "5m"): Promise<string> {
  const token = new SignJWT({ sub: "host.1", ...claims }).setProtectedHeader({ alg: "HS256" })
  return (ends === null ? token : token.setExpirationTime(ends)).sign(new TextEncoder().encode(SECRET))
}

type Told = ResourceMessage & { readonly data: Record<string, unknown> | undefined }
const parse = (text: string): Told => JSON.parse(text)
const readMessage = ({ body }: Heard): Told => parse(body)
const stepOf = ({ data }: Told): unknown => data?.["step"]

async function waiting(): Promise<readonly Told[]> {
  const { rows } = await pool.query<{ message: string }>(
    "select message from resources_server.outbox where parked_at is null order by seq",
  )
  return rows.map(({ message }) => parse(message))
}
