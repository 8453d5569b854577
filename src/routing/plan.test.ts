import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { newIdsAt } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Plan } from "../domain/plan.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { FindAudience } from "../store/audience.ts"
import type { DecisionPorts } from "../store/decision-ports.ts"
import { location, recipient, recipientId } from "../testing/builders.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, type RuleFiles, ruleSetOf } from "../testing/rule-fixtures.ts"
import { type BatchOptions, decideBatch } from "./decide-batch.ts"
import { loadRuleSet } from "./load.ts"
import { MemoryGates } from "./world/memory-gates.ts"

const NOW = Date.UTC(2026, 2, 2, 9)
const OUTSIDER = recipientId("outsider")

/** Everybody with one of the roles (as memberships say) or named; `outsider` exists in another business. */
const findAmong =
  (people: readonly Recipient[]): FindAudience =>
  async (queries) =>
    queries.map((query) => ({
      recipients: people
        .filter(({ id, memberships }) => {
          const roles = memberships.flatMap((membership) => membership.roles)
          return query.everyone || query.users.includes(id) || roles.some((role) => query.roles.includes(role))
        })
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      preferences: new Map(),
      outsiders: new Set(query.users.filter((id) => id === OUTSIDER)),
    }))

/** With gates and inhibitors of its own. */
const portsOf = (audience: FindAudience): DecisionPorts => ({
  audience,
  inhibitors: async (queries) => queries.map(() => null),
  gates: async () => new MemoryGates(),
})

interface Case {
  readonly files?: RuleFiles
  readonly rules: string
  readonly people?: readonly Recipient[]
  readonly payload?: JsonObject
  readonly defaultSlack?: boolean
}

const settled: BatchOptions = {
  settings: { publicUrl: "https://hub.example", defaultSlack: true },
  ids: newIdsAt(NOW),
  breathe: async () => {},
  onBug: (error) => {
    throw error
  },
}

async function planOf({ files, rules, people = [], payload = {}, defaultSlack = true }: Case): Promise<Plan> {
  const set = await ruleSetOf({ ...PLAIN_TEMPLATE, ...files, "rules/a.yaml": rules })
  const event = hubEvent({ payload, location: location("l1"), severity: "high" })
  const options = { ...settled, settings: { ...settled.settings, defaultSlack } }
  const [plan] = await decideBatch(set, [event], portsOf(findAmong(people)), options)
  if (plan === undefined) throw new Error("one event has one plan")
  return plan
}

const accountant = (id: string, changes: Partial<Recipient> = {}): Recipient => {
  const made = recipient(id, changes)
  return { ...made, memberships: made.memberships.map((membership) => ({ ...membership, roles: ["accountant"] })) }
}

const to = (audience: string, channels = "inapp", more = "") =>
  oneRule({ action: `to: ${audience}\nchannels: [${channels}]\ntemplate: plain\n${more}` })

const told = (plan: Plan) => plan.notifications.map((notification) => String(notification.recipient))
const reasonOf = (plan: Plan) => plan.decisions[0]?.reason ?? ""
const sent = (plan: Plan) =>
  plan.deliveries.map(({ channel, addressKey, start }) => [
    channel,
    addressKey,
    start.status === "suppressed" || start.status === "expired" ? start.reason : start.status,
  ])

