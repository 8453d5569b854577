import { afterEach, expect, test } from "bun:test"
import type { HubEvent } from "../domain/event.ts"
import { asEventId, idFloor } from "../domain/ids.ts"
import { business, incoming } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import type { InhibitorQuery } from "./decision-ports.ts"
import { getEvent, insertEvents } from "./events.ts"
import { inhibitorsOf } from "./inhibitors.ts"

const db = await databaseOfFile()
afterEach(() => db.execute("truncate events, routing_queue"))

const MINUTE = 60_000

/** An event that was made and accepted so many minutes ago. */
async function event(type: string, minutesAgo: number, k = "x", where = "b1"): Promise<HubEvent> {
  const at = Date.now() - minutesAgo * MINUTE
  const [stored] = await insertEvents(db, [incoming({ type, business: business(where), payload: { k } })], Date.now())
  const made = idFloor("evt_", at)
  const id = asEventId(made + (stored?.id.slice(made.length) ?? ""))
  if (id === null || stored === undefined) throw new Error("no event")
  await db.execute("update events set id = $2, accepted_at = to_timestamp($3::float8 / 1000) where id = $1", [
    stored.id,
    id,
    at,
  ])
  const found = await getEvent(db, id)
  if (found === null) throw new Error("no event")
  return found
}

const query = (of: HubEvent, eventTypes: readonly string[], minutes = 30): InhibitorQuery => ({
  event: of,
  eventTypes,
  equal: ["payload.k"],
  withinMs: minutes * MINUTE,
  fits: (other) =>
    other.id !== of.id &&
    other.acceptedAt <= of.acceptedAt &&
    other.acceptedAt >= of.acceptedAt - minutes * MINUTE &&
    other.payload["k"] === of.payload["k"],
})
const ask = async (...queries: readonly InhibitorQuery[]) =>
  (await inhibitorsOf(db)(queries)).map((found) => found?.id ?? null)

test("the latest event that fits is found, by its name or by a pattern, in its own business alone", async () => {
  const older = await event("site.down", 20)
  const latest = await event("site.down", 10)
  await event("site.down", 5, "another")
  await event("site.down", 5, "x", "b2")
  await event("sites", 5)
  const one = await event("page.slow", 1)
  expect(older.id < latest.id).toBe(true)
  expect(
    await ask(query(one, ["site.down"]), query(one, ["site.*"]), query(one, ["**"]), query(one, ["site.up"])),
  ).toEqual([latest.id, latest.id, expect.any(String), null])
  expect(await inhibitorsOf(db)([query(one, ["site.up", "site.down"])])).toEqual([{ id: latest.id, type: "site.down" }])
})

test("each question of a batch has its own answer, in order, and no question is no query", async () => {
  const x = await event("site.down", 10, "x")
  const y = await event("site.down", 10, "y")
  const [a, b, c] = [
    await event("page.slow", 1, "y"),
    await event("page.slow", 1, "x"),
    await event("page.slow", 1, "z"),
  ]
  const types = ["site.down"]
  expect(await ask(query(a, types), query(b, types), query(c, types), query(a, types, 5))).toEqual([
    y.id,
    x.id,
    null,
    null,
  ])
  expect(await ask()).toEqual([])
})

test("an event that cannot be read silences nothing, and the others are still found", async () => {
  const good = await event("site.down", 20)
  const bad = await event("site.down", 10)
  await db.execute("update events set payload = '\\x6363' where id = $1", [bad.id])
  expect(await ask(query(await event("page.slow", 1), ["site.down"]))).toEqual([good.id])
})

test("of what came by the thousand only the latest part of the window is looked at", async () => {
  await insertEvents(
    db,
    Array.from({ length: 600 }, () => incoming({ type: "noise", payload: { k: "no" } })),
    Date.now(),
  )
  const seen: string[] = []
  const one = await event("page.slow", 0)
  await inhibitorsOf(db)([
    {
      ...query(one, ["noise"]),
      fits(other) {
        seen.push(other.id)
        return false
      },
    },
  ])
  expect(seen).toHaveLength(500)
})

test("what happens by the thousand in one business hides nothing from another", async () => {
  const down = await event("site.down", 20)
  const noise = Array.from({ length: 1_000 }, () => incoming({ type: "site.down", business: business("b2") }))
  for (let n = 0; n < 5; n++) await insertEvents(db, noise, Date.now())
  expect(await ask(query(await event("page.slow", 0), ["site.down"]))).toEqual([down.id])
})
