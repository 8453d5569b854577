import { describe, expect, test } from "bun:test"
import { problem } from "../http/problem.ts"
import { systemClock as clock } from "../runtime/clock.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"
import { business } from "../testing/builders.ts"
import type { Accept } from "./accept.ts"
import type { Draft } from "./draft.ts"
import type { RejectedInput } from "./rejections.ts"
import { webhookDoor } from "./webhook-door.ts"

const authentic = { business: business("b1"), origin: "crm", body: Buffer.from("{}") }
const draft: Draft = {
  type: "a.b",
  source: "crm",
  severity: "info",
  business: business("b1"),
  location: null,
  occurredAt: null,
  idempotencyKey: "k",
  correlationId: null,
  payload: {},
  extensions: {},
  pushed: false,
  pointers: { business: "", location: "", key: "webhook-id" },
}
const away = new Error("the database is away")

function make(accept: Accept, keep: () => Promise<void> = async () => {}) {
  const emitted: TelemetryEvent[] = []
  const kept: RejectedInput[] = []
  const door = webhookDoor("webhook", {
    accept,
    clock,
    telemetry: { emit: (event) => emitted.push(event) },
    rejections: {
      async keep(inputs) {
        await keep()
        kept.push(...inputs)
      },
    },
  })
  return { door, emitted, kept }
}
const never: Accept = async () => {
  throw new Error("nothing was to be stored")
}

describe("behind a signature", () => {
  test.each(["late", "overloaded"] as const)(
    "an event that is %s is 503, to be sent again, and no rejected input",
    async (why) => {
      const { door, kept, emitted } = make(async () => why)
      expect(await door.take(authentic, () => draft)).toMatchObject({
        code: "unavailable",
        headers: { "retry-after": expect.any(String) },
      })
      expect(kept).toEqual([])
      expect(emitted).toMatchObject([{ kind: "event_rejected", via: "webhook", code: "unavailable" }])
    },
  )

  test("nothing is answered while the database is away", async () => {
    const { door, kept } = make(() => Promise.reject(away))
    expect(await door.take(authentic, () => draft).catch((error: unknown) => error)).toBe(away)
    expect(kept).toEqual([])
  })

  test("a refusal is answered when it is kept, and not before", async () => {
    const held = Promise.withResolvers<void>()
    const { door, kept } = make(never, () => held.promise)
    let answered = false
    const answer = door
      .take(authentic, () => problem("malformed", "no JSON"))
      .then((given) => {
        answered = true
        return given
      })
    await new Promise(setImmediate)
    expect(answered).toBe(false)
    held.resolve()
    expect(await answer).toMatchObject({ code: "malformed" })
    expect(kept).toEqual([
      {
        via: "webhook",
        code: "malformed",
        business: business("b1"),
        origin: "crm",
        detail: "no JSON",
        errors: [],
        raw: authentic.body,
        identity: null,
      },
    ])
  })

  test("a refusal that cannot be kept is not answered as one", async () => {
    const { door } = make(never, () => Promise.reject(away))
    const answer = door.take(authentic, () => problem("malformed", "no JSON"))
    expect(await answer.catch((error: unknown) => error)).toBe(away)
  })

  test("what the database cannot hold is refused and kept", async () => {
    const { door, kept } = make(async () => [{ kind: "unstorable", sqlstate: "22P05" }])
    expect(await door.take(authentic, () => draft)).toMatchObject({ code: "invalid" })
    expect(kept).toMatchObject([{ code: "invalid", raw: authentic.body }])
  })
})
