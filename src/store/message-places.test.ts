import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { newDeliveryId, newEventId } from "../domain/ids.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { type Database, openDatabase } from "./database.ts"
import { leavePlace, supersededAt, sweepPlaces, takePlace } from "./message-places.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url })
})
beforeEach(() => db.execute("truncate message_places"))
afterAll(async () => {
  await db.close()
  await server.drop()
})

const [older, newer] = [newEventId(1), newEventId(2)]
const [one, two] = [newDeliveryId(1), newDeliveryId(2)]
const HOLD_MS = 60_000
const at = (event: typeof older, key = "k") => ({ key, event })
const shows = (delivery: typeof one, event: typeof older, reference: string) => ({ delivery, event, reference })

describe("a place", () => {
  test("is one delivery's at a time, also where all come at once", async () => {
    const all = Array.from({ length: 20 }, (_, i) => newDeliveryId(i))
    const taken = await Promise.all(all.map((id) => takePlace(db, at(older), id, HOLD_MS)))
    expect(taken.filter(({ kind }) => kind === "held")).toHaveLength(1)
    expect(taken.filter(({ kind }) => kind === "busy")).toHaveLength(19)
  })

  test("shows what was left there, to the same event and to newer ones", async () => {
    expect(await takePlace(db, at(older), one, HOLD_MS)).toEqual({ kind: "held", shows: null })
    await leavePlace(db, at(older), one, shows(one, older, "42"))
    expect(await takePlace(db, at(older), one, HOLD_MS)).toMatchObject({ shows: { reference: "42" } })
    await leavePlace(db, at(older), one, null)
    expect(await takePlace(db, at(newer), two, HOLD_MS)).toEqual({ kind: "held", shows: shows(one, older, "42") })
    await leavePlace(db, at(newer), two, shows(two, newer, "42"))
    expect(await takePlace(db, at(older), one, HOLD_MS)).toEqual({ kind: "superseded" })
    expect(await supersededAt(db, [at(newer), at(older), at(older, "elsewhere")])).toEqual(new Set([at(older)]))
  })

  test("that was taken over is left alone by who had it before", async () => {
    await takePlace(db, at(older), one, HOLD_MS)
    await db.execute("update message_places set held_until = now()")
    expect(await takePlace(db, at(newer), two, HOLD_MS)).toMatchObject({ kind: "held" })
    await leavePlace(db, at(older), one, shows(one, older, "late"))
    expect(await takePlace(db, at(newer), two, HOLD_MS)).toEqual({ kind: "held", shows: null })
  })

  test("is forgotten when nothing came to it for long", async () => {
    await takePlace(db, at(older), one, HOLD_MS)
    await leavePlace(db, at(older), one, shows(one, older, "D042 1.000100"))
    expect(await sweepPlaces(db, Date.now() - 60_000, 10)).toBe(0)
    await db.execute("update message_places set updated_at = now() - interval '1 day'")
    expect(await sweepPlaces(db, Date.now() - 60_000, 10)).toBe(1)
  })
})
