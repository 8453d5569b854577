import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { oneRule, PLAIN_TEMPLATE, type RuleFiles, ruleFolders } from "../../testing/rule-fixtures.ts"
import { explainRuleError } from "../rule-error.ts"
import { checkRules, type RulesCheck } from "./check-rules.ts"

async function checked(files: RuleFiles): Promise<RulesCheck> {
  const folders = await ruleFolders(files)
  try {
    return await checkRules(folders, 0)
  } finally {
    await folders.remove()
  }
}

async function said(
  files: RuleFiles,
): Promise<{ readonly warnings: readonly string[]; readonly notes: readonly string[] }> {
  const { errors, warnings, notes } = await checked(files)
  expect(errors).toEqual([])
  return { warnings: warnings.map(explainRuleError), notes: notes.map(explainRuleError) }
}

const TEMPLATE = "---\ntitle: Invoice <%= it.payload.number %>\n---\nFrom <%= it.payload.customer %>."
const rule = (parts: Parameters<typeof oneRule>[0] = {}): string =>
  oneRule({
    type: "invoice.overdue",
    action: "to: { roles: [r] }\nchannels: [inapp, sms]\ntemplate: invoice",
    ...parts,
  })
const sample = (payload: object): RuleFiles => ({ "rules/samples/invoice.overdue.json": JSON.stringify(payload) })

test("nothing is said against the shipped rules", async () => {
  const root = join(import.meta.dir, "../../..")
  const check = await checkRules({ rulesDir: join(root, "rules"), templatesDir: join(root, "templates") }, 0)
  expect([...check.errors, ...check.warnings].map(explainRuleError)).toEqual([])
  expect(check.notes.map(explainRuleError)).toEqual([])
  expect(check.summary?.written).toBeGreaterThan(100)
  expect(check.summary?.sms.length).toBeGreaterThan(4)
})

