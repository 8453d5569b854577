// What stands beside the deliveries, so that claims and settlements touch no index: what is due, and what was claimed together.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DEFAULT_RETRY } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { emptyDatabase, type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { type Database, openDatabase } from "./database.ts"
import { listDeadLetters } from "./dead-letters.ts"
import { claimDue, nextDue, releaseClaimed, renewLeases } from "./deliveries.ts"
import { listDeliveries } from "./delivery-reads.ts"
import { migrate } from "./migrate.ts"
import { putOff } from "./put-off.ts"
import { dueWork } from "./queue-depth.ts"
import { rescueExpired } from "./rescue.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
})
afterEach(() => db.execute("truncate deliveries, messages, attempts"))
afterAll(async () => {
  await db.close()
  await server.drop()
})

const EVERY = { businesses: null, limit: 100 } as const
const claim = (of: Database, leaseMs: number) => claimDue(of, { channel: "telegram", limit: 100, owner: "a", leaseMs })
const rescue = async (of: Database) => (await rescueExpired(of, 100, () => DEFAULT_RETRY)).map(({ id }) => id)
const idsOf = (rows: readonly { readonly id: DeliveryId }[]) => rows.map(({ id }) => id).toSorted()
const entries = () => db.query<{ ids: string[] }>("select delivery_ids as ids from leases order by until")

test("what an older version left is claimed, rescued and listed as it would have been", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hub-older-"))
  const old = await emptyDatabase()
  const upgraded = openDatabase({ url: old.url, max: 2 })
  try {
    const migrations = join(import.meta.dirname, "../../migrations")
    for (const name of readdirSync(migrations).filter((file) => file < "0013"))
      cpSync(join(migrations, name), join(folder, name))
    await migrate(old.url, { directory: folder })
    const ids = await seedDeliveries(
      upgraded,
      Array.from({ length: 7 }, () => ({})),
    )
    const [queued, retrying, later, lapsed, held, dead, delivered] = ids
    const set = (id: DeliveryId | undefined, what: string) =>
      upgraded.execute(`update deliveries set ${what} where id = $1`, [id ?? ""])
    await set(retrying, "status = 'retrying', attempt = 1")
    await set(later, "status = 'scheduled', next_attempt_at = now() + interval '1 hour'")
    const leased = "status = 'sending', owner = 'x', attempt = 1, claimed_at = now(), lease_until = now()"
    await set(lapsed, `${leased} - interval '1 s'`)
    await set(held, `${leased} + interval '1 hour'`)
    await set(dead, "status = 'dead', reason = 'attempts_exhausted', settled_at = now()")
    await set(delivered, "status = 'delivered', settled_at = now()")

    await migrate(old.url)
    expect(await dueWork(upgraded)).toMatchObject({ waiting: 3, sending: 2, dead: 1 })
    expect((await listDeadLetters(upgraded, { ...EVERY, filter: {} })).deliveries).toMatchObject([{ id: dead }])
    expect(await rescue(upgraded)).toEqual([lapsed as DeliveryId]) // seeded above
    expect(idsOf(await claim(upgraded, 15_000))).toEqual([queued, retrying, lapsed].toSorted() as DeliveryId[])
    expect((await nextDue(upgraded, ["telegram"])).get("telegram")).toBeGreaterThan(3_590_000)
    await upgraded.execute("update deliveries set lease_until = now() - interval '1 s' where id = $1", [held ?? ""])
    expect(await rescue(upgraded)).toEqual([held as DeliveryId])
  } finally {
    await upgraded.close()
    await old.drop()
    rmSync(folder, { recursive: true, force: true })
  }
})

test("a claim's leases are looked at when its time is over, and what was renewed again after that", async () => {
  await seedDeliveries(db, [{}, {}, {}])
  const claimed = await claim(db, 0)
  expect(await entries()).toEqual([{ ids: claimed.map(({ id }) => id) }])
  const renewed = claimed.slice(0, 1)
  await renewLeases(db, "a", renewed, 15_000)
  expect((await rescue(db)).toSorted()).toEqual(idsOf(claimed.slice(1)))
  expect(await entries()).toEqual([{ ids: renewed.map(({ id }) => id) }])
  await renewLeases(db, "a", renewed, 0)
  expect(await rescue(db)).toEqual(idsOf(renewed))
  expect(await rescue(db)).toEqual([])
})

test("what one look has no room for is left to the next one", async () => {
  await seedDeliveries(db, [{}, {}, {}])
  const claimed = await claim(db, 0)
  const first = await rescueExpired(db, 2, () => DEFAULT_RETRY)
  expect(first).toHaveLength(2)
  expect([...first.map(({ id }) => id), ...(await rescue(db))].toSorted()).toEqual(idsOf(claimed))
})

test("an entry that fits its delivery no more sends nothing", async () => {
  const [one] = await seedDeliveries(db, [{}])
  await db.execute("insert into due select delivery_id, channel, priority, at - interval '1 s' from due")
  await db.execute("insert into due values ('dlv_gone', 'telegram', 1, now() - interval '1 s')")
  expect(idsOf(await claim(db, 15_000))).toEqual([one as DeliveryId]) // seeded above
  expect(await claim(db, 15_000)).toEqual([])
})

test("each status lists its own, few or many", async () => {
  await seedDeliveries(db, [{}, {}, {}])
  await db.execute("update deliveries set status = 'dead' where id = (select max(id) from deliveries)")
  await db.execute("update deliveries set status = 'delivered' where id = (select min(id) from deliveries)")
  const listed = async (status: Parameters<typeof listDeliveries>[1]["status"]) =>
    (await listDeliveries(db, { ...EVERY, status })).deliveries.map((delivery) => delivery["status"])
  for (const status of ["dead", "delivered", "queued"] as const) expect(await listed(status)).toEqual([status])
  await claim(db, 15_000)
  expect(await listed("queued")).toEqual([])
  expect(await listed("sending")).toEqual(["sending"])
  await db.execute("insert into due select 'dlv_' || n, 'sms', 1, now() from generate_series(1, 6000) n")
  await db.execute("update deliveries set status = 'retrying' where status = 'sending'")
  expect(await listed("retrying")).toEqual(["retrying"])
})

test("what is given back unsent has a moment of its own: a claim that began before does not take it by an entry that is gone", async () => {
  const [id] = await seedDeliveries(db, [{}])
  if (id === undefined) throw new Error("nothing seeded")
  const moments = new Set<string>()
  const note = async (): Promise<void> => {
    const due = await db.query<{ at: string }>("select at::text from due")
    expect(due).toHaveLength(1)
    for (const { at } of due) moments.add(at)
  }
  await note()
  const [first] = await claim(db, 15_000)
  await releaseClaimed(db, "a", [{ id, attempt: first?.attempt ?? 0 }])
  await note()
  const [second] = await claim(db, 15_000)
  await putOff(db, "a", [{ id, attempt: second?.attempt ?? 0, reason: "account_limit", delayMs: null }])
  await note()
  expect(moments.size).toBe(3)
})
