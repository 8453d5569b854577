import { describe, expect, test } from "bun:test"
import { oneRule, PLAIN_TEMPLATE, type RuleFiles, ruleFolders } from "../../testing/rule-fixtures.ts"
import { type RulesTested, testRules } from "./test-rules.ts"

/** What a test file says of some rules. */
async function tested(files: RuleFiles, tests: string): Promise<RulesTested> {
  const folders = await ruleFolders({ ...PLAIN_TEMPLATE, ...files, "rules/a.test.yaml": tests })
  try {
    return await testRules(folders, 0)
  } finally {
    await folders.remove()
  }
}

const ONE = `{ id: u1, roles: [r], email: u1@example.com, phone: "+9647700000001" }`

/** What is wrong with one test of one rule, whose template is said, as is its audience where it says none. */
async function problems(action: string, steps: string, people = ONE): Promise<readonly string[]> {
  const to = /^to:/m.test(action) ? "" : "to: { roles: [r] }\n"
  const rule = oneRule({ action: `template: plain\n${to}${action}` })
  const file = `tests:\n  - name: it\n    recipients: [${people}]\n    steps:\n${steps.replace(/^/gm, "      ")}\n`
  const { errors, results } = await tested({ "rules/a.yaml": rule }, file)
  expect(errors).toEqual([])
  return results.flatMap(({ failures }) => failures.map(({ problem }) => problem))
}

const EVENT = "{ type: test.happened, payload: { n: 1 } }"

describe("a test of a rule", () => {
  const sound: readonly (readonly [string, string, string, string?])[] = [
    [
      "a rule in shadow tells nobody, and says so",
      "channels: [inapp, sms]\nmode: shadow",
      `- event: ${EVENT}
  expect: [{ to: u1, channels: [inapp, sms], status: suppressed, reason: shadow }]
  expect_not: [{ to: u1 }]
  nothing_else: true`,
    ],
    [
      "all of a person's devices are one telling, and a call is another",
      "channels: [push, voice]",
      `- event: ${EVENT}
  expect: [{ to: u1, channels: [push, voice], title: News, count: 1 }]
  expect_not: [{ to: u2, channels: [push] }]`,
      `{ id: u1, roles: [r], phone: "+9647700000001", device_tokens: [{ platform: ios, token: a }, { platform: web, token: b }] }, { id: u2, roles: [r], phone: "+9647700000002" }`,
    ],
    [
      "later news takes the place of earlier",
      "channels: [inapp]\nupdate: payload.n",
      `- events: [${EVENT}, ${EVENT}]
  expect: [{ to: u1, count: 1 }, { to: u1, status: replaced, count: 1 }]
  nothing_else: true`,
    ],
    [
      "a greater trouble silences a lesser one",
      "channels: [inapp]\ninhibited_by: { event_type: great, equal: [payload.n], within: 5m }",
      `- events: [{ type: great, payload: { n: 1 } }, ${EVENT}]
  expect: []
- event: { type: test.happened, payload: { n: 1 }, after: 6m }
  expect: [{ to: u1 }]`,
    ],
    [
      "whom it is not known to have reached",
      "channels: [sms]",
      `- channel_fails: { sms: unknown }
  event: ${EVENT}
  expect: [{ to: u1, channels: [sms], status: unknown }]
  expect_not: [{ to: u1 }]
- channel_fails: { sms: delivered }
  event: ${EVENT}
  expect: [{ to: u1, channels: [sms] }]`,
    ],
    [
      "who has no address has no message",
      "channels: [inapp, telegram]",
      `- event: ${EVENT}
  expect: [{ to: u1, channels: [inapp] }, { to: u1, channels: [telegram], reason: no_address }]
  nothing_else: true`,
    ],
    [
      "wishes are kept, by channel, category and severity",
      "channels: [inapp, sms, email]\ncategory: billing",
      `- event: ${EVENT}
  expect:
    - { to: u1, channels: [sms], status: suppressed, reason: preference_severity }
    - { to: u1, channels: [email], status: suppressed, reason: preference_category }
- event: { type: test.happened, severity: high }
  expect: [{ to: u1, channels: [in_app, sms] }]`,
      `{ id: u1, roles: [r], email: u1@example.com, phone: "+9647700000001", prefs: { severity_min: { sms: high }, categories: { billing: { email: false } } } }`,
    ],
    [
      "what waits for quiet hours is cancelled once it is acknowledged",
      "channels: [inapp, sms]\nescalate: [{ after: 1h, channels: [email] }]",
      `- event: { type: test.happened, at: 2026-01-05T23:00:00Z }
  expect: [{ to: u1, channels: [sms], status: scheduled }, { to: u1, channels: [inapp] }]
- acknowledge: { rule: the-rule, by: u1 }
  expect: [{ to: u1, channels: [sms], status: cancelled, reason: acknowledged }]
- advance: 1d
  expect: []`,
      `{ id: u1, roles: [r], phone: "+9647700000001", prefs: { quiet_hours: { from: "22:00", to: "07:00" } } }`,
    ],
    [
      "people of another business or branch are not told",
      "channels: [inapp]",
      `- event: { type: test.happened, business_id: b2, location_id: 7 }
  expect: [{ to: [u2, 3] }]
  expect_not: [{ to: u1 }, { to: u4 }]
  nothing_else: true`,
      `${ONE}, { id: u2, business_id: b2, roles: [r] }, { id: 3, memberships: [{ business_id: b2, location_ids: [7], roles: [r] }, { business_id: b3 }] }, { id: u4, business_id: b2, location_ids: [8], roles: [r] }`,
    ],
    [
      "members of a list are told",
      "channels: [inapp]\nto: { lists: [vip] }",
      `- event: ${EVENT}
  expect: [{ to: u1 }]
  nothing_else: true`,
      `{ id: u1, lists: [vip] }, { id: u2, roles: [r], lists: [others] }`,
    ],
  ]
  const cases = sound.map(([name, action, steps, people = ONE]) => [name, action, steps, people] as const)
  test.each(cases)("%s", async (_, action, steps, people) => {
    expect(await problems(action, steps, people)).toEqual([])
  })

  test("systems and screens are told too", async () => {
    const rules = `rules:
  - name: to-systems
    event_type: test.happened
    actions:
      - { type: webhook, url: "https://crm.example/hook", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0 }
      - { type: broadcast, topic: "resources:<%= it.event.business_id %>", event: happened }
`
    const { errors, results, coverage } = await tested(
      { "rules/a.yaml": rules },
      `tests:
  - name: it
    event: { type: test.happened, payload: { n: 41 } }
    expect:
      - { rule: to-systems, channels: [webhook], body: '"n":41' }
      - { rule: to-systems, channels: [broadcast], body: "resources:default happened" }
    nothing_else: true
`,
    )
    expect([errors, results.flatMap(({ failures }) => failures), coverage?.percent]).toEqual([[], [], 100])
  })

  test("each expectation that does not hold is a failure, and each unexpected telling", async () => {
    const wrong = await problems(
      "channels: [inapp, sms]",
      `- event: ${EVENT}
  expect: [{ to: u2 }, { to: u1, count: 2 }, { to: u1, at: 2026-01-05T10:00:00Z }, { to: u1, channels: [sms] }]
  expect_not: [{ rule: the-rule }, { to: u1, count: 1 }]
  nothing_else: true`,
    )
    expect(wrong).toEqual([
      "expected to u2",
      "expected to u1, 2 times; there were 1",
      "expected to u1, at 2026-01-05T10:00:00.000Z",
      "expected to u1, on sms",
      "not expected: the-rule",
      "not expected: to u1, once",
    ])
    expect(await problems("channels: [inapp]", `- event: ${EVENT}\n  expect: []`)).toEqual([
      'nothing else is expected, and there was the-rule, to u1, on inapp, title "News", delivered, at 2026-01-05T09:00:00.000Z',
    ])
  })

  test("an expectation is of what came since the one before", async () => {
    const steps = `- event: ${EVENT}\n  expect: [{ to: u1 }]\n- advance: 1h\n  expect: [{ to: u1 }]`
    expect(await problems("channels: [inapp]", steps)).toEqual(["expected to u1"])
  })
})

