import { expect, test } from "bun:test"
import { brokenAccounts } from "./broken-accounts.ts"
import { createTelemetry } from "./bus.ts"

const delivered = {
  kind: "delivery_settled",
  channel: "email",
  deliveryId: "dlv_1",
  status: "delivered",
  reason: null,
  latencySeconds: 1,
} as const

test("a channel whose credential was refused is broken until it works again", () => {
  const telemetry = createTelemetry()
  const broken = brokenAccounts(telemetry)
  const open = (channel: string) =>
    telemetry.emit({ kind: "breaker_opened", channel, reason: "bad_credential", forMs: 30_000 })
  open("email")
  open("sms")
  expect([...broken]).toEqual([
    ["email", "bad_credential"],
    ["sms", "bad_credential"],
  ])
  telemetry.emit({ kind: "breaker_closed", channel: "sms" })
  telemetry.emit({ ...delivered, status: "retrying" })
  expect([...broken.keys()]).toEqual(["email"])
  telemetry.emit(delivered)
  expect(broken.size).toBe(0)
})
