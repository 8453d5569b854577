/** Files that would cost a parser its time or memory, or mean something else than they look like: refused, with the place. */
import { describe, expect, test } from "bun:test"
import { systemClock } from "../../runtime/clock.ts"
import { startTree, supervisor } from "../../runtime/supervisor.ts"
import { heard } from "../../testing/heard.ts"
import { oneRule, PLAIN_TEMPLATE, refusals, ruleFolders, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { currentRules } from "../current-rules.ts"

/** The file that is refused says `says` first. */
type Bomb = readonly [name: string, yaml: string, says: string]

const letter = (i: number): string => String.fromCharCode(97 + i)
const laughs = (levels: number): string =>
  Array.from({ length: levels }, (_, i) =>
    i === 0
      ? "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"
      : `${letter(i)}: &${letter(i)} [${Array(9)
          .fill(`*${letter(i - 1)}`)
          .join(", ")}]`,
  ).join("\n")
const compared = (value: string): string =>
  oneRule({ conditions: `- { field: country, operator: eq, value: ${value} }` })
const matched = (pattern: string): string =>
  oneRule({ conditions: `- { field: text, operator: matches, value: '${pattern}' }` })

const DEEP = "rules/a.yaml:1:1 nested too deeply"
const MANY = /^rules\/a\.yaml:1:1 \d+ (?:lines|marks such as \{ or :), expected at most \d+: two files$/.source

const BOMBS: readonly Bomb[] = [
  ["a billion laughs", laughs(10), "rules/a.yaml:2:8 the alias *a, expected the value itself: aliases are not taken"],
  [
    "an alias rule of 27 levels",
    `${laughs(26)}\nrules: *z\n`,
    "rules/a.yaml:2:8 the alias *a, expected the value itself: aliases are not taken",
  ],
  ["a list that holds itself", "rules: &a\n  - *a\n", "rules/a.yaml:2:5 the alias *a"],
  ["100,000 lists in each other", `rules: ${"[".repeat(100_000)}`, DEEP],
  ["100,000 maps in each other", `rules: ${"{a: ".repeat(50_000)}`, DEEP],
  ["100,000 bullets in each other", "- ".repeat(100_000), DEEP],
  ["100,000 bullets with tabs", "-\t".repeat(100_000), DEEP],
  ["700 levels by indentation", Array.from({ length: 700 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), DEEP],
  ["100,000 questions", "? ".repeat(100_000), MANY],
  ["35,000 keys in one map", `{${Array.from({ length: 35_000 }, (_, i) => `k${i}`).join(",")}}`, MANY],
  [
    "2,000 keys in one map",
    `{${Array.from({ length: 2_000 }, (_, i) => `k${i}`).join(",")}}`,
    "rules/a.yaml:1:1 a map of 2000 keys",
  ],
  ["130,000 comments", "#\n".repeat(130_000), MANY],
  ["80,000 directives", "%a\n".repeat(80_000), MANY],
  ["130,000 empty lists side by side", "[]".repeat(130_000), MANY],
  [
    "a file of 10 MB",
    `#${"x".repeat(10_000_000)}`,
    "rules/a.yaml:1:1 a file of 10000001 bytes, expected at most 262144",
  ],
  ["a merge", oneRule({ head: "<<: { source: x }" }), 'rules/a.yaml:4:5 unknown key "<<" in a rule'],
  ["a merge of an alias", oneRule({ head: "<<: *x" }), "rules/a.yaml:4:9 "],
  ["the YAML in which merges work", `%YAML 1.1\n---\n${oneRule()}`, "rules/a.yaml:1:1 YAML 1.1, expected YAML 1.2"],
  [
    "a function",
    oneRule({ head: "source: !!js/function 'function () { return 1 }'" }),
    "rules/a.yaml:4:13 no valid YAML: Unresolved tag",
  ],
  [
    "a regular expression as a tag",
    oneRule({ head: "source: !!js/regexp /a/" }),
    "rules/a.yaml:4:13 no valid YAML: Unresolved tag",
  ],
  ["bytes", oneRule({ head: "source: !!binary aGk=" }), "rules/a.yaml:4:"],
  ["a point in time", oneRule({ head: "source: !!timestamp 2001-12-14" }), "rules/a.yaml:4:"],
  ["a set", "rules: !!set {a}\n", "rules/a.yaml:1:"],
  [
    "a key twice",
    oneRule({ head: "source: a\nsource: b" }),
    'rules/a.yaml:5:5 the key "source" a second time, expected it once',
  ],
  [
    "a prototype",
    oneRule({ head: "__proto__: { name: x }" }),
    'rules/a.yaml:4:5 the key "__proto__", expected another name',
  ],
  ["a prototype as an operator", oneRule({ conditions: "__proto__: [1]" }), 'rules/a.yaml:5:7 the key "__proto__"'],
  [
    "a constructor as an operator",
    oneRule({ conditions: "constructor: [1]" }),
    'rules/a.yaml:5:7 unknown operator "constructor"',
  ],
  [
    "Norway",
    compared("NO"),
    'rules/a.yaml:5:48 the text "NO" without quotes, expected true or false, or the text in quotes',
  ],
  [
    "Norway in JSONLogic",
    oneRule({ conditions: '"==": [{ var: payload.on }, off]' }),
    'rules/a.yaml:5:35 the text "off" without quotes',
  ],
  [
    "a power of ten",
    compared("1e3"),
    'rules/a.yaml:5:48 the number "1e3", which is read as 1000, expected digits, or a text in quotes',
  ],
  ["an agent's number", compared("007"), 'rules/a.yaml:5:48 the number "007", which is read as 7'],
  ["a number to another base", compared("0x1f"), 'rules/a.yaml:5:48 the number "0x1f", which is read as 31'],
  ["no number at all", compared(".nan"), 'rules/a.yaml:5:48 the number ".nan"'],
  [
    "a repetition of repetitions",
    matched("((a{100}){100}){100}"),
    'rules/a.yaml:5:50 the pattern "((a{100}){100}){100}"',
  ],
  ["a reference back", matched("(a)\\1"), "rules/a.yaml:5:50 the pattern"],
  ["a look ahead", matched("(?=a)b"), "rules/a.yaml:5:50 the pattern"],
  ["brackets that never close", matched("(".repeat(90)), "rules/a.yaml:5:50 the pattern"],
  [
    "a condition of 90 levels",
    oneRule({ conditions: `${"{and: [".repeat(45)}1${"]}".repeat(45)}` }),
    "rules/a.yaml:5:",
  ],
]

describe("a rule file that is a bomb is refused with its place", () => {
  test.each(BOMBS)("%s", async (_, yaml, says) => {
    const [first] = await refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": yaml })
    if (says === MANY) expect(first).toMatch(new RegExp(MANY))
    else expect(first).toStartWith(says)
  })

  test.each(BOMBS.filter(([name]) => /laughs|with tabs|a key twice|reference back/.test(name)))(
    "and the old rules stay active: %s",
    async (_, yaml, says) => {
      const folders = await ruleFolders({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() })
      const telemetry = heard()
      const opened = await currentRules({ ...folders, clock: systemClock, telemetry })
      if ("errors" in opened) throw new Error("the rules load")
      const rules = opened.ok
      const root = supervisor({ id: "hub", strategy: "one_for_one", children: [rules.spec] })
      const tree = await startTree(root, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
      const good = rules.get()
      await folders.write({ "rules/a.yaml": yaml })
      const [refused] = await telemetry.waitFor("rules_refused", 1)
      expect(String(refused?.errors[0])).toStartWith(says)
      expect(rules.get()).toBe(good)
      expect(good.rulesFor("test.happened").length).toBe(1)
      await tree.stop()
      await folders.remove()
    },
  )
})

describe("what looks like something else and is not", () => {
  const comparedWith = async (value: string) =>
    (await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": compared(value) })).rules[0]?.condition
  test.each([
    ["a date is a text", "2026-01-01", "2026-01-01"],
    ["a time of day is a text", "12:30", "12:30"],
    ["Norway in quotes is a text", "'NO'", "NO"],
    ["a number in quotes is a text", "'007'", "007"],
    ["a number with a point is that number", "-0.5", -0.5],
    ["true is true", "true", true],
  ])("%s", async (_, written, read) => {
    expect(JSON.stringify(await comparedWith(written))).toContain(
      JSON.stringify(["==", [{ var: "payload.country" }, read]]).slice(6, -1),
    )
  })

  test("a pattern that other engines take for ever with is taken: ours takes linear time", async () => {
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": matched("^(a+)+$") })
    expect(set.rules.length).toBe(1)
  })
})

test("tabs as indentation are named, and nothing that only follows from them", async () => {
  const text = oneRule({}).replace(/^ {4}actions:/m, "\tactions:")
  expect(await refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": text })).toEqual([
    expect.stringMatching(/^rules\/a\.yaml:\d+:1 a tab as indentation, expected spaces$/),
  ])
})