describe("coverage", () => {
  const rules = `rules:
  - name: r
    event_type: t
    conditions:
      - { field: a, operator: gte, value: 1 }
      - { field: b, operator: eq, value: x }
    actions: [{ type: notify, to: { roles: [r] }, channels: [inapp], template: plain }]
  - name: either
    event_type: t
    conditions: { "!": [{ or: [{ "==": [{ var: payload.a }, 1] }, { "==": [{ var: payload.b }, x] }] }] }
    actions: [{ type: notify, to: { roles: [r] }, channels: [inapp], template: plain }]
`
  const missing = async (...payloads: readonly string[]): Promise<readonly string[]> => {
    const events = payloads.map((payload) => `{ type: t, payload: ${payload} }`).join(", ")
    const file = `tests: [{ name: it, recipients: [${ONE}], events: [${events}], expect_not: [{ to: nobody }] }]`
    const { coverage } = await tested({ "rules/a.yaml": rules }, file)
    return (coverage?.uncovered ?? []).map(({ line, column, rule, missing }) => `${line}:${column} ${rule} ${missing}`)
  }

  test("counts each part that its author wrote, once it was asked", async () => {
    expect(await missing("{ a: 0, b: x }")).toEqual([
      "2:5 r never matched",
      '5:9 r {">=":[{"var":"payload.a"},1]} was never true',
      // The first part was false: nobody asked for the second.
      '6:9 r {"==":[{"var":"payload.b"},"x"]} was never true',
      '6:9 r {"==":[{"var":"payload.b"},"x"]} was never false',
      "2:5 r its action told nobody",
      "8:5 either never matched",
      '10:32 either {"==":[{"var":"payload.a"},1]} was never true',
      '10:67 either {"==":[{"var":"payload.b"},"x"]} was never false',
      "8:5 either its action told nobody",
    ])
  })

  test("is whole once every part was both", async () => {
    expect(await missing("{ a: 0, b: x }", "{ a: 1, b: x }", "{ a: 2, b: y }")).toEqual([])
  })
})