describe("who is told", () => {
  test("the union of roles and named users, each person once, sorted", async () => {
    const plan = await planOf({
      rules: to("{ roles: [accountant], users: [{ var: payload.owner }, u2, { var: payload.team }] }"),
      people: [accountant("u3"), accountant("u1"), recipient("u2"), recipient("u9")],
      payload: { owner: "u1", team: ["u2", "u3"] },
    })
    expect(told(plan)).toEqual(["u1", "u2", "u3"])
  })

  test("the payload's user_id, where the rule names nobody", async () => {
    const rules = oneRule({ action: "channels: [inapp]\ntemplate: plain" })
    expect(told(await planOf({ rules, people: [recipient("7")], payload: { user_id: 7 } }))).toEqual(["7"])
    expect(told(await planOf({ rules, people: [recipient("7")] }))).toEqual([])
  })

  test("everyone of the business", async () => {
    expect(told(await planOf({ rules: to("{ everyone: true }"), people: [recipient("a"), recipient("b")] }))).toEqual([
      "a",
      "b",
    ])
  })

  test("a person whom nobody knows yet becomes a recipient with an inbox alone", async () => {
    const plan = await planOf({
      rules: to("{ users: [{ var: payload.who }] }", "inapp, email"),
      payload: { who: "new" },
    })
    expect(plan.newRecipients).toMatchObject([{ id: "new", email: null, memberships: [{ business: "b1" }] }])
    expect(told(plan)).toEqual(["new"])
    expect(sent(plan)).toEqual([["email", "none:new", "no_address"]])
  })

  test("nobody of another business, though they are named", async () => {
    const plan = await planOf({ rules: to("{ users: [outsider] }") })
    expect([told(plan), plan.newRecipients]).toEqual([[], []])
    expect(reasonOf(plan)).toEndWith("; nobody is told: no recipients of business b1: outsider")
  })

  test("and where nobody is told, the decision says why", async () => {
    const why = async (rules: string, people: readonly Recipient[] = []) => reasonOf(await planOf({ rules, people }))
    expect(await why(oneRule({ action: "channels: [inapp]\ntemplate: plain" }))).toEndWith(
      "; nobody is told: the event names no user",
    )
    expect(await why(to("{ roles: [cook, waiter] }"), [accountant("u1")])).toEndWith(
      "; nobody is told: nobody in business b1, location l1, has the role cook or waiter",
    )
    expect(await why(to("{ roles: [accountant] }"), [accountant("u1")])).toBe("the event type fits, no conditions")
    expect(await why(to("{ roles: [accountant], users: [outsider] }"), [accountant("u1")])).toEndWith(
      "; no recipients of business b1: outsider",
    )
  })

  test("a value that is no id is a failure, and the others are told", async () => {
    const plan = await planOf({
      rules: to("{ users: [{ var: payload.who }], roles: [accountant] }"),
      people: [accountant("u1")],
      payload: { who: [{ id: 1 }, "not an id", null, ""] },
    })
    expect(told(plan)).toEqual(["u1"])
    expect(plan.failures).toEqual([{ rule: "the-rule", reason: "to.users: a value that is no recipient id" }] as never)
  })

  test("two rules make two notifications for one person", async () => {
    const rules =
      to("{ roles: [accountant] }") + to("{ everyone: true }").replace("rules:\n", "").replace("the-rule", "second")
    const plan = await planOf({ rules, people: [accountant("u1")] })
    expect(plan.notifications.map(({ rule, recipient: who }) => [rule, who])).toEqual([
      ["the-rule", "u1"],
      ["second", "u1"],
    ] as never)
  })

  test("two actions of a rule tell a person once, over the channels of both", async () => {
    const second =
      "      - type: notify\n        to: { everyone: true }\n        channels: [email]\n        template: plain\n"
    const plan = await planOf({
      rules: to("{ roles: [accountant] }") + second,
      people: [accountant("u1", { email: "a@b.example" }), recipient("u2", { email: "c@d.example" })],
    })
    expect(plan.notifications.map(({ recipient: who, inbox }) => [String(who), inbox])).toEqual([
      ["u1", true],
      ["u2", false],
    ])
    expect(sent(plan)).toEqual([
      ["email", "a@b.example", "queued"],
      ["email", "c@d.example", "queued"],
    ])
  })
})

