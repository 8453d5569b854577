import { expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import type { Queryable } from "./database.ts"
import { databaseClock } from "./database-clock.ts"

const RIGHT = Date.UTC(2026, 2, 2, 9)
const HOUR = 3_600_000

/** A machine that is an hour ahead, and a database whose clock is right. */
function machine() {
  const own = fakeClock(new Date(RIGHT + HOUR))
  let asked = 0
  let away = false
  const db: Queryable = {
    query: <Row>() => {
      asked += 1
      if (away) return Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
      return Promise.resolve([{ ms: RIGHT + own.now() } as Row]) // what the one statement asks for
    },
    execute: () => Promise.reject(new Error("nothing is written")),
  }
  const clock = databaseClock(own, db, (error) => {
    throw error
  })
  return {
    own,
    clock,
    asked: () => asked,
    goAway(gone: boolean) {
      away = gone
    },
    off: () => clock.wall().getTime() - RIGHT - own.now(),
  }
}

test("the wall clock is the machine's until the database was asked, and the database's from then on", async () => {
  const { clock, off } = machine()
  expect(off()).toBe(HOUR)
  await clock.set()
  expect(off()).toBe(0)
})

test("a machine's clock that jumps changes nothing, and the database is asked once for each jump", async () => {
  const { own, clock, off, asked } = machine()
  await clock.set()
  for (const jump of [-2 * HOUR, 3 * HOUR, 5_000]) {
    own.shiftWall(jump)
    expect(off()).toBe(0)
    await own.flush()
    expect(off()).toBe(0)
  }
  expect(asked()).toBe(4)
})

test("is asked again after ten minutes, and not each time while the database is away", async () => {
  const { own, clock, off, asked, goAway } = machine()
  await clock.set()
  await own.advance(601_000)
  expect(off()).toBe(0)
  await own.flush()
  expect(asked()).toBe(2)
  goAway(true)
  await own.advance(601_000)
  for (let look = 0; look < 5; look += 1) {
    expect(off()).toBe(0)
    await own.flush()
  }
  expect(asked()).toBe(3)
})