describe("words are written for a sample event", () => {
  test("a value that the sample has not is a warning at its line, by its name", async () => {
    const files = {
      "rules/a.yaml": rule(),
      "templates/invoice/default.eta": TEMPLATE,
      ...sample({ number: "1", custmer: "A" }),
    }
    const { warnings } = await said(files)
    expect(warnings).toEqual([
      'templates/invoice/default.eta:4:10 no words for inapp of the event in rules/samples/invoice.overdue.json by the rule "the-rule": body: it.payload.customer is missing, expected a value in every event, or one instead of it: ?? and a text',
    ])
  })

  test("a value that the front matter wants, or the rule's own link, is found where it stands", async () => {
    const action =
      "to: { roles: [r] }\nchannels: [sms, inapp]\ntemplate: invoice\naction_url: /i/<%= it.payload.invoice_id %>"
    const files = { "rules/a.yaml": rule({ action }), "templates/invoice/default.eta": TEMPLATE }
    const link = await said({ ...files, ...sample({ number: "1", customer: "A" }) })
    expect(link.warnings.map((line) => line.split(" ")[0])).toEqual(["rules/a.yaml:2:5"])
    expect(link.warnings[0]).toContain("action_url: it.payload.invoice_id is missing")
    const title = await said({ ...files, ...sample({ invoice_id: "1", customer: "A" }) })
    expect(title.warnings.map((line) => line.split(" ")[0])).toEqual(["templates/invoice/default.eta:2:20"])
  })

  test("in each locale that has words of its own, and in what a template includes", async () => {
    const files = {
      "rules/a.yaml": rule(),
      "templates/invoice/default.eta": "---\ntitle: News\n---\nGood.",
      "templates/invoice/default.ar.eta": '---\ntitle: News\n---\n<%~ include("/_parts/who") %>',
      "templates/_parts/who.eta": "Dear\n<%= it.payload.customer %>",
      ...sample({}),
    }
    const { warnings } = await said(files)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toStartWith("templates/_parts/who.eta:2:5 no words for inapp")
  })

  test("the events of tests are samples; of all samples those on which the rule acts", async () => {
    const conditions = '">=": [{ var: payload.days }, 7]'
    const events =
      '[{ type: invoice.overdue, payload: { days: 1 } }, { type: invoice.overdue, payload: { days: 8, number: "1" } }]'
    const { warnings } = await said({
      "rules/a.yaml": rule({ conditions }),
      "rules/a.test.yaml": `tests:\n  - name: one\n    events: ${events}\n    expect: [{ rule: the-rule }]\n`,
      "templates/invoice/default.eta": TEMPLATE,
    })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain("the event in rules/a.test.yaml:3")
    expect(warnings[0]).toContain("it.payload.customer is missing")
  })

  test("a sample from another source is no sample for the rule", async () => {
    const files = { "rules/a.yaml": rule({ head: "source: invoicing" }), "templates/invoice/default.eta": TEMPLATE }
    const from = (source: string) => said({ ...files, ...sample({ source, payload: { number: "1" } }) })
    expect((await from("invoicing")).warnings).toHaveLength(1)
    expect((await from("elsewhere")).warnings).toEqual([])
  })

  test("without a sample an event is made up of what the rule and its template mention", async () => {
    const body =
      '<% for (const line of it.payload.lines) { %><%= line.sku %> <%= line.price.toFixed(2) %> <% } %><%= it.payload.customer.address.city.toUpperCase() %> <%= it.payload.total.toLocaleString("en") %> <%= it.payload.tags.join() %><% const all = it.payload %> <%= all.whatever %>'
    const template = (text: string): string => `---\ntitle: Invoice\n---\n${text}`
    const files = { "rules/a.yaml": rule({ conditions: '"==": [{ var: payload.kind }, late]' }) }
    expect(await said({ ...files, "templates/invoice/default.eta": template(body) })).toEqual({
      warnings: [],
      notes: [],
    })
    const { warnings } = await said({
      ...files,
      "templates/invoice/default.eta": template("<%= it.payload.total.toFixd(2) %>"),
    })
    expect(warnings[0]).toContain("a made-up event")
    expect(warnings[0]).toContain("toFixd")
  })

  test("channels of later steps, too", async () => {
    const action =
      "to: { roles: [r] }\nchannels: [inapp, telegram]\nfailover: [sms]\nescalate: [{ after: 15m, channels: [email] }]\ntemplate: invoice"
    const { warnings } = await said({
      "rules/a.yaml": rule({ action }),
      "templates/invoice/inapp.eta": "---\ntitle: News\n---\nGood.",
      "templates/invoice/telegram.eta": "Good.",
      "templates/invoice/sms.eta": "<%= it.payload.a %>",
      "templates/invoice/email.eta": "---\nsubject: News\n---\n<%= it.payload.b %>",
      ...sample({}),
    })
    expect(warnings.map((line) => line.split(" ")[0])).toEqual([
      "templates/invoice/email.eta:4:5",
      "templates/invoice/sms.eta:1:5",
    ])
  })

  test("a text message of more than three segments is a warning; the longest of each template is counted", async () => {
    const files = { "rules/a.yaml": rule({ action: "to: { roles: [r] }\nchannels: [sms]\ntemplate: invoice" }) }
    const sms = (text: string): RuleFiles => ({ ...files, "templates/invoice/sms.eta": text })
    expect((await said(sms("a".repeat(459)))).warnings).toEqual([])
    expect((await checked(sms("a".repeat(459)))).summary?.sms).toMatchObject([
      { file: "templates/invoice/sms.eta", segments: 3, units: 459 },
    ])
    expect((await said(sms("a".repeat(460)))).warnings).toEqual([
      "templates/invoice/sms.eta:1:1 a text message of 4 segments (460 units of GSM-7) for a made-up event, expected at most 3",
    ])
    expect((await said(sms("ب".repeat(202)))).warnings).toHaveLength(1)
  })

  test("a broadcast goes to a topic of the event's own business", async () => {
    const rules = (topic: string): string =>
      `rules:\n  - name: one\n    event_type: invoice.overdue\n    actions: [{ type: broadcast, topic: "${topic}", event: changed }]\n`
    const event = { business_id: "b7", payload: { location: "l1" } }
    const at = (topic: string) => said({ "rules/a.yaml": rules(topic), ...sample(event) })
    expect((await at("resources:<%= it.event.business_id %>-<%= it.payload.location %>")).warnings).toEqual([])
    const elsewhere = await at("resources:<%= it.payload.location %>")
    expect(elsewhere.warnings[0]).toStartWith(
      "rules/a.yaml:2:5 no broadcast of the event in rules/samples/invoice.overdue.json",
    )
    expect((await at("resources:<%= it.payload.nothing %>")).warnings[0]).toContain("it.payload.nothing is missing")
  })

  test("a template that has no end is a warning, and does not keep the check from its end", async () => {
    const files = {
      ...PLAIN_TEMPLATE,
      "templates/plain/default.eta": "---\ntitle: t\n---\n<% for (;;) {} %>",
      "rules/a.yaml": oneRule(),
    }
    expect((await said(files)).warnings.join("\n")).toContain("body: does not end: stopped after 1000 ms")
  })

  test("a sample that cannot be read is a warning", async () => {
    const files = { ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() }
    expect((await said({ ...files, "rules/samples/x.json": "{" })).warnings[0]).toContain(
      "rules/samples/x.json:1:1 no valid JSON",
    )
    expect((await said({ ...files, "rules/samples/x.json": "[1]" })).warnings[0]).toContain("the sample 1")
    expect((await said({ ...files, "rules/samples/x.json": "{}" })).notes).toEqual([
      "rules/samples/x.json:1:1 a sample of a type that no rule takes",
    ])
  })
})

