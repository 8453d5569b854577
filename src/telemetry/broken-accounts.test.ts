import { describe, expect, test } from "bun:test"
import { SENDING_CHANNELS } from "../domain/channel.ts"
import { brokenAccounts } from "./broken-accounts.ts"
import { createTelemetry } from "./bus.ts"
import { scrub } from "./scrub.ts"

function start() {
  const telemetry = createTelemetry()
  let now = 0
  const broken = brokenAccounts(telemetry, { now: () => now })
  const of = (actor: string) => ({ actor: scrub(actor), actorKind: "x", incarnation: 1 })
  return {
    broken: () => {
      const all = SENDING_CHANNELS.flatMap((channel) => {
        const why = broken.get(channel)
        return why === undefined ? [] : [[channel, why]]
      })
      expect(broken.size).toBe(all.length)
      return all
    },
    open: (channel: string, reason = "bad_credential") =>
      telemetry.emit({ kind: "breaker_opened", channel, reason, forMs: 30_000 }),
    close: (channel: string) => telemetry.emit({ kind: "breaker_closed", channel }),
    started: (actor: string) => telemetry.emit({ kind: "actor_started", ...of(actor), ms: 1 }),
    crash: (actor: string, delayMs = 0) =>
      telemetry.emit({ kind: "actor_restarted", ...of(actor), delayMs, reason: "error", error: scrub("boom") }),
    pass: (ms: number) => {
      now += ms
    },
  }
}

describe("a channel is broken", () => {
  test("while the breaker of its account is open, for the reason that opened it", () => {
    const { broken, open, close } = start()
    open("email")
    open("sms", "timeout")
    expect(broken()).toEqual([
      ["email", "bad_credential"],
      ["sms", "timeout"],
    ])
    close("sms")
    expect(broken()).toEqual([["email", "bad_credential"]])
  })

  test("until its dispatcher begins anew, whose breaker has seen nothing", () => {
    const { broken, open, started } = start()
    open("email")
    started("dispatcher:sms")
    expect(broken()).toHaveLength(1)
    started("dispatcher:email")
    expect(broken()).toEqual([])
  })

  test("while its dispatcher crashes again and again, and half a minute longer", () => {
    const { broken, crash, pass } = start()
    crash("dispatcher:slack")
    crash("dispatcher:slack")
    crash("router")
    expect(broken()).toEqual([])
    crash("dispatcher:slack")
    expect(broken()).toEqual([["slack", "crashing"]])
    pass(29_999)
    expect(broken()).toEqual([["slack", "crashing"]])
    pass(1)
    expect(broken()).toEqual([])
  })

  test("for all of the rest that its supervisor takes, however seldom it then crashes", () => {
    const { broken, crash, pass } = start()
    for (let n = 0; n < 3; n += 1) crash("dispatcher:slack")
    crash("channel:slack", 60_000)
    pass(70_000)
    crash("dispatcher:slack")
    pass(29_000)
    expect(broken()).toEqual([["slack", "crashing"]])
  })

  test("no more by crashes that are long ago", () => {
    const { broken, crash, pass } = start()
    for (let n = 0; n < 10; n += 1) {
      crash("dispatcher:slack")
      pass(15_000)
    }
    expect(broken()).toEqual([])
  })
})