describe("what is sent", () => {
  test("one delivery for each address, however many people share it", async () => {
    const plan = await planOf({
      rules: to("{ roles: [accountant] }", "slack, email"),
      people: [
        accountant("u1", { email: "Team@Example.com" }),
        accountant("u2", { email: "team@example.com", slackWebhookUrl: "https://hooks.slack.example/a" }),
        accountant("u3"),
      ],
    })
    const ids = plan.notifications.map((notification) => notification.id)
    expect(
      plan.deliveries.map(({ channel, addressKey, notifications }) => [
        channel,
        addressKey,
        notifications.map((id) => ids.indexOf(id)),
      ]),
    ).toEqual([
      ["slack", "default", [0, 2]],
      ["email", "team@example.com", [0, 1]],
      ["slack", "https://hooks.slack.example/a", [1]],
      ["email", "none:u3", [2]],
    ])
    const [slack, email] = plan.deliveries
    expect(slack?.start).toMatchObject({ message: { channel: "slack", webhookUrl: null } })
    expect(email?.start).toMatchObject({ message: { to: "Team@Example.com" } })
  })

  test("each device of a person by a push of its own, once, with the words as its place and time say", async () => {
    const devices = ["web a", "ios b", "ios b", "toaster c", "android d"].map((device) => {
      const [platform = "", token = ""] = device.split(" ")
      return { platform, token }
    })
    const plan = await planOf({
      rules: to("{ roles: [accountant] }", "push", "update: payload.x\nexpires_in: 1h\npriority: high"),
      people: [accountant("u1", { deviceTokens: devices }), accountant("u2")],
    })
    expect(sent(plan)).toEqual([
      ["push", "web:a", "queued"],
      ["push", "ios:b", "queued"],
      ["push", "android:d", "queued"],
      ["push", "none:u2", "no_address"],
    ])
    const message = { title: "News", text: "Something happened.", priority: "high", device: { token: "a" } }
    expect(plan.deliveries[0]?.start).toMatchObject({ message })
    const [start] = plan.deliveries.map((delivery) => delivery.start)
    if (start?.status !== "queued" || start.message.channel !== "push") throw new Error("no push")
    expect(start.message.topic).toMatch(/^[\w-]{32}$/)
    expect(start.message.expiresAt).toBe(plan.event.acceptedAt + 3_600_000)
  })

  test("nothing where there is no address: the delivery is kept as suppressed", async () => {
    const plan = await planOf({
      rules: to("{ roles: [accountant] }", "email, sms, voice, telegram, slack, push"),
      people: [accountant("u1")],
      defaultSlack: false,
    })
    expect(sent(plan)).toEqual(
      ["email", "sms", "voice", "telegram", "slack", "push"].map((channel) => [channel, "none:u1", "no_address"]),
    )
  })

  test("without inapp the notification exists and is in no inbox", async () => {
    const plan = await planOf({
      rules: to("{ roles: [accountant] }", "sms"),
      people: [accountant("u1", { phone: "+9647700000000" })],
    })
    expect(plan.notifications).toMatchObject([
      { inbox: false, severity: "high", location: "l1", content: { title: "News", body: "Something happened." } },
    ])
  })

  test("carries the rule, the revision, the priority and the category", async () => {
    const plan = await planOf({
      rules: to("{ everyone: true }", "inapp, sms", "priority: high\ncategory: risk"),
      people: [recipient("u1", { phone: "+1" })],
    })
    expect(plan.rulesRevision).toMatch(/^[0-9a-f]{12}$/)
    const stamp = { event: plan.event.id, rule: "the-rule", rulesRevision: plan.rulesRevision, priority: "high" }
    expect(plan.notifications[0]).toMatchObject({ ...stamp, category: "risk" } as never)
    expect(plan.deliveries[0]).toMatchObject(stamp as never)
  })

  test("each reader reads in their own language, a shared address in that of its first reader", async () => {
    const files = {
      "templates/plain/sms.eta": "Hello <%= it.recipient.id %>",
      "templates/plain/sms.ar.eta": "مرحبا <%= it.recipient.id %>",
    }
    const people = [
      recipient("u3", { phone: "+2", locale: "en" }),
      recipient("u2", { phone: "+1", locale: "en" }),
      recipient("u1", { phone: "+1", locale: "ar-IQ" }),
    ]
    const plan = await planOf({ files, rules: to("{ everyone: true }", "sms"), people })
    expect(
      plan.deliveries.map(({ start }) => start.status === "queued" && "text" in start.message && start.message.text),
    ).toEqual(["مرحبا u1", "Hello u3"])
  })

  test("words that name the reader name each one, also where a partial or the rule's own data does it", async () => {
    const files = {
      "templates/_partials/greet.eta": "Dear <%= it.recipient.name %>",
      "templates/plain/sms.eta": '<%~ include("/_partials/greet") %>',
    }
    const people = [recipient("u1", { phone: "+1", name: "Ali" }), recipient("u2", { phone: "+2", name: "Zaynab" })]
    const rules = (more: string): string => to("{ everyone: true }", "inapp, sms", more)
    const partial = await planOf({ files, rules: rules(""), people })
    const texts = partial.deliveries.map(
      ({ start }) => start.status === "queued" && "text" in start.message && start.message.text,
    )
    expect(texts).toEqual(["Dear Ali", "Dear Zaynab"])
    const own = await planOf({ files, rules: rules('data: { to: "<%= it.recipient.name %>" }'), people })
    expect(own.notifications.map(({ content }) => content.data)).toEqual([{ to: "Ali" }, { to: "Zaynab" }])
  })

  test("words that are the same for all are made once and addressed to each", async () => {
    const plan = await planOf({
      rules: to("{ everyone: true }", "email"),
      people: [recipient("u1", { email: "a@x.example" }), recipient("u2", { email: "b@x.example" })],
    })
    expect(
      plan.deliveries.map(({ start }) => start.status === "queued" && "to" in start.message && start.message.to),
    ).toEqual(["a@x.example", "b@x.example"])
  })
})

