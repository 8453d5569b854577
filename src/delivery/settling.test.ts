import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test"
import { DEFAULT_RETRY, type Outcome, settle } from "../domain/delivery.ts"
import { systemClock } from "../runtime/clock.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { claimDue, type Settling } from "../store/deliveries.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { createSettler } from "./settling.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
})
beforeEach(() => db.execute("truncate deliveries, messages, attempts"))
afterAll(async () => {
  await db.close()
  await server.drop()
})

const settler = (over: Database) =>
  createSettler({ db: over, owner: "me", clock: systemClock, random: () => 0, bound: 100 })
const never = new AbortController().signal
const busy = (detail: string): Outcome => ({ kind: "retry", reason: "rate_limited", detail, retryAfterMs: null })
const claimed = async (n: number, outcome: Outcome): Promise<readonly Settling[]> => {
  await seedDeliveries(
    db,
    Array.from({ length: n }, () => ({})),
  )
  const all = await claimDue(db, { channel: "telegram", limit: n, owner: "me", leaseMs: 15_000 })
  return all.map(({ id, attempt, tries, ageMs }) => {
    return { id, attempt, outcome, settlement: settle({ attempt: tries, ageMs }, outcome, DEFAULT_RETRY, 0.5) }
  })
}
const away = () => Promise.reject(Object.assign(new Error("Connection terminated"), { code: "ECONNRESET" }))

test("settlements of one moment share a statement", async () => {
  let statements = 0
  const counting: Database = {
    ...db,
    query: (text, values) => {
      statements += 1
      return db.query(text, values)
    },
  }
  const items = await claimed(50, busy("later"))
  const settling = settler(counting)
  const results = await Promise.all(items.map((item) => settling.settle(item, never)))
  expect(results.every(({ kind }) => kind === "settled")).toBe(true)
  expect(statements).toBe(1)
})

test("one item that the database cannot take does not keep its neighbours from being settled", async () => {
  const [poison, ...others] = await claimed(5, busy("fine"))
  if (poison === undefined) throw new Error("nothing claimed")
  const settling = settler(db)
  const refused = settling.settle({ ...poison, outcome: busy("a NUL \u0000 inside") }, never)
  const settled = Promise.all(others.map((item) => settling.settle(item, never)))
  expect(refused).rejects.toThrow("invalid byte sequence")
  expect((await settled).map(({ kind }) => kind)).toEqual(["settled", "settled", "settled", "settled"])
  expect(await getDelivery(db, poison.id, null)).toMatchObject({ status: "sending" })
})

test("when nobody waits any more, a settlement is offered once and then left to the lease", async () => {
  let statements = 0
  const gone: Database = {
    ...db,
    query: () => {
      statements += 1
      return away()
    },
  }
  const [item] = await claimed(1, busy("later"))
  if (item === undefined) throw new Error("nothing claimed")
  expect(await settler(gone).settle(item, AbortSignal.abort())).toEqual({ kind: "unwritten" })
  expect(statements).toBe(1)
})

test("a settlement whose commit's answer was lost is known as written, beside one that somebody else has taken", async () => {
  let answers = 0
  const cut: Database = {
    ...db,
    query: async <Row>(...asked: Parameters<Database["query"]>): Promise<readonly Row[]> => {
      const rows = await db.query<Row>(...asked)
      answers += 1
      return answers === 1 ? away() : rows
    },
  }
  const [written, taken] = await claimed(2, { kind: "delivered", providerMessageId: "42" })
  if (written === undefined || taken === undefined) throw new Error("two were seeded")
  await db.execute("update deliveries set owner = 'another' where id = $1", [taken.id])
  const settling = settler(cut)
  const [ours, theirs] = await Promise.all([settling.settle(written, never), settling.settle(taken, never)])
  expect(ours).toMatchObject({ kind: "settled", expired: false })
  expect(theirs).toEqual({ kind: "lost" })
  expect(await getDelivery(db, written.id, null)).toMatchObject({ status: "delivered", attempts: [{ number: 1 }] })
})
