import { afterEach, expect, test } from "bun:test"
import type { SendingChannel } from "../domain/channel.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import type { Database } from "../store/database.ts"
import { eventually } from "../testing/eventually.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { createLookout, type Lookout } from "./lookout.ts"

const db = await databaseOfFile()

let tree: Tree | null = null
afterEach(async () => {
  await tree?.stop()
  tree = null
  await db.execute("truncate deliveries, messages")
})

async function start(database: Database): Promise<Lookout> {
  const lookout = createLookout({ db: database, random: () => 0 })
  const root = supervisor({ id: "hub", strategy: "one_for_one", children: [lookout.spec] })
  tree = await startTree(root, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  return lookout
}

/** The database, with a word before each look; what that throws the look fails with. */
const around = (before: (nth: number) => void): Database => {
  let looks = 0
  return {
    ...db,
    async query<Row>(text: string, values?: Parameters<Database["query"]>[1]) {
      before(++looks)
      return db.query<Row>(text, values)
    },
  }
}

const later = (channel: SendingChannel, ms: number) =>
  db.execute(
    `with moved as (
       update deliveries set next_attempt_at = now() + $2 * interval '1 millisecond' where channel = $1 returning id, next_attempt_at
     ) update due set at = moved.next_attempt_at from moved where due.delivery_id = moved.id`,
    [channel, ms],
  )

test("one statement tells each channel what it has due now or before the next look, and nobody else", async () => {
  let looks = 0
  const lookout = await start(
    around((nth) => {
      looks = nth
    }),
  )
  await seedDeliveries(db, [{ channel: "telegram" }, { channel: "sms" }, { channel: "email" }, { channel: "slack" }])
  await later("sms", 900)
  await later("email", 3_600_000)
  const heard: [SendingChannel, number, number][] = []
  for (const channel of ["telegram", "sms", "email", "webhook"] as const)
    lookout.watch(channel, (inMs) => heard.push([channel, inMs, looks]))
  await eventually(
    async () => heard.filter(([, , look]) => look === 1),
    (first) => first.length === 2,
    { withinMs: 5_000, what: "the first look" },
  )
  const first = new Map(heard.filter(([, , look]) => look === 1).map(([channel, inMs]) => [channel, inMs]))
  expect(first.get("telegram")).toBe(0)
  expect(first.get("sms")).toBeGreaterThan(0)
  expect(first.get("sms")).toBeLessThanOrEqual(900)
  expect(new Set(heard.map(([channel]) => channel))).toEqual(new Set(["telegram", "sms"]))
})

test("a channel that has left hears nothing, and who came after it under its name is not made to leave with it", async () => {
  const lookout = await start(db)
  await seedDeliveries(db, [{ channel: "telegram" }])
  const heard: string[] = []
  const leave = lookout.watch("telegram", () => heard.push("the first"))
  lookout.watch("telegram", () => heard.push("the second"))
  leave()
  await eventually(
    async () => heard.length,
    (n) => n >= 2,
    { withinMs: 5_000, what: "looks" },
  )
  expect(new Set(heard)).toEqual(new Set(["the second"]))
})

test("a database that is away is looked at again", async () => {
  const away = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
  const lookout = await start(
    around((nth) => {
      if (nth <= 2) throw away
    }),
  )
  await seedDeliveries(db, [{ channel: "telegram" }])
  const { promise: told, resolve } = Promise.withResolvers<number>()
  lookout.watch("telegram", resolve)
  expect(await told).toBe(0)
  expect(tree?.whereis("lookout")?.restarts).toBe(0)
})
