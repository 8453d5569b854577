import { expect, test } from "bun:test"
import { CLOSED, learn, look } from "./breaker.ts"

test("a bad credential pauses the channel, and what was under way says nothing new", () => {
  const open = learn(CLOSED, true, 1_000)
  expect(open).toEqual({ state: "open", until: 31_000, openings: 1 })
  expect(learn(open, true, 1_005)).toBe(open)
  expect(learn(open, false, 1_005)).toBe(open)
  expect(look(open, 30_999)).toBe(open)
})

test("after the pause one delivery decides", () => {
  const probing = look(learn(CLOSED, true, 0), 30_000)
  expect(probing).toEqual({ state: "probing", openings: 1 })
  expect(learn(probing, false, 30_100)).toBe(CLOSED)
  expect(learn(probing, true, 30_100)).toEqual({ state: "open", until: 90_100, openings: 2 })
})

test("the pause doubles up to five minutes", () => {
  const pauses: number[] = []
  let breaker = CLOSED
  for (let round = 0; round < 7; round++) {
    breaker = learn(look(breaker, Number.MAX_SAFE_INTEGER), true, 0)
    if (breaker.state === "open") pauses.push(breaker.until / 1_000)
  }
  expect(pauses).toEqual([30, 60, 120, 240, 300, 300, 300])
})

test("a channel that works stays closed", () => {
  expect(look(learn(CLOSED, false, 0), 0)).toBe(CLOSED)
})
