import { describe, expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { someMessage } from "../testing/seed-deliveries.ts"
import { Account, isElsewhere } from "./account.ts"
import { InFlight } from "./in-flight.ts"

describe("a server that its recipient named", () => {
  const slack = someMessage("slack", "Slack.")
  test.each([
    ["https://hooks.slack.com/services/T0/B0/x", false],
    ["https://hooks.slack-gov.com/services/T0/B0/x", false],
    ["https://chat.example.com/hooks/x", true],
    // Only looks like Slack.
    ["https://hooks.slack.com.example.com/services/T0", true],
    ["https://hooks.slack.com@example.com/services/T0", true],
    ["https://example.com/https://hooks.slack.com/", true],
    ["http://hooks.slack.com/services/T0/B0/x", true],
  ])("%p is one: %p", (webhookUrl, elsewhere) => {
    if (slack.channel !== "slack") throw new Error("a message of another channel")
    expect(isElsewhere({ ...slack, webhookUrl })).toBe(elsewhere)
    expect(isElsewhere({ ...slack, webhookUrl: null })).toBe(false)
  })

  test("or that a rule named is one", () => {
    expect(isElsewhere(someMessage("webhook", "Hello."))).toBe(true)
  })

  test("or that a browser named is one, while Google's and Apple's are not", () => {
    const push = someMessage("push", "Hello.")
    if (push.channel !== "push") throw new Error("a message of another channel")
    for (const [platform, elsewhere] of [
      ["web", true],
      ["android", false],
      ["ios", false],
    ] as const)
      expect(isElsewhere({ ...push, device: { platform, token: "x" } })).toBe(elsewhere)
  })

  test("is none in a channel that has no such servers", () => {
    for (const channel of ["email", "sms", "voice", "telegram"] as const)
      expect(isElsewhere(someMessage(channel, "Hello."))).toBe(false)
  })
})

test("what was begun before an outage and hangs takes no room from the probe or the recovery", async () => {
  const clock = fakeClock()
  const account = new Account({
    channel: "slack",
    telemetry: { emit() {} },
    clock,
    random: () => 0,
    bound: 10,
    maxHeld: 20,
    careful: false,
    onChange() {},
  })
  const hanging = account.era
  /** Five that hang since before it opened. */
  class Five extends InFlight {
    override get size(): number {
      return 5
    }
    override get sending(): number {
      return 5
    }
    override sendingOf(era: number): number {
      return era === hanging ? 5 : 0
    }
  }
  const inFlight = new Five()
  expect(account.room(inFlight)).toBe(5)
  account.hear(hanging, "unusable", "unauthorized")
  expect(account.room(inFlight)).toBe(0)
  await clock.advance(30_000)
  expect(account.room(inFlight)).toBe(1)
  account.hear(account.era, "well", "")
  expect(account.room(inFlight)).toBe(2)
})
