import { expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { sharedLook } from "./shared-look.ts"

test("however often it is asked, it looks twice a second at most", async () => {
  const clock = fakeClock()
  let looks = 0
  const look = sharedLook(clock, () => ++looks)
  for (let n = 0; n < 100; n++) expect(look()).toBe(1)
  await clock.advance(499)
  expect(look()).toBe(1)
  await clock.advance(1)
  expect(look()).toBe(2)
})

test("what is not there yet is seen as soon as it is", () => {
  let there = false
  const look = sharedLook(fakeClock(), () => (there ? "tree" : null))
  expect(look()).toBeNull()
  there = true
  expect(look()).toBe("tree")
})
