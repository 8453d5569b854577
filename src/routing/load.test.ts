import { describe, expect, test } from "bun:test"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { eventView } from "../domain/event.ts"
import { REFUSED_RULES } from "../testing/refused-rules.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, refusals, ruleFolders, ruleSetOf } from "../testing/rule-fixtures.ts"
import { checkRules } from "./check/check-rules.ts"
import { EVENT_FIELDS } from "./facts.ts"
import { loadRuleSet, ruleSetFrom } from "./load.ts"
import { channelsOf } from "./rule-set.ts"
import { ruleSetView } from "./rule-set-view.ts"

const ROOT = join(import.meta.dirname, "../..")

/** The errors of one rule file beside a plain template. */
const errorsOf = (rules: string) => refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })

describe("the shipped rules", () => {
  test("load without an error", async () => {
    const { errors, summary } = await checkRules(
      { rulesDir: join(ROOT, "rules"), templatesDir: join(ROOT, "templates") },
      0,
    )
    expect(errors).toEqual([])
    expect(summary?.rules).toBeGreaterThan(20)
  })
})

describe("an error names file, line and column, what was expected and the nearest right word", () => {
  test.each(REFUSED_RULES)("%s", async (_, rules, expected) => {
    const errors = await errorsOf(rules)
    expect(errors.find((error) => error.includes(expected)) ?? errors).toContain(expected)
  })

  test("all errors of all files come at once, in order", async () => {
    const errors = await refusals({
      ...PLAIN_TEMPLATE,
      "rules/b/late.yaml": "rules: 1\n",
      "rules/a.yaml": oneRule({ action: "to: { roles: [r] }\nchannels: [fax]\ntemplate: none\npriority: x" }),
      "templates/broken/default.eta": "a\n<%= it.payload.x( %>",
    })
    expect(errors.map((error) => error.split(" ")[0])).toEqual([
      "rules/a.yaml:7:20",
      "rules/a.yaml:8:19",
      "rules/a.yaml:9:19",
      "rules/b/late.yaml:1:8",
      "templates/broken/default.eta:2:1",
    ])
  })

  test("a broken template is one error, not one more for each rule that uses it", async () => {
    const errors = await refusals({
      "rules/a.yaml": oneRule({ action: "to: { roles: [r] }\nchannels: [inapp, sms]\ntemplate: broken" }),
      "templates/broken/default.eta": "<% if %>",
    })
    expect(errors.map((error) => error.split(" ")[0])).toEqual(["templates/broken/default.eta:1:1"])
  })

  test("a second rule of one name says where the first is, in whichever file", async () => {
    const errors = await refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule(), "rules/b.yaml": oneRule() })
    expect(errors).toEqual([
      'rules/b.yaml:2:11 a second rule named "the-rule", expected another name; the first is at rules/a.yaml:2:11',
    ])
  })

  test("a file that would be left out in silence is an error", async () => {
    expect(await refusals({ "rules/a.yml": oneRule() })).toEqual([
      "rules/a.yml:1:1 a rule file that ends in .yml, expected .yaml",
    ])
  })

  test("a file that is too large or no UTF-8 is an error", async () => {
    const folders = await ruleFolders({ "rules/large.yaml": "#".repeat(300_000) })
    await Bun.write(join(folders.rulesDir, "latin.yaml"), new Uint8Array([0x23, 0xe9]))
    const { errors } = await checkRules(folders, 0)
    await folders.remove()
    expect(errors.map(({ file, problem }) => `${file} ${problem}`)).toEqual(
      ["rules/large.yaml a file of 300000 bytes", "rules/latin.yaml a file that is not UTF-8"]
        .sort((a, b) => (a < b ? 1 : -1))
        .reverse(),
    )
  })

  test("a folder that is not there is an error", async () => {
    const { errors } = await checkRules({ rulesDir: "/nowhere/rules", templatesDir: "/nowhere/templates" }, 0)
    expect(errors.map((error) => error.file)).toEqual(["rules", "templates"])
  })

  test("YAML that is nested absurdly deep is an error, not a crash", async () => {
    const deep = ["rules/a.yaml:1:1 nested too deeply"]
    expect(await errorsOf(`rules: ${"[".repeat(60_000)}`)).toEqual(deep)
    expect(await errorsOf("- ".repeat(60_000))).toEqual(deep)
  })
})

test("the contract's margin call, by phone too, is a rule", async () => {
  const rules = `rules:
  - name: Margin Call
    event_type: MARGIN_CALL
    conditions:
      - { field: severity, operator: gte, value: high }
    actions:
      - type: notify
        channels: [inapp, sms, voice, email]
        template: risk.margin_call
        priority: high
        bypass_quiet_hours: true
        failover: [push, telegram]
`
  const template = { "templates/risk.margin_call/default.eta": "---\ntitle: Margin call\n---\nPay." }
  expect(await refusals({ "rules/a.yaml": rules, ...template })).toEqual([])
})