describe("a condition that nobody can have meant", () => {
  test("is a warning where its clause stands, in both forms", async () => {
    const triples = "- { field: state, operator: eq, value: open }\n- { field: state, operator: eq, value: shut }"
    const list = await said({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ conditions: triples }) })
    expect(list.warnings).toEqual([
      'rules/a.yaml:5:9 a condition that can never be true: payload.state == "open" and payload.state == "shut"',
    ])
    const logic = 'and:\n  - "==": [{ var: payload.a }, 1]\n  - "==": [{ var: event.severity }, urgent]'
    const map = await said({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ conditions: logic }) })
    expect(map.warnings[0]).toStartWith('rules/a.yaml:7:11 "urgent" is no severity')
    expect(map.warnings[0]).toEndWith('did you mean "critical"?')
    const empty = await said({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule({ conditions: '"<": [{ var: payload.left }, 5]' }),
    })
    expect(empty.warnings[0]).toStartWith(
      "rules/a.yaml:5:7 a condition that is true for an empty payload: payload.left (missing) < 5 is true",
    )
  })
})

describe("names that mislead", () => {
  test("two rules that tell the same people of the same events on one channel", async () => {
    const twice = (second: string): RuleFiles => ({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule(),
      "rules/b.yaml": second.replace("the-rule", "other"),
    })
    expect((await said(twice(oneRule()))).warnings).toEqual([
      'rules/b.yaml:2:5 the same people are told of the same events on the same channel by the rule "the-rule" at rules/a.yaml:2:5, expected one of them',
    ])
    const differing = [
      "to: { roles: [s] }\nchannels: [inapp]\ntemplate: plain",
      "to: { roles: [r] }\nchannels: [email]\ntemplate: plain",
      "to: { roles: [r] }\nchannels: [inapp]\ntemplate: plain\nmode: shadow",
    ]
    for (const action of differing) expect((await said(twice(oneRule({ action })))).warnings).toEqual([])
    expect((await said(twice(oneRule({ conditions: '"==": [{ var: payload.a }, 1]' })))).warnings).toEqual([])
  })

  test("names that differ by their case alone", async () => {
    const files = {
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule(),
      "rules/b.yaml": oneRule({ type: "other.type" }).replace("the-rule", "The-Rule"),
      "templates/Plain/default.eta": "---\ntitle: x\n---\nx",
    }
    const { warnings } = await said(files)
    expect(warnings.map((line) => line.split(" ")[0])).toEqual(["rules/b.yaml:2:5", "templates/plain:1:1"])
  })

  test("a test of a rule that is not there", async () => {
    const tests = "tests:\n  - name: one\n    events: []\n    expect:\n      - { rule: the-rul, to: u1 }\n"
    const { warnings } = await said({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule(), "rules/a.test.yaml": tests })
    expect(warnings).toEqual([
      'rules/a.test.yaml:5:17 a test of the rule "the-rul", which is not there, expected the name of a rule; did you mean "the-rule"?',
    ])
  })

  test("what nobody uses is a note: templates, partials, words of a channel that no rule has", async () => {
    const { warnings, notes } = await said({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule(),
      "templates/plain/sms.ar.eta": "x",
      "templates/idle/default.eta": "---\ntitle: x\n---\nx",
      "templates/_parts/idle.eta": "x",
    })
    expect(warnings).toEqual([])
    expect(notes).toEqual([
      "templates/_parts/idle.eta:1:1 a layout or partial that no template includes",
      "templates/idle:1:1 a template that no rule uses",
      "templates/plain/sms.ar.eta:1:1 words that nobody is ever given: no rule uses this channel, or others come before them",
    ])
  })
})

describe("the work grows with what differs: a thousand rules of ten types and one template", () => {
  const many = Array.from({ length: 1_000 }, (_, i) =>
    oneRule({ type: `type.${i % 10}`, conditions: `"==": [{ var: payload.a }, ${i % 20 < 10 ? i : `x${i}`}]` })
      .replace("the-rule", `rule ${i}`)
      .replace("rules:\n", ""),
  ).join("")

  test("write its words once for each kind of payload", async () => {
    const { summary, warnings } = await checked({ ...PLAIN_TEMPLATE, "rules/a.yaml": `rules:\n${many}` })
    expect(warnings).toEqual([])
    expect(summary).toMatchObject({ rules: 1_000, written: 2 })
  })

  test("and for each type where they, or what they include, look at it", async () => {
    const looking = { "templates/plain/default.eta": "---\ntitle: x\n---\nA <%= it.event.type %>" }
    const { summary, warnings } = await checked({ ...looking, "rules/a.yaml": `rules:\n${many}` })
    expect(warnings).toEqual([])
    expect(summary).toMatchObject({ rules: 1_000, written: 20 })
  })
})
