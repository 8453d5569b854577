import { expect, test } from "bun:test"
import { getEventListeners } from "node:events"
import { fakeClock } from "../testing/fake-clock.ts"
import { pause } from "./pause.ts"

test("a pause that is over leaves nothing on a signal that lives on", async () => {
  const clock = fakeClock()
  const { signal } = new AbortController()
  const over = pause(clock, 100, signal)
  expect(getEventListeners(signal, "abort")).toHaveLength(1)
  await clock.advance(100)
  await over
  expect(getEventListeners(signal, "abort")).toHaveLength(0)
})

test("a pause ends with its signal, at once where that was aborted before, and leaves no timer", async () => {
  const clock = fakeClock()
  const aborter = new AbortController()
  const cut = pause(clock, 100, aborter.signal)
  aborter.abort()
  await cut
  await pause(clock, 100, aborter.signal)
  expect(clock.pending).toBe(0)
})