describe("a rule", () => {
  test("is what its file says, with defaults for what it leaves out", async () => {
    const set = await ruleSetOf({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule({ action: "channels: [in_app, sms]\ntemplate: plain" }),
    })
    const [rule] = set.rules
    expect(rule).toMatchObject({
      name: "the-rule",
      eventTypes: ["test.happened"],
      source: null,
      condition: null,
      at: "rules/a.yaml:2:5",
    })
    expect(rule?.actions[0]).toMatchObject({
      to: { roles: [], users: [{ var: "payload.user_id" }], everyone: false },
      channels: ["inapp", "sms"],
      priority: "normal",
      bypassQuietHours: false,
      category: null,
      actionUrl: null,
      data: null,
    })
  })

  test("is shown as its file says it, and names the channels that it needs", async () => {
    const action =
      "to: { everyone: true }\nchannels: [in_app, sms]\ntemplate: plain\naction_url: /x/<%= it.payload.id %>"
    const set = await ruleSetOf({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule({ action, conditions: "- { field: x, operator: exists }" }),
    })
    expect(channelsOf(set)).toEqual(new Set(["inapp", "sms"]))
    expect(JSON.parse(JSON.stringify(ruleSetView(set)))).toMatchObject({
      revision: set.revision,
      loaded_at: "1970-01-01T00:00:00.000Z",
      rules: [
        {
          name: "the-rule",
          event_type: ["test.happened"],
          conditions: { exists: [{ var: "payload.x" }] },
          actions: [
            {
              to: { everyone: true },
              channels: ["inapp", "sms"],
              action_url: "/x/<%= it.payload.id %>",
              priority: "normal",
            },
          ],
          at: "rules/a.yaml:2:5",
        },
      ],
    })
  })

  test("may not be a test, and a test is no rule", async () => {
    const set = await ruleSetOf({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule(),
      "rules/a.test.yaml": "tests: nonsense",
    })
    expect(set.rules.length).toBe(1)
    expect(Object.keys(set.files)).toEqual(["rules/a.yaml", "templates/plain/default.eta"])
  })

  test("the names behind event. are those that an event has", () => {
    expect(Object.keys(eventView(hubEvent()))).toEqual([...EVENT_FIELDS])
  })
})

describe("the rules that fit an event type", () => {
  const set = () =>
    ruleSetOf({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": ["a.b", "a.*", "'**'", "[a.b, a.*]", "A.B", "a.**.z"]
        .map((type, i) => oneRule({ type }).replace("rules:\n", "").replace("the-rule", `r${i}`))
        .reduce((all, rule) => all + rule, "rules:\n"),
    })
  test.each([
    ["a.b", ["r0", "r1", "r2", "r3"]],
    ["a.c", ["r1", "r2", "r3"]],
    ["A.B", ["r2", "r4"]],
    ["a.b.c", ["r2"]],
    ["a.b.z", ["r2", "r5"]],
    ["constructor", ["r2"]],
  ])("%s", async (type, names) => {
    expect((await set()).rulesFor(type).map((rule) => String(rule.name))).toEqual(names)
  })
})

describe("the revision", () => {
  const git = (cwd: string, ...args: readonly string[]): string =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd,
      encoding: "utf8",
    }).trim()

  test("is the content's hash outside of git, the commit inside, and both when the folder differs from it", async () => {
    const folders = await ruleFolders({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() })
    const load = async () => {
      const loaded = await loadRuleSet(folders, 0)
      if ("errors" in loaded) throw new Error("does not load")
      return loaded.ok
    }
    const outside = await load()
    expect(outside.revision).toBe(outside.hash.slice(0, 12))
    git(folders.root, "init", "-q")
    git(folders.root, "add", ".")
    git(folders.root, "commit", "-qm", "rules")
    const commit = git(folders.root, "rev-parse", "HEAD")
    expect((await load()).revision).toBe(commit)
    await folders.write({ "rules/b.test.yaml": "tests: []" })
    expect((await load()).revision).toBe(commit)
    await folders.write({ "rules/a.yaml": oneRule().replace("the-rule", "changed") })
    expect((await load()).revision).toStartWith(`${commit}+dirty.`)
    git(folders.root, "checkout", "-q", "rules/a.yaml")
    await folders.write({ ".gitignore": "b.yaml", "rules/b.yaml": oneRule().replace("the-rule", "another") })
    const dirty = await load()
    expect(dirty.revision).toBe(`${commit}+dirty.${dirty.hash.slice(0, 12)}`)
    await folders.remove()
  })

  test("a set that was kept is made again from its texts, with the revision it had", async () => {
    const made = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/below/a.yaml": oneRule() })
    const again = ruleSetFrom(made.files, { revision: "r7", wallMillis: 5 })
    if ("errors" in again) throw new Error("does not load")
    expect(again.ok).toMatchObject({ hash: made.hash, revision: "r7", loadedAt: 5, files: made.files })
    expect(again.ok.rules.map(({ name, at }) => ({ name, at }))).toEqual(
      made.rules.map(({ name, at }) => ({ name, at })),
    )
    expect(again.ok.templates.names).toEqual(made.templates.names)
    expect(ruleSetFrom({ "rules/a.yaml": oneRule() }, { revision: "r8", wallMillis: 5 })).toHaveProperty("errors")
  })

  test("the hash is the same for the same content, wherever the folders are", async () => {
    const files = { ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() }
    expect((await ruleSetOf(files)).hash).toBe((await ruleSetOf(files)).hash)
  })
})
