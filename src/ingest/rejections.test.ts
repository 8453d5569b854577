import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test"
import { systemClock } from "../runtime/clock.ts"
import { startTree } from "../runtime/supervisor.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { listRejected } from "../store/rejected.ts"
import { createTelemetry } from "../telemetry/bus.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"
import { business } from "../testing/builders.ts"
import { eventually } from "../testing/eventually.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { createRejections, type RejectedInput } from "./rejections.ts"

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
beforeEach(async () => {
  await db.execute("delete from rejected")
})

const input = (changes: Partial<RejectedInput> = {}): RejectedInput => ({
  via: "http",
  code: "invalid",
  business: null,
  origin: "POST /v1/events",
  detail: "/type: required",
  errors: [{ pointer: "/type", detail: "required" }],
  raw: Buffer.from('{"source":"x"}'),
  identity: null,
  ...changes,
})
const door = (on: Database = db) => createRejections({ db: on, clock: systemClock, telemetry: createTelemetry() })
const list = () => listRejected(db, { businesses: null, limit: 200 })
const total = async () => (await list()).rejected.reduce((sum, row) => sum + Number(row["count"]), 0)

test("what is kept is there when it says so, with its errors and its text", async () => {
  await door().keep([input({ business: business("b1"), code: "malformed", via: "webhook" })])
  const { rejected, groups } = await list()
  expect(rejected).toHaveLength(1)
  expect(rejected[0]).toMatchObject({
    via: "webhook",
    code: "malformed",
    business_id: "b1",
    origin: "POST /v1/events",
    count: 1,
    detail: "/type: required",
    errors: [{ pointer: "/type", detail: "required" }],
    raw: '{"source":"x"}',
    bytes: 14,
  })
  expect(groups).toEqual([{ via: "webhook", code: "malformed", count: 1 }])
})

test("one delivery brought again and again is one row that counts one", async () => {
  const poison = input({ via: "nats", identity: "7:1700" })
  await door().keep([poison, poison])
  await door().keep([poison])
  expect(await list()).toMatchObject({ rejected: [{ count: 1 }] })
})

test("the same bytes sent again are one row that counts each of them", async () => {
  await door().keep([input(), input()])
  await door().keep([input()])
  const { rejected, groups } = await list()
  expect(rejected).toMatchObject([{ count: 3 }])
  expect(groups).toEqual([{ via: "http", code: "invalid", count: 3 }])
})

test("a flood of refusals over HTTP is a few rows whose counts are the whole", async () => {
  const rejections = door()
  for (let n = 0; n < 5_000; n++) {
    const code = n % 5 === 0 ? "malformed" : "invalid"
    rejections.note(input({ code, raw: Buffer.from(`{"n":${n}}`), business: business(`b${n % 3}`) }))
  }
  await eventually(total, (count) => count === 5_000, { withinMs: 5_000, what: "the sum of the counts" })
  const { rejected, groups } = await list()
  expect(rejected.length).toBeGreaterThanOrEqual(6)
  expect(rejected.length).toBeLessThanOrEqual(30)
  expect(groups).toEqual([
    { via: "http", code: "invalid", count: 4_000 },
    { via: "http", code: "malformed", count: 1_000 },
  ])
})

test("what was noted just before the stop is written by it", async () => {
  const rejections = door()
  const tree = await startTree(rejections.child, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  rejections.note(input())
  await tree.stop()
  expect(await total()).toBe(1)
})

test("a note never fails while the database is away, and is counted when it is back", async () => {
  let away = true
  let refusals = 0
  const said: TelemetryEvent[] = []
  const flaky: Database = {
    ...db,
    async execute(text, values) {
      if (!away) return db.execute(text, values)
      refusals += 1
      throw Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" })
    },
  }
  const rejections = createRejections({ db: flaky, clock: systemClock, telemetry: { emit: (e) => said.push(e) } })
  const tree = await startTree(rejections.child, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  rejections.note(input())
  await expect(rejections.keep([input({ identity: "1" })])).rejects.toThrow("connect refused")
  await eventually(
    async () => refusals,
    (count) => count === 2,
    { withinMs: 5_000, what: "the note's first write" },
  )
  away = false
  await tree.stop()
  expect(await total()).toBe(1)
  expect(said).toEqual([])
})

test("only the first 16 KiB are kept, whole characters of them; what is no text is shown in base64", async () => {
  const long = Buffer.from(`x${"é".repeat(20_000)}`)
  const noise = Buffer.from([0xff, 0x00, 0xfe])
  await door().keep([input({ raw: long, code: "too_large" }), input({ raw: noise, code: "malformed" })])
  const { rejected } = await list()
  const [large, binary] = ["too_large", "malformed"].map((code) => rejected.find((row) => row["code"] === code))
  expect(large?.["raw"]).toBe(`x${"é".repeat(8_191)}`)
  expect(large?.["bytes"]).toBe(40_001)
  expect(binary).toMatchObject({ raw: null, raw_base64: noise.toString("base64") })
})

test("text that PostgreSQL cannot hold does not keep a rejected input from being kept", async () => {
  await door().keep([
    input({ origin: "hub.events.\0x\ud800", raw: Buffer.from('{"a":"\\u0000"}\0'), detail: "a \0 b \udfff" }),
  ])
  expect((await list()).rejected).toMatchObject([{ origin: "hub.events.x�", detail: "a \0 b \udfff" }])
})
