import { describe, expect, test } from "bun:test"
import { business, location } from "../../testing/builders.ts"
import { oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { atMinute, ruleWorld, somebody } from "../../testing/rule-world.ts"
import { indexRules } from "../rule-set.ts"
import type { WorldOptions } from "./world.ts"

/** One rule that tells everybody with the role, with these lines in its action. */
const rule = (action: string, to = "{ roles: [r] }"): string =>
  oneRule({ action: `to: ${to}\ntemplate: plain\n${action}` })

const SKU = {
  "templates/plain/default.eta": "---\ntitle: News\n---\n<%= it.events.map((e) => e.payload.sku).join() %>",
}
const people = [somebody("u1"), somebody("u2")]
const reasonOf = (plan: { readonly decisions: readonly { readonly reason: string }[] }): string =>
  plan.decisions[0]?.reason ?? ""

/** Nothing gets through on these channels. */
const deadOn = (...channels: readonly string[]): Pick<WorldOptions, "send"> => ({
  send: ({ channel }) => (channels.includes(channel) ? "dead" : "delivered"),
})

describe("a limit", () => {
  test("lets a person be told once in a cooldown, and keeps what it refused with the reason", async () => {
    const world = await ruleWorld(rule("channels: [inapp, sms]\ncooldown: 30m"))
    await world.event(0)
    const refused = await world.event(29)
    await world.event(30)
    expect(world.sent).toEqual(["u1 sms 0", "u1 sms 30"])
    expect(world.unsent).toEqual(["u1 sms 29 cooldown"])
    expect(world.kept).toEqual(["u1 29 cooldown"])
    expect(reasonOf(refused)).toEndWith("; cooldown (at most 1 in 30m): u1")
  })

  test("counts each key, each person and each business by itself", async () => {
    const world = await ruleWorld(rule("channels: [sms]\nthrottle: { key: sku, limit: 1, window: 1h }"), {
      people: [
        somebody("u1"),
        somebody("u2", { memberships: [{ business: business("b2"), locations: null, roles: [] }] }),
      ],
    })
    await world.event(0, { sku: "a" })
    await world.event(1, { sku: "b" })
    await world.event(2, {})
    await world.event(3, {}, { business: business("b2") })
    await world.event(4, { sku: "a" })
    await world.event(5)
    expect(world.sent).toEqual(["u1 sms 0", "u1 sms 1", "u1 sms 2", "u2 sms 3"])
    expect(world.unsent).toEqual(["u1 sms 4 throttled", "u1 sms 5 throttled"])
  })

  test("is asked together with the others: what one refuses counts for none", async () => {
    const world = await ruleWorld(
      rule("channels: [sms]\ncooldown: { key: sku, window: 1h }\nthrottle: { limit: 2, window: 1h }"),
    )
    for (const [minute, sku] of ["a", "a", "a", "b", "c"].entries()) await world.event(minute, { sku })
    expect(world.sent).toEqual(["u1 sms 0", "u1 sms 3"])
    expect(world.unsent).toEqual(["u1 sms 1 cooldown", "u1 sms 2 cooldown", "u1 sms 4 throttled"])
  })

  test("whose key cannot be computed for an event counts as one without a key, and says so", async () => {
    const key = '{ ">": [{ var: payload.x }, 1] }'
    const world = await ruleWorld(rule(`channels: [sms]\nthrottle: { key: ${key}, limit: 1, window: 1h }`))
    const plan = await world.event(0, { x: { toString: 1 } })
    expect(plan.failures.map(({ reason }) => reason)).toEqual([expect.stringMatching(/^throttle\.key: /)])
    expect(world.sent).toEqual(["u1 sms 0"])
  })
})

describe("a delay", () => {
  test("tells later, whoever is concerned then", async () => {
    const world = await ruleWorld(rule("channels: [sms]\ndelay: 10m"))
    const plan = await world.event(0)
    expect(reasonOf(plan)).toEndWith("; delayed until 2026-03-02T09:10:00.000Z")
    world.put(somebody("u2"))
    await world.until(9)
    expect(world.sent).toEqual([])
    await world.until(10)
    expect(world.sent).toEqual(["u1 sms 10", "u2 sms 10"])
    expect(world.outcomes).toEqual(["delay fired"])
  })

  test("of a second action reaches those who were told already under the same notification", async () => {
    const second =
      "      - type: notify\n        to: { roles: [r] }\n        channels: [sms]\n        template: plain\n        delay: 5m\n"
    const world = await ruleWorld(rule("channels: [inapp, sms]") + second)
    await world.event(0)
    await world.until(5)
    expect(world.sent).toEqual(["u1 sms 0", "u1 sms 5"])
    expect(world.notifications.length).toBe(1)
  })
})

describe("a digest", () => {
  test("tells of all its events in one message, and the next opens another", async () => {
    const world = await ruleWorld(rule("channels: [inapp, sms]\ndigest: { window: 15m }"), { files: SKU })
    const plan = await world.event(0, { sku: "a" })
    expect(reasonOf(plan)).toContain("1 of 100 events, told at 2026-03-02T09:15:00.000Z at the latest")
    await world.event(14, { sku: "b" })
    await world.event(15, { sku: "c" })
    await world.until(60)
    expect(world.inbox).toEqual(["u1 15 a,b", "u1 30 c"])
    expect(world.sent).toEqual(["u1 sms 15", "u1 sms 30"])
    expect(world.notifications.map(({ notification }) => notification.reason)).toEqual(["digest", "digest"])
  })

  test("that is full is told at once, of the highest of its severities", async () => {
    const world = await ruleWorld(rule("channels: [inapp]\ndigest: { window: 1h, max: 3 }"), { files: SKU })
    await world.event(0, { sku: "a" })
    await world.event(1, { sku: "b" }, { severity: "critical" })
    await world.event(2, { sku: "c" })
    expect(world.inbox).toEqual(["u1 2 a,b,c"])
    expect(world.notifications[0]?.notification.severity).toBe("critical")
    await world.event(3, { sku: "d" })
    await world.until(100)
    expect(world.inbox).toEqual(["u1 2 a,b,c", "u1 63 d"])
  })

  test("tells each of the events that concern them, also at an address that they share", async () => {
    const members = (id: string, place: string) =>
      somebody(id, {
        email: "team@x.example",
        memberships: [{ business: business("b1"), locations: [location(place)], roles: [] }],
      })
    const world = await ruleWorld(rule("channels: [inapp, email]\ndigest: { window: 15m }"), {
      files: SKU,
      people: [members("u1", "l1"), members("u2", "l2"), members("u3", "l1")],
    })
    await world.event(0, { sku: "a" }, { location: location("l1") })
    await world.event(1, { sku: "b" }, { location: location("l2") })
    await world.event(2, { sku: "c" })
    await world.until(15)
    expect(world.inbox).toEqual(["u1 15 a,c", "u3 15 a,c", "u2 15 b,c"])
    expect(world.sent).toEqual(["u1+u3 email 15", "u2 email 15"])
    const rounds = world.deliveries.map(({ delivery }) => delivery.round)
    expect(new Set(rounds).size).toBe(2)
  })

  test("that fails over at different moments tells each of their own events, also at an address that they share", async () => {
    const member = (id: string, place: string) =>
      somebody(id, {
        phone: "+1",
        memberships: [{ business: business("b1"), locations: [location(place)], roles: [] }],
      })
    const world = await ruleWorld(rule("channels: [email]\ndigest: { window: 15m }\nfailover: [sms]"), {
      people: [member("u1", "l1"), member("u2", "l2")],
      ...deadOn("email"),
    })
    await world.event(0, {}, { location: location("l1") })
    await world.event(1, {}, { location: location("l2") })
    await world.until(15)
    // Each was fired by itself, and what has one event, rule, address and round is stored once.
    const sms = world.deliveries.filter(({ delivery }) => delivery.channel === "sms")
    expect(new Set(sms.map(({ delivery }) => delivery.round)).size).toBe(2)
  })

  test("gathers for each person by itself where the event names them, unless a key says otherwise", async () => {
    const named = "{ users: [{ var: payload.who }] }"
    const world = await ruleWorld(rule("channels: [inapp]\ndigest: { window: 15m }", named), { files: SKU, people })
    await world.event(0, { who: "u1", sku: "a" })
    await world.event(5, { who: "u2", sku: "b" })
    await world.event(10, { who: "u1", sku: "c" })
    await world.until(60)
    expect(world.inbox).toEqual(["u1 15 a,c", "u2 20 b"])
  })

  test("asks the limits when it is told, once for all its events", async () => {
    const world = await ruleWorld(rule("channels: [inapp]\ndigest: { window: 10m }\ncooldown: 15m"), { files: SKU })
    await world.event(0, { sku: "a" })
    await world.event(1, { sku: "b" })
    await world.event(12, { sku: "c" })
    await world.event(24, { sku: "d" })
    await world.until(60)
    expect(world.inbox).toEqual(["u1 10 a,b", "u1 34 d"])
    expect(world.kept).toEqual(["u1 22 cooldown"])
  })
})

describe("an escalation", () => {
  const steps =
    "channels: [inapp]\nescalate:\n  - { after: 10m, channels: [sms] }\n  - { after: 20m, channels: [email], to: { users: [boss] } }"
  const both = [
    somebody("u1"),
    {
      ...somebody("boss"),
      recipient: {
        ...somebody("boss").recipient,
        memberships: [{ business: business("b1"), locations: null, roles: [] }],
      },
    },
  ]

  test("goes on, step by step, counted from the first telling", async () => {
    const world = await ruleWorld(rule(steps), { people: both })
    const plan = await world.event(0)
    expect(reasonOf(plan)).toEndWith("; escalated at 2026-03-02T09:10:00.000Z unless acknowledged")
    await world.until(60)
    expect(world.sent).toEqual(["u1 sms 10", "boss email 20"])
    expect(world.notifications.map(({ notification }) => String(notification.recipient))).toEqual(["u1", "boss"])
    expect(world.outcomes).toEqual(["escalate fired", "escalate fired"])
  })

  test("ends when somebody acknowledges, and reading is not enough", async () => {
    const world = await ruleWorld(rule(steps), { people: both })
    await world.event(0)
    world.read(world.notificationOf("u1"))
    await world.until(15)
    world.acknowledge(world.notificationOf("u1"))
    await world.until(60)
    expect(world.sent).toEqual(["u1 sms 10"])
    expect(world.outcomes).toEqual(["escalate fired", "escalate acknowledged"])
  })

  test("ends when somebody reads, where the rule says so", async () => {
    const world = await ruleWorld(rule(`${steps}\nuntil: read`), { people: both })
    await world.event(0)
    world.read(world.notificationOf("u1"))
    await world.until(60)
    expect(world.sent).toEqual([])
    expect(world.outcomes).toEqual(["escalate read"])
  })

  test("is not begun where everybody was refused, and is where there was nobody to tell", async () => {
    const refused = await ruleWorld(rule(`${steps}\ncooldown: 1h`), { people: both })
    await refused.event(0)
    await refused.event(5)
    expect(refused.outcomes).toEqual(["escalate open"])
    const empty = await ruleWorld(rule(steps), { people: both.slice(1) })
    await empty.event(0)
    await empty.until(60)
    expect(empty.sent).toEqual(["boss email 20"])
  })

  test("brings into the inbox what was told outside of it, and no second time", async () => {
    const world = await ruleWorld(
      rule("channels: [sms]\nescalate: [{ after: 5m, channels: [inapp] }, { after: 9m, channels: [inapp, sms] }]"),
    )
    await world.event(0)
    expect(world.inbox).toEqual([])
    await world.until(10)
    expect(world.inbox).toEqual(["u1 5 Something happened."])
    expect(world.notifications).toHaveLength(1)
    expect(world.sent).toEqual(["u1 sms 0", "u1 sms 9"])
  })

  test("after a digest tells of all its events", async () => {
    const world = await ruleWorld(
      rule(
        "channels: [sms]\ndigest: { window: 10m }\nescalate: [{ after: 5m, channels: [inapp], to: { users: [boss] } }]",
      ),
      { people: both, files: SKU },
    )
    await world.event(0, { sku: "a" })
    await world.event(3, { sku: "b" })
    await world.until(60)
    expect(world.inbox).toEqual(["boss 15 a,b"])
  })

  test("an acknowledgement calls back what waits for the end of quiet hours", async () => {
    const quiet = { quietHours: { from: 9 * 60, to: 10 * 60, timezone: "UTC" } }
    const world = await ruleWorld(rule(steps.replace("[inapp]", "[inapp, email]")), {
      people: [somebody("u1", {}, quiet)],
    })
    await world.event(0)
    expect(world.unsent).toEqual(["u1 email quiet_hours"])
    world.acknowledge(world.notificationOf("u1"))
    await world.until(120)
    expect(world.unsent).toEqual(["u1 email 0 acknowledged"])
    expect(world.sent).toEqual([])
  })
})

describe("failover", () => {
  const chain = "channels: [email]\nfailover: [sms, telegram]"

  test("goes on at once for whom it is known that nothing was sent", async () => {
    const unreachable = somebody("u2", { email: null })
    const offline = somebody("u3", { phone: null, telegramChatId: "3" }, { channels: { email: false } })
    const world = await ruleWorld(rule(chain), { people: [somebody("u1"), unreachable, offline] })
    await world.event(0)
    expect(world.sent).toEqual(["u1 email 0", "u2 sms 0", "u3 telegram 0"])
    expect(world.unsent).toEqual(["u2 email 0 no_address", "u3 email 0 preference_channel", "u3 sms 0 no_address"])
    expect(world.outcomes).toEqual([])
  })

  test("goes on to the next channel when a message is dead, and the one after", async () => {
    const world = await ruleWorld(rule(chain), {
      people: [somebody("u1", { telegramChatId: "1" })],
      ...deadOn("email", "sms"),
    })
    await world.event(0)
    expect(world.sent).toEqual(["u1 telegram 0"])
    expect(world.unsent).toEqual(["u1 email 0 dead", "u1 sms 0 dead"])
    expect(world.outcomes).toEqual(["failover fired", "failover fired"])
    expect(world.notifications.length).toBe(1)
  })

  test("to a channel that two share is one message for both, though it is due for each at another moment", async () => {
    const night = { from: 8 * 60, to: 10 * 60, timezone: "UTC" }
    const shared = { phone: "+1" }
    const world = await ruleWorld(rule("channels: [email]\nfailover: [sms]"), {
      people: [somebody("u1", shared), somebody("u2", shared, { quietHours: night })],
      ...deadOn("email"),
    })
    await world.event(0)
    await world.until(90)
    expect(world.sent).toEqual(["u1+u2 sms 0"])
    expect(world.unsent).toEqual(["u1 email 0 dead", "u2 email 60 dead"])
  })

  test("does not go on while another of a person's messages may have arrived", async () => {
    const world = await ruleWorld(rule("channels: [email, telegram]\nfailover: [sms]"), {
      people: [somebody("u1", { telegramChatId: "1" }), somebody("u2")],
      ...deadOn("email"),
    })
    await world.event(0)
    expect(world.sent).toEqual(["u1 telegram 0", "u2 sms 0"])
    const unclear = await ruleWorld(rule(chain), { send: () => "unknown" })
    await unclear.event(0)
    expect([unclear.sent, unclear.outcomes]).toEqual([[], []])
  })

  test("is for the channels whose words cannot be made, too", async () => {
    const files = { "templates/plain/email.eta": "---\nsubject: S\n---\n<%= it.payload.amount %>" }
    const world = await ruleWorld(rule(chain), { files })
    const plan = await world.event(0)
    expect(plan.failures.length).toBe(1)
    expect(world.sent).toEqual(["u1 sms 0"])
  })

  test("is not for whom a limit has refused", async () => {
    const world = await ruleWorld(rule(`${chain}\ncooldown: 1h`))
    await world.event(0)
    await world.event(1)
    expect(world.sent).toEqual(["u1 email 0"])
    expect(world.unsent).toEqual(["u1 email 1 cooldown"])
  })
})

describe("wishes", () => {
  const night = { quietHours: { from: 8 * 60, to: 10 * 60, timezone: "UTC" } }

  test("hold a message back until quiet hours end, but not the inbox, nor what bypasses them", async () => {
    const world = await ruleWorld(rule("channels: [inapp, sms]"), { people: [somebody("u1", {}, night)] })
    await world.event(0)
    expect(world.deliveries[0]?.delivery.start).toMatchObject({ status: "scheduled", reason: "quiet_hours" })
    expect(world.deliveries[0]?.delivery.wishes).toEqual({
      category: null,
      commercial: false,
      bypassQuietHours: false,
    })
    await world.until(120)
    expect([world.inbox.length, world.sent]).toEqual([1, ["u1 sms 60"]])
    const urgent = await ruleWorld(rule("channels: [sms]\nbypass_quiet_hours: true"), {
      people: [somebody("u1", {}, night)],
    })
    await urgent.event(0)
    expect(urgent.sent).toEqual(["u1 sms 0"])
  })

  test("of those who share an address: it goes to whom it may, when the first of them wishes it", async () => {
    const shared = { email: "team@x.example" }
    const world = await ruleWorld(rule("channels: [email]"), {
      people: [
        somebody("u1", shared, night),
        somebody("u2", shared, { channels: { email: false } }),
        somebody("u3", shared, { quietHours: { from: 8 * 60, to: 9 * 60 + 30, timezone: "UTC" } }),
      ],
    })
    await world.event(0)
    await world.until(120)
    expect(world.sent).toEqual(["u1+u3 email 30"])
    expect(world.unsent).toEqual(["u2 email 0 preference_channel"])
  })

  test("that nobody has are not asked again", async () => {
    const world = await ruleWorld(rule("channels: [sms, email]\ncommercial: true"))
    await world.event(0)
    expect(world.deliveries.map(({ delivery }) => delivery.wishes !== false)).toEqual([true, true])
    const plain = await ruleWorld(rule("channels: [sms]"))
    await plain.event(0)
    expect(plain.deliveries[0]?.delivery.wishes).toBe(false)
  })
})

describe("expires_in", () => {
  test("is over before quiet hours are: nothing is sent", async () => {
    const quiet = { quietHours: { from: 8 * 60, to: 10 * 60, timezone: "UTC" } }
    const world = await ruleWorld(rule("channels: [inapp, sms]\nexpires_in: 30m"), {
      people: [somebody("u1", {}, quiet)],
    })
    await world.event(0)
    await world.until(120)
    expect([world.inbox.length, world.sent]).toEqual([1, []])
    expect(world.deliveries.map(({ delivery }) => delivery.start)).toEqual([
      { status: "expired", reason: "expires_in" },
    ])
  })

  test("ends an escalation, and what waited too long is kept without being told", async () => {
    const world = await ruleWorld(
      rule("channels: [inapp, sms]\ndelay: 5m\nescalate: [{ after: 10m, channels: [sms] }]\nexpires_in: 12m"),
    )
    await world.event(0)
    await world.until(60)
    expect([world.sent, world.unsent]).toEqual([["u1 sms 5"], []])
    expect(world.outcomes).toEqual(["delay fired", "escalate expired"])
  })

  test("of a digest is counted from its oldest event", async () => {
    const world = await ruleWorld(rule("channels: [sms]\ndigest: { window: 10m }\nexpires_in: 12m"))
    await world.event(0)
    await world.event(9)
    await world.until(10)
    expect(world.deliveries.map(({ delivery }) => delivery.expiresAt)).toEqual([atMinute(12)])
  })

  test("is kept on every delivery, counted from the acceptance", async () => {
    const world = await ruleWorld(rule("channels: [sms]\ndelay: 5m\nexpires_in: 30m"))
    await world.event(0)
    await world.until(5)
    expect(world.deliveries[0]?.delivery.expiresAt).toBe(atMinute(30))
  })
})

describe("shadow", () => {
  test("records what would be done, and does none of it", async () => {
    const world = await ruleWorld(
      rule(
        "mode: shadow\nchannels: [inapp, sms, telegram]\ndelay: 5m\ncooldown: 1h\nescalate: [{ after: 1h, channels: [sms] }]",
      ),
    )
    await world.event(0)
    await world.event(10)
    await world.until(200)
    expect([world.inbox, world.sent]).toEqual([[], []])
    expect(world.kept).toEqual(["u1 5 shadow", "u1 15 cooldown"])
    expect(world.unsent).toEqual([
      "u1 sms 5 shadow",
      "u1 telegram 5 no_address",
      "u1 sms 15 cooldown",
      "u1 telegram 15 cooldown",
    ])
    expect(world.outcomes).toEqual(["delay fired", "delay fired"])
  })
})

describe("inhibited_by", () => {
  const inhibited = rule(
    "channels: [sms]\ncooldown: 1h\ninhibited_by: { event_type: site.down, equal: [site], within: 10m }",
  )
  const down = { type: "site.down" }

  test("silences what a greater trouble of the same sort explains, and takes nothing from the limits", async () => {
    const world = await ruleWorld(inhibited)
    await world.event(0, { site: "a" }, down)
    const silenced = await world.event(10, { site: "a" })
    expect(silenced.decisions[0]).toMatchObject({ matched: true })
    expect(reasonOf(silenced)).toMatch(/; inhibited by evt_\w+ \(site\.down\)$/)
    await world.event(11, { site: "a" })
    expect(world.sent).toEqual(["u1 sms 11"])
    expect(world.unsent).toEqual([])
  })

  test("not of other values, of another business, or of what came before", async () => {
    const world = await ruleWorld(inhibited.replace("cooldown: 1h", "priority: high"))
    await world.event(0, { site: "b" }, down)
    await world.event(1, { site: "a" }, { ...down, business: business("b2") })
    await world.event(2, { site: "a" })
    await world.event(3, {}, down)
    await world.event(4, {})
    expect(world.sent).toEqual(["u1 sms 2"])
  })
})

describe("update", () => {
  test("lets later news of the same thing take the place of the earlier", async () => {
    const world = await ruleWorld(rule("channels: [inapp]\nupdate: sku"), { files: SKU })
    await world.event(0, { sku: "a" })
    await world.event(1, { sku: "b" })
    await world.event(2, { sku: "a" })
    expect(world.inbox).toEqual(["u1 1 b", "u1 2 a"])
  })
})

describe("actions that tell no person", () => {
  const webhook = (more = "") =>
    oneRule().replace(
      / {6}- type: notify[\s\S]*$/,
      `      - type: webhook\n        url: https://erp.example/hook\n${more}`,
    )
  const broadcast = (topic: string, more = "") =>
    oneRule().replace(
      / {6}- type: notify[\s\S]*$/,
      `      - type: broadcast\n        topic: ${JSON.stringify(topic)}\n        event: stock\n${more}`,
    )

  test("a webhook is a delivery without anybody, and carries the event", async () => {
    const world = await ruleWorld(webhook())
    const plan = await world.event(0, { b: 1, a: 2 })
    const [{ start, notifications } = { start: null, notifications: null }] = plan.deliveries
    expect(notifications).toEqual([])
    if (start?.status !== "queued" || start.message.channel !== "webhook") throw new Error("a webhook is queued")
    expect(start.message.url).toBe("https://erp.example/hook")
    expect(JSON.parse(start.message.body)).toMatchObject({
      payload: { a: 2, b: 1 },
      rule: "the-rule",
      id: plan.event.id,
    })
    expect(start.message.body).toContain('"payload":{"a":2,"b":1}')
  })

  test("a broadcast goes to the topics of its event's business", async () => {
    const streams = async (topic: string) => {
      const plan = await (await ruleWorld(broadcast(topic))).event(0, { at: "l1" })
      return plan.broadcasts[0]?.stream ?? plan.failures[0]?.reason
    }
    expect(String(await streams("resources:<%= it.event.business_id %>"))).toBe("resources:b1")
    expect(String(await streams("resources:<%= it.event.business_id %>-<%= it.payload.at %>"))).toBe("resources:b1:l1")
    expect(String(await streams("resources:b1:<%= it.payload.at %>"))).toBe("resources:b1:l1")
    expect(await streams("resources:b2")).toBe('topic: "resources:b2" is no topic of the event\'s business')
    expect(await streams("resources:<%= it.payload.none %>")).toBe("topic: it.payload.none is missing")
  })

  test("do nothing in shadow", async () => {
    const posted = await (await ruleWorld(webhook("        mode: shadow\n"))).event(0)
    expect(posted.deliveries.map(({ start }) => start)).toEqual([{ status: "suppressed", reason: "shadow" }])
    const pushed = await (await ruleWorld(broadcast("resources:b1", "        mode: shadow\n"))).event(0)
    expect([pushed.broadcasts, reasonOf(pushed)]).toEqual([[], expect.stringMatching(/; shadow: nothing is sent$/)])
  })
})

test("a list is told, within its business and place", async () => {
  const world = await ruleWorld(rule("channels: [sms]", "{ lists: [vip] }"), {
    people: [
      somebody("u1", {}, null, ["vip"]),
      somebody("u2"),
      somebody("u3", { memberships: [{ business: business("b1"), locations: [location("l2")], roles: [] }] }, null, [
        "vip",
      ]),
    ],
  })
  await world.event(0, {}, { location: location("l1") })
  expect(world.sent).toEqual(["u1 sms 0"])
  const nobody = await ruleWorld(rule("channels: [sms]", "{ lists: [vip, board] }"))
  expect(reasonOf(await nobody.event(0))).toEndWith(
    "; nobody is told: nobody in business b1 is on the list vip or board",
  )
})

test("a world that lets go of what is over does the same", async () => {
  const text = rule(
    "channels: [inapp, sms]\ndigest: { window: 5m, max: 3 }\nescalate: [{ after: 2m, channels: [sms] }]",
  )
  const run = async (remember: boolean) => {
    const settled: unknown[] = []
    const world = await ruleWorld(text, {
      people,
      remember,
      watch: { settled: ({ delivery }) => settled.push(delivery) },
    })
    for (const minute of [0, 1, 2, 3, 9, 20]) await world.event(minute)
    await world.until(100)
    return { settled, left: world.notifications.length }
  }
  const [kept, released] = await Promise.all([run(true), run(false)])
  expect(released.settled).toEqual(kept.settled)
  expect([kept.left > 0, released.left]).toEqual([true, 0])
})

test("timers that follow from each other without an end are an error, and no wait for ever", async () => {
  const text = rule("channels: [sms]\nescalate: [{ after: 2m, channels: [sms] }]")
  const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": text })
  // No file can say so: it stands for a planning that makes the same step again.
  const rules = set.rules.map((one) => ({
    ...one,
    actions: one.actions.map((action) =>
      action.type === "notify"
        ? { ...action, escalate: action.escalate.flatMap((step) => Array<typeof step>(500).fill(step)) }
        : action,
    ),
  }))
  const world = await ruleWorld(text, { ruleSet: { ...set, rules, rulesFor: indexRules(rules) } })
  await world.event(0)
  await expect(world.until(2)).rejects.toThrow("follow from each other without an end")
})
