import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Database, openDatabase } from "../store/database.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { createClaiming } from "./claiming.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 2 })
})
afterAll(async () => {
  await db.close()
  await server.drop()
})

test("what was claimed when nobody waited for it any more is given back, and costs no try", async () => {
  const ids = await seedDeliveries(db, [{}, {}])
  const never = new AbortController().signal
  const fail = (): never => {
    throw new Error("nothing ends unsent here")
  }
  const claiming = createClaiming({
    db,
    channel: "telegram",
    owner: "me",
    leaseMs: 15_000,
    limits: null,
    onUnsent: fail,
    onUnreadable: fail,
  })
  expect(await claiming.due(10, AbortSignal.abort())).toMatchObject({ claimed: [] })
  const { claimed } = await claiming.due(10, never)
  expect(claimed.map(({ id, tries, maybeDuplicate }) => [id, tries, maybeDuplicate])).toEqual(
    ids.map((id) => [id, 1, false]),
  )
})