describe("words that cannot be made", () => {
  const files = { "templates/plain/sms.eta": "Owes <%= it.payload.amount %>" }
  const people = [recipient("u1", { phone: "+1", email: "a@x.example" }), recipient("u2", { phone: "+2" })]
  const failure = "templates/plain/sms.eta: body: it.payload.amount is missing"

  test("fail for their channel once, and the other channels go on", async () => {
    const plan = await planOf({ files, rules: to("{ everyone: true }", "inapp, sms, email"), people })
    expect(plan.failures).toEqual([{ rule: "the-rule", reason: `sms: ${failure}` }] as never)
    expect(sent(plan)).toEqual([
      ["email", "a@x.example", "queued"],
      ["email", "none:u2", "no_address"],
    ])
    expect(told(plan)).toEqual(["u1", "u2"])
  })

  test("fail for their rule, and the other rules go on", async () => {
    const rules =
      to("{ everyone: true }", "sms") + to("{ everyone: true }").replace("rules:\n", "").replace("the-rule", "second")
    const plan = await planOf({ files, rules, people })
    expect(plan.notifications.map(({ rule }) => String(rule))).toEqual(["second", "second"])
    expect(plan.failures.length).toBe(1)
  })

  test("for the inbox leave the messages, and the notification to explain them", async () => {
    const broken = {
      "templates/plain/inapp.eta": "---\ntitle: T <%= it.payload.x %>\n---\nb",
      "templates/plain/sms.eta": "ok",
    }
    const plan = await planOf({ files: broken, rules: to("{ everyone: true }", "inapp, sms"), people })
    expect(plan.notifications.map(({ inbox, content }) => [inbox, content.title])).toEqual([
      [false, "News"],
      [false, "News"],
    ])
    expect(sent(plan).map(([channel]) => channel)).toEqual(["sms", "sms"])
    expect(plan.failures.map(({ reason }) => reason)).toEqual([
      "inapp: templates/plain/inapp.eta: title: it.payload.x is missing",
    ])
  })
})

