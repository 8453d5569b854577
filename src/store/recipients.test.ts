import { afterAll, beforeAll, expect, test } from "bun:test"
import { recipient, recipientId } from "../testing/builders.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { type Database, openDatabase } from "./database.ts"
import { deleteRecipient, upsertRecipients } from "./recipients.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 6 })
})
afterAll(async () => {
  await db.close()
  await server.drop()
})

test("one person may be written and deleted by many at once, and nobody waits for the other in a circle", async () => {
  const often = async (work: () => Promise<unknown>): Promise<number> => {
    let times = 0
    for (; times < 100; times += 1) await work()
    return times
  }
  const write = (): Promise<number> => often(() => upsertRecipients(db, [recipient("ann")], null))
  const remove = (): Promise<number> => often(() => deleteRecipient(db, recipientId("ann"), null, "key:1"))
  const all = await Promise.all([write(), remove(), write(), remove(), write(), remove()])
  expect(new Set(all)).toEqual(new Set([100]))
}, 20_000)
