import { expect, test } from "bun:test"
import { business, recipient, recipientId } from "../testing/builders.ts"
import { eventually } from "../testing/eventually.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { addToList } from "./lists.ts"
import { upsertRecipients } from "./recipients.ts"

const db = await databaseOfFile()

test("whoever is being deleted while a list takes them is a stranger to it, and no error", async () => {
  const id = recipientId("leaving")
  await upsertRecipients(db, [recipient("leaving")], null)
  const deleted = Promise.withResolvers<void>()
  const commit = Promise.withResolvers<void>()
  const deleting = db.transaction(async (tx) => {
    await tx.execute("delete from recipients where id = $1", [id])
    deleted.resolve()
    await commit.promise
  })
  await deleted.promise

  const adding = addToList(db, business("b1"), "vip", id)
  await eventually(
    () => db.query("select from pg_locks where not granted"),
    (waiting) => waiting.length > 0,
    { withinMs: 5_000, what: "the list to wait for the deletion" },
  )
  commit.resolve()
  await deleting

  expect(await adding).toEqual({ kind: "stranger" })
})
