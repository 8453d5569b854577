import { beforeEach, describe, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import { silent } from "../telemetry/bus.ts"
import { heldDelivery } from "../testing/seed-deliveries.ts"
import { Account } from "./account.ts"
import { Held, InFlight } from "./in-flight.ts"
import { Room } from "./room.ts"

const clock = { now: () => 0, wall: () => new Date(0), after: () => ({ cancel: () => undefined }) }
let inFlight: InFlight
let room: Room
beforeEach(() => {
  inFlight = new InFlight()
  room = roomWith(null)
})

function roomWith(limits: { readonly count: number } | null): Room {
  const own = { channel: "sms", telemetry: silent, clock, random: () => 0.5, bound: 4, maxHeld: 16, careful: false }
  const made = new Room({
    account: new Account({ ...own, onChange: () => undefined }),
    inFlight,
    limits: limits === null ? null : { room: () => ({ ...limits, againInMs: 1 }), admit: () => Promise.reject() },
  })
  made.answered(false)
  return made
}
describe("a dispatcher's room", () => {
  test("is what may be sent at once without what is in flight, kept or asked for", () => {
    inFlight.add(new Held(heldDelivery(newDeliveryId(0)), 0, 0))
    expect(room.free).toBe(3)
    expect(room.keep(1)).toBeTrue()
    expect(room.free).toBe(2)
    expect(room.ask(1)).toBe(1)
    expect(room.free).toBe(1)
    expect(room.ask(10)).toBe(2)
    room.answered(false)
    room.letGo(1)
    expect(room.free).toBe(3)
  })

  test("that a claim has asked for is nobody else's until it is over", () => {
    room.ask(4)
    expect(room.keep(1)).toBeFalse()
    room.answered(false)
    expect(room.keep(4)).toBeTrue()
    expect(room.ask(4)).toBe(0)
  })

  test("is kept for all that come together or for none", () => {
    expect(room.keep(5)).toBeFalse()
    expect(room.free).toBe(4)
  })

  test("is kept for nobody while somebody waits who found none, until a claim leaves nobody behind", () => {
    expect(room.keep(5)).toBeFalse()
    expect(room.keep(1)).toBeFalse()
    room.answered(true)
    expect(room.keep(1)).toBeFalse()
    room.answered(false)
    expect(room.keep(1)).toBeTrue()
  })

  test("is kept for nobody before the queue was looked into, nor when something came into it that only a claim finds", () => {
    const fresh = roomWith(null)
    fresh.fellBehind()
    expect(fresh.keep(1)).toBeFalse()
    fresh.answered(false)
    expect(fresh.keep(1)).toBeTrue()
  })

  test("is no more than its account's limit allows", () => {
    const limited = roomWith({ count: 2 })
    expect(limited.keep(3)).toBeFalse()
    limited.answered(false)
    expect(limited.keep(2)).toBeTrue()
  })
})