describe("a batch", () => {
  test("asks each question once and gives each event its plan", async () => {
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": to("{ roles: [accountant] }") })
    const asked: number[] = []
    const find: FindAudience = (queries) => {
      asked.push(queries.length)
      return findAmong([accountant("u1")])(queries)
    }
    let breaths = 0
    const events = Array.from({ length: 50 }, () => hubEvent())
    const plans = await decideBatch(set, events, portsOf(find), {
      settings: { publicUrl: "https://hub.example", defaultSlack: false },
      ids: newIdsAt(NOW),
      breathe: async () => {
        breaths += 1
      },
      onBug: () => {},
    })
    expect(asked).toEqual([1])
    expect(plans.map((plan) => plan.event.id)).toEqual(events.map((event) => event.id))
    expect(breaths).toBeGreaterThan(0)
  })

  test("an event that cannot be decided spoils only itself", async () => {
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": to("{ roles: [accountant] }") })
    const poison = { ...hubEvent(), acceptedAt: Number.NaN }
    const bugs: unknown[] = []
    const plans = await decideBatch(set, [poison, hubEvent()], portsOf(findAmong([accountant("u1")])), {
      settings: { publicUrl: "https://hub.example", defaultSlack: false },
      ids: newIdsAt(NOW),
      breathe: async () => {},
      onBug: (error) => bugs.push(error),
    })
    expect(plans.map((plan) => [plan.notifications.length, plan.failures.length])).toEqual([
      [0, 1],
      [1, 0],
    ])
    expect(bugs.length).toBe(1)
  })
})

describe("the shipped rules", () => {
  const shipped = async (type: string, source: string, payload: JsonObject) => {
    const root = join(import.meta.dirname, "../..")
    const loaded = await loadRuleSet({ rulesDir: join(root, "rules"), templatesDir: join(root, "templates") }, NOW)
    if ("errors" in loaded) throw new Error("the shipped rules are good")
    const everyone = [
      ...new Set(
        loaded.ok.rules.flatMap((rule) =>
          rule.actions.flatMap((action) => (action.type === "notify" ? action.to.roles : [])),
        ),
      ),
    ]
    const people = ["en", "ar"].map((locale): Recipient => {
      const made = recipient(locale, { locale, email: `${locale}@example.com`, phone: "+9647700000000" })
      return { ...made, memberships: made.memberships.map((membership) => ({ ...membership, roles: everyone })) }
    })
    const event = hubEvent({ type, source, severity: "critical", payload })
    const [plan] = await decideBatch(loaded.ok, [event], portsOf(findAmong(people)), settled)
    if (plan === undefined) throw new Error("one event has one plan")
    return plan
  }

  test("tell of an overdue invoice, though the event says no more than its number and its days", async () => {
    const plan = await shipped("invoice.overdue", "invoicing", { days_overdue: 7, invoice_number: "INV-1" })
    expect(plan.failures).toEqual([])
    expect(plan.notifications.find(({ recipient: of }) => of === "en")).toMatchObject({
      rule: "invoice-overdue",
      inbox: true,
      content: { title: "Invoice INV-1 is overdue" },
    })
    expect(plan.deliveries.map(({ channel }) => channel)).toEqual(["email", "email"])
  })

  test.each([
    ["stock.out", "inventory", { sku: "S-1" }],
    ["stock.low", "inventory", { sku: "S-1", quantity: 2, reorder_level: 5 }],
    ["MARGIN_CALL", "risk", { account_id: "A-1" }],
    ["order.created", "sales", { order_id: "o-1" }],
    ["invoice.created", "invoicing", { invoice_id: "i-1", invoice_number: "INV-1" }],
    ["invoice.paid", "invoicing", { invoice_id: "i-1", invoice_number: "INV-1" }],
  ] as const)("tell of %s without names and amounts", async (type, source, payload) => {
    const plan = await shipped(type, source, payload)
    expect(plan.failures).toEqual([])
    expect(plan.notifications.length).toBeGreaterThan(0)
  })
})
