import { describe, expect, test } from "bun:test"
import type { JsonObject } from "../../domain/json.ts"
import { notify, other, REFUSED_ACTIONS } from "../../testing/refused-rules.ts"
import { oneRule, PLAIN_TEMPLATE, refusals, ruleFolders, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { foldersOf, loadRuleSet } from "../load.ts"
import { explainRuleError } from "../rule-error.ts"
import { channelsOf } from "../rule-set.ts"
import { ruleSetView } from "../rule-set-view.ts"

const actionOf = async (rules: string) => {
  const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
  return set.rules[0]?.actions[0]
}
const viewOf = async (rules: string): Promise<JsonObject> => {
  const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
  return JSON.parse(JSON.stringify(ruleSetView(set))).rules[0].actions[0]
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe("an action that tells people", () => {
  test("says nothing of time unless it is written", async () => {
    expect(await actionOf(notify(""))).toMatchObject({
      type: "notify",
      mode: "live",
      inhibitedBy: null,
      commercial: false,
      limits: [],
      delayMs: null,
      digest: null,
      escalate: [],
      until: "acknowledged",
      failover: [],
      expiresInMs: null,
      onUnknown: "retry",
      update: null,
    })
  })

  const read: readonly (readonly [string, string, object])[] = [
    ["a cooldown", "cooldown: 30m", { limits: [{ word: "cooldown", key: null, limit: 1, windowMs: 30 * MINUTE }] }],
    [
      "a cooldown with a key",
      "cooldown: { key: sku, window: 90s }",
      { limits: [{ word: "cooldown", key: { var: "payload.sku" }, limit: 1, windowMs: 90_000 }] },
    ],
    [
      "a throttle beside a cooldown",
      "throttle: { key: [event.type, location_id, { lower: [{ var: payload.sku }] }], limit: 5, window: 1h }\ncooldown: 1m",
      {
        limits: [
          { word: "cooldown", key: null, limit: 1, windowMs: MINUTE },
          {
            word: "throttle",
            key: [{ var: "event.type" }, { var: "event.location_id" }, { lower: [{ var: "payload.sku" }] }],
            limit: 5,
            windowMs: HOUR,
          },
        ],
      },
    ],
    ["a delay", "delay: 1d", { delayMs: 24 * HOUR }],
    ["a digest", "digest: { window: 15m }", { digest: { key: null, windowMs: 15 * MINUTE, max: 100 } }],
    [
      "a digest with a key and a bound",
      "digest: { key: payload.sku, window: 15m, max: 20 }",
      { digest: { key: { var: "payload.sku" }, windowMs: 15 * MINUTE, max: 20 } },
    ],
    [
      "an escalation",
      "escalate:\n  - { after: 5m, channels: [sms] }\n  - { after: 1h, channels: [in_app], to: { lists: [night], everyone: false } }\nuntil: read",
      {
        until: "read",
        escalate: [
          { afterMs: 5 * MINUTE, channels: ["sms"], to: null },
          { afterMs: HOUR, channels: ["inapp"], to: { roles: [], users: [], lists: ["night"], everyone: false } },
        ],
      },
    ],
    ["a failover", "failover: [sms, telegram]", { failover: ["sms", "telegram"] }],
    ["an end", "expires_in: 2h", { expiresInMs: 2 * HOUR }],
    ["what to do when nobody knows", "on_unknown: hold", { onUnknown: "hold" }],
    ["what it updates", "update: order.id", { update: { var: "payload.order.id" } }],
    ["a group", "category: offers\ncommercial: true", { category: "offers", commercial: true }],
    ["that it only pretends", "mode: shadow", { mode: "shadow" }],
    [
      "what silences it",
      "inhibited_by: { event_type: [site.down, 'power.*'], equal: [location_id, site.id], within: 10m }",
      {
        inhibitedBy: {
          eventTypes: ["site.down", "power.*"],
          equal: ["event.location_id", "payload.site.id"],
          withinMs: 10 * MINUTE,
        },
      },
    ],
  ]
  test.each(read)("can say %s", async (_, lines, expected) => {
    expect(await actionOf(notify(lines))).toMatchObject(expected)
  })

  test("can name lists", async () => {
    const rules = oneRule({ action: "to: { lists: [vip, night.shift] }\nchannels: [inapp]\ntemplate: plain" })
    expect(await actionOf(rules)).toMatchObject({ to: { roles: [], users: [], lists: ["vip", "night.shift"] } })
  })

  test("needs a credential for each channel that it may come to", async () => {
    const rules = notify("failover: [sms]\nescalate: [{ after: 1m, channels: [telegram] }]")
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
    expect(channelsOf(set)).toEqual(new Set(["inapp", "email", "sms", "telegram"]))
    const shadow = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": `${rules}        mode: shadow\n` })
    expect(channelsOf(shadow)).toEqual(new Set())
  })
})

describe("an action that tells no person", () => {
  test("a webhook has an address and perhaps a secret", async () => {
    const url = "https://erp.example.com/hooks"
    expect(await actionOf(other("webhook", `url: ${url}`))).toEqual({
      type: "webhook",
      url,
      secret: null,
      mode: "live",
      inhibitedBy: null,
    })
    expect(await actionOf(other("webhook", `url: ${url}\nsecret: erp\nmode: shadow`))).toMatchObject({
      secret: "erp",
      mode: "shadow",
    })
    expect(await actionOf(other("webhook", "url: http://localhost:9000/x"))).toMatchObject({
      url: "http://localhost:9000/x",
    })
  })

  test("a webhook's secret that stands in the rule is never shown", async () => {
    const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`
    const rules = other("webhook", `url: https://erp.example.com/\nsecret: ${secret}`)
    expect(await actionOf(rules)).toMatchObject({ secret })
    expect(await viewOf(rules)).toMatchObject({ secret: "whsec_…" })
    const short = `whsec_${Buffer.alloc(12, 7).toString("base64")}`
    const errors = await refusals({ "rules/a.yaml": rules.replace(secret, short) })
    expect(errors).toEqual([
      "rules/a.yaml:7:17 a secret that cannot be one, expected whsec_ and 24 to 64 bytes in base64",
    ])
  })

  test("a broadcast has a topic, which is compiled, and an event", async () => {
    const topic = "resources:<%= it.event.business_id %>"
    const action = await actionOf(other("broadcast", `topic: ${topic}\nevent: kitchen_alarm`))
    expect(action).toMatchObject({ type: "broadcast", topic, event: "kitchen_alarm", mode: "live" })
    expect(action?.type === "broadcast" && action.topicWords).toBeFunction()
  })
})

describe("the name of a webhook's secret", () => {
  const files = { "rules/a.yaml": other("webhook", "url: https://x.example/\nsecret: ero") }
  const errorsOf = async (webhookSecrets?: readonly string[]) => {
    const folders = await ruleFolders(files)
    const known = webhookSecrets === undefined ? {} : { webhookSecrets }
    const loaded = await loadRuleSet({ ...folders, ...known }, 0)
    await folders.remove()
    return "errors" in loaded ? loaded.errors.map(explainRuleError) : []
  }

  test("is refused where it is known that there is none of that name", async () => {
    expect(await errorsOf(["erp", "shop"])).toEqual([
      'rules/a.yaml:7:17 the secret "ero", which HUB_WEBHOOK_SECRETS does not name, expected one of erp, shop; did you mean "erp"?',
    ])
    expect((await errorsOf([]))[0]).toEndWith("does not name, expected a name in HUB_WEBHOOK_SECRETS")
    expect(await errorsOf(["ero"])).toEqual([])
  })

  test("is taken where that is not known, as in a pull request", async () => {
    expect(await errorsOf()).toEqual([])
  })

  test("is held against the settings of a hub in production, and of no other", () => {
    const settings = { rulesDir: "r", templatesDir: "t", webhookSecrets: [{ name: "erp" }] }
    expect(foldersOf({ ...settings, production: true }).webhookSecrets).toEqual(["erp"])
    expect(foldersOf({ ...settings, production: false }).webhookSecrets).toBeUndefined()
  })
})

describe("the running set is shown in the words of its files", () => {
  test("with what holds where nothing is written", async () => {
    expect(await viewOf(notify(""))).toEqual({
      type: "notify",
      to: { roles: ["r"], users: [], lists: [], everyone: false },
      channels: ["inapp", "email"],
      template: "plain",
      priority: "normal",
      bypass_quiet_hours: false,
      category: null,
      commercial: false,
      action_url: null,
      action_label: null,
      data: null,
      cooldown: null,
      throttle: null,
      delay: null,
      digest: null,
      escalate: [],
      until: "acknowledged",
      failover: [],
      expires_in: null,
      on_unknown: "retry",
      update: null,
      mode: "live",
      inhibited_by: null,
    })
  })

  const shown: readonly (readonly [string, string, object])[] = [
    ["cooldown", "cooldown: 120s", { cooldown: { key: null, window: "2m" } }],
    [
      "throttle",
      "throttle: { key: sku, limit: 3, window: 24h }",
      { throttle: { key: { var: "payload.sku" }, limit: 3, window: "1d" }, cooldown: null },
    ],
    ["delay and expiry", "delay: 90m\nexpires_in: 3h", { delay: "90m", expires_in: "3h" }],
    ["digest", "digest: { window: 1s }", { digest: { key: null, window: "1s", max: 100 } }],
    [
      "escalate",
      "escalate: [{ after: 5m, channels: [sms], to: { users: [u1] } }]",
      { escalate: [{ after: "5m", channels: ["sms"], to: { roles: [], users: ["u1"], lists: [], everyone: false } }] },
    ],
    [
      "inhibited_by",
      "inhibited_by: { event_type: a, equal: [location_id], within: 1w }",
      { inhibited_by: { event_type: ["a"], equal: ["event.location_id"], within: "7d" } },
    ],
  ]
  test.each(shown)("%s", async (_, lines, expected) => {
    expect(await viewOf(notify(lines))).toMatchObject(expected)
  })
  test("broadcast", async () => {
    const topic = "resources:<%= it.event.business_id %>"
    expect(await viewOf(other("broadcast", `topic: ${topic}\nevent: x`))).toEqual({
      type: "broadcast",
      topic,
      event: "x",
      mode: "live",
      inhibited_by: null,
    })
  })
})

describe("what an action cannot say is refused with its place and the right word", () => {
  test.each(REFUSED_ACTIONS)("%s", async (_, rules, expected) => {
    const errors = await refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
    expect(errors.find((error) => error.includes(expected)) ?? errors).toContain(expected)
  })

  test("words that are missing for a channel that is only tried later", async () => {
    const rules = notify("failover: [sms]\nescalate: [{ after: 1m, channels: [slack] }]")
    const errors = await refusals({
      "rules/a.yaml": rules,
      "templates/plain/email.eta": "---\nsubject: x\n---\nx",
      "templates/plain/inapp.eta": "---\ntitle: x\n---\nx",
    })
    expect(errors).toEqual([
      'rules/a.yaml:9:20 the template "plain" has no words for sms, expected plain/sms.eta or plain/default.eta',
      'rules/a.yaml:10:44 the template "plain" has no words for slack, expected plain/slack.eta or plain/default.eta',
    ])
  })
})

test("a template can read the events of a digest", async () => {
  const rules = notify("digest: { window: 1m }")
  const template =
    "---\ntitle: <%= it.events.length %> news\n---\n<% for (const event of it.events) { %>\n<%= event.payload.sku %>\n<% } %>"
  expect(await refusals({ "rules/a.yaml": rules, "templates/plain/default.eta": template })).toEqual([])
})
