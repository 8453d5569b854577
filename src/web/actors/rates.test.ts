import { expect, test } from "bun:test"
import { readPicture } from "./picture.ts"
import { Rates } from "./rates.ts"
import { NINE, sampleHub, samplePicture, withActor } from "./sample.ts"

function take(rates: Rates, at: number, handled: number): void {
  const picture = readPicture(samplePicture(withActor(sampleHub(), "router", { handled }), { at: NINE + at }))
  if (picture !== null) rates.took(picture)
}

const rate = (rates: Rates, at: number): number => rates.of("router", NINE + at)

test("a rate is what was handled over the last two seconds, at whatever pace the pictures come", () => {
  const rates = new Rates()
  take(rates, 0, 1_000)
  take(rates, 250, 1_025)
  expect(rate(rates, 250)).toBe(0)
  for (let at = 500; at <= 10_000; at += 250) take(rates, at, 1_000 + at / 10)
  expect(rate(rates, 10_000)).toBe(100)
  for (let at = 11_000; at <= 14_000; at += 1_000) take(rates, at, 2_000)
  expect(rate(rates, 14_000)).toBe(0)
})

test("where no picture comes, nothing is handled", () => {
  const rates = new Rates()
  take(rates, 0, 0)
  take(rates, 1_000, 50)
  expect(rate(rates, 1_000)).toBe(50)
  expect(rate(rates, 3_400)).toBe(50)
  expect(rate(rates, 3_500)).toBe(0)
})

test("a new life counts from nothing and is never a rate below it", () => {
  const rates = new Rates()
  take(rates, 0, 5_000)
  take(rates, 1_000, 5_100)
  take(rates, 2_000, 3)
  expect(rate(rates, 2_000)).toBe(0)
  take(rates, 3_000, 13)
  expect(rate(rates, 3_000)).toBe(10)
})
