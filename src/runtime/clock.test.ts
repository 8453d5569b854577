import { expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { systemClock } from "./clock.ts"

test("a wait longer than setTimeout can count does not end at once", async () => {
  let rang = false
  const month = systemClock.after(31 * 24 * 3_600_000, () => {
    rang = true
  })
  await new Promise<void>((resolve) => systemClock.after(5, resolve))
  expect(rang).toBe(false)
  month.cancel()
})

test("the fake clock runs what is due at its own time, in order, also what was set meanwhile", async () => {
  const clock = fakeClock()
  const log: string[] = []
  const note = (name: string) => () => void log.push(`${name}@${clock.now()}`)
  clock.after(20, note("b"))
  clock.after(10, () => {
    note("a")()
    clock.after(5, note("inner"))
  })
  clock.after(20, note("c"))
  clock.after(20, note("cancelled")).cancel()
  await clock.advance(19)
  expect(log).toEqual(["a@10", "inner@15"])
  await clock.advance(1)
  expect(log).toEqual(["a@10", "inner@15", "b@20", "c@20"])
  expect(clock.wall().toISOString()).toBe("2026-01-01T00:00:00.020Z")
  expect(clock.pending).toBe(0)
})
