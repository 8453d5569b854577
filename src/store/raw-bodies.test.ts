import { expect, test } from "bun:test"
import { incoming } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { insertEvents } from "./events.ts"
import { rawBodyOf } from "./raw-bodies.ts"

const db = await databaseOfFile()

const now = Date.UTC(2026, 2, 2, 9)
const count = async (): Promise<number> => {
  const [row] = await db.query<{ n: number }>("select count(*)::int as n from raw_bodies")
  return row?.n ?? -1
}

test("the bytes of an event are kept as they came, whatever they are, and of its neighbours nothing is", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const [plain, raw, empty] = await insertEvents(
    db,
    [incoming(), { ...incoming(), rawBody: bytes }, { ...incoming(), rawBody: new Uint8Array(0) }],
    now,
  )
  if (plain === undefined || raw === undefined || empty === undefined) throw new Error("not stored")
  expect(await rawBodyOf(db, raw.id)).toEqual(Buffer.from(bytes))
  expect(await rawBodyOf(db, empty.id)).toEqual(Buffer.alloc(0))
  expect(await rawBodyOf(db, plain.id)).toBeNull()
})

test("a duplicate keeps nothing more", async () => {
  const item = { ...incoming({ idempotencyKey: "k" }), rawBody: Buffer.from("{}") }
  const [first] = await insertEvents(db, [item], now)
  const before = await count()
  const again = await insertEvents(db, [item, item], now)
  expect(again.map(({ id, kind }) => [id, kind])).toEqual(Array(2).fill([first?.id, "duplicate"]))
  expect(await count()).toBe(before)
})

test("where the bytes cannot be stored the event is not either", async () => {
  await db.execute("alter table raw_bodies add constraint unlucky check (length(body) < 500)")
  const items = [{ ...incoming({ idempotencyKey: "u" }), rawBody: new Uint8Array(600) }]
  expect(await insertEvents(db, items, now).catch((error: unknown) => error)).toMatchObject({ code: "23514" })
  expect(await db.query("select from events where idempotency_key = 'u'")).toHaveLength(0)
})
