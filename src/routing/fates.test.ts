import { expect, test } from "bun:test"
import type { EarlierDelivery } from "../domain/firing.ts"
import { failedForGood } from "./fates.ts"

type Ended = Pick<EarlierDelivery, "status" | "reason" | "maybeDuplicate">

const ended = (status: Ended["status"], changes: Partial<Ended> = {}): Ended => ({
  status,
  reason: null,
  maybeDuplicate: false,
  ...changes,
})

test("the next channel follows what was definitely not sent", () => {
  for (const status of ["dead", "expired", "suppressed"] as const) expect(failedForGood(ended(status))).toBe(true)
})

test("nothing follows what may have been sent, however it ended", () => {
  for (const status of ["dead", "expired", "suppressed", "unknown", "delivered", "cancelled"] as const)
    expect(failedForGood(ended(status, { maybeDuplicate: true }))).toBe(false)
})

test("nothing follows where somebody is not to be told at all", () => {
  expect(failedForGood(ended("suppressed", { reason: "cooldown" }))).toBe(false)
})
