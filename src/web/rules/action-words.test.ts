import { expect, test } from "bun:test"
import { actionWords, plain, span } from "./action-words.ts"

const BASE = {
  type: "notify",
  to: { roles: ["accountant"], users: [{ var: "payload.owner_id" }], lists: [], everyone: false },
  channels: ["inapp", "email"],
  until: "acknowledged",
}
const notes = (more: Record<string, unknown>): readonly string[] =>
  actionWords({ ...BASE, ...more }).notes.map((note) => plain(note))

test("whom and where are a sentence", () => {
  const { whom, where } = actionWords(BASE)
  expect(`Tell ${plain(whom)}, ${plain(where)}`).toBe(
    "Tell the role `accountant` and whom `payload.owner_id` names, in the inbox and by email",
  )
  const all = actionWords({ ...BASE, to: { roles: ["a", "b"], users: ["u1"], lists: ["vip"], everyone: true } })
  expect(plain(all.whom)).toBe("everyone of the business, the roles `a` and `b`, the list `vip` and `u1`")
})

test.each<[said: string, more: Record<string, unknown>]>([
  ["Once in 30 minutes for each person and `sku`.", { cooldown: { key: { var: "payload.sku" }, window: "30m" } }],
  ["Once in an hour for each person.", { cooldown: { key: null, window: "1h" } }],
  [
    "At most 5 in a day for each person and `sku` and `location_id`.",
    { throttle: { key: [{ var: "payload.sku" }, { var: "event.location_id" }], limit: 5, window: "1d" } },
  ],
  ["Waits 90 seconds, then tells.", { delay: "90s" }],
  [
    "Gathers: one message for all that comes within 10 minutes, for each `customer.id`, or for the first 100.",
    { digest: { key: { var: "payload.customer.id" }, window: "10m", max: 100 } },
  ],
  [
    "Goes on by SMS after 5 minutes, until somebody acknowledges it.",
    { escalate: [{ after: "5m", channels: ["sms"], to: null }] },
  ],
  [
    "Goes on by email after an hour, to the role `owner`, until somebody reads it.",
    { escalate: [{ after: "1h", channels: ["email"], to: { roles: ["owner"] } }], until: "read" },
  ],
  ["If that cannot be sent, it tries by SMS, then on Telegram.", { failover: ["sms", "telegram"] }],
  ["What is not sent within 2 hours is not sent any more.", { expires_in: "2h" }],
  ["Takes the place of what it said before about the same `order_id`.", { update: { var: "payload.order_id" } }],
  [
    "Says nothing if `site.down` with the same `site` came within 10 minutes before.",
    { inhibited_by: { event_type: ["site.down"], equal: ["payload.site"], within: "10m" } },
  ],
  ["Shadow: all of this is decided and recorded, and nobody is told.", { mode: "shadow" }],
  ["Is sent in quiet hours too.", { bypass_quiet_hours: true }],
])("%s", (sentence, more) => expect(notes(more)).toEqual([sentence]))

test("an action without more says no more", () => {
  const nothing = {
    cooldown: null,
    throttle: null,
    delay: null,
    digest: null,
    escalate: [],
    failover: [],
    update: null,
  }
  expect(notes({ ...nothing, expires_in: null, inhibited_by: null, mode: "live", on_unknown: "retry" })).toEqual([])
})

test("systems and screens are named", () => {
  const hook = actionWords({ type: "webhook", url: "https://erp.example/x", secret: "erp", mode: "live" })
  expect(`${plain(hook.whom)}, ${plain(hook.where)}`).toBe("the system at `https://erp.example/x`, by a signed POST")
  const screens = actionWords({ type: "broadcast", topic: "resources:b1", event: "moved" })
  expect(`${plain(screens.whom)}, ${plain(screens.where)}`).toBe(
    "the screens that have joined `resources:b1`, as `moved`, at once",
  )
})

test("a duration that is none is left as it is", () => expect([span("1m"), span("3x")]).toEqual(["a minute", "3x"]))
