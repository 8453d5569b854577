import { describe, expect, test } from "bun:test"
import { refusals, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { ruleSetView } from "../rule-set-view.ts"

const sources = (...lines: readonly string[]): string => ["sources:", ...lines.map((line) => `  ${line}`)].join("\n")
/** One source with this under `expect:`. */
const expecting = (expect: string): string => sources(`- { source: zoho, expect: { ${expect} } }`)
const errorsOf = (text: string): Promise<readonly string[]> => refusals({ "rules/a.yaml": text })

describe("the sources of a rule file", () => {
  test("are part of the rule set, with hours in their zone, and are shown with the rules", async () => {
    const set = await ruleSetOf({
      "rules/a.yaml": sources(
        '- { source: zoho, business_id: b1, expect: { at_least: 2, per: 6h, between: "08:00-20:00", timezone: Asia/Baghdad } }',
        "- { source: zoho, business_id: 7, expect: { per: 2 d } }",
      ),
      "rules/b.yaml": sources("- source: till", '  expect: { at_least: 1, per: 90m, between: "22:30-06:00" }'),
    })
    expect(set.rules).toEqual([])
    expect(set.sources).toMatchObject([
      {
        source: "zoho",
        business: "b1",
        atLeast: 2,
        perMs: 21_600_000,
        window: { from: 480, to: 1200, timezone: "Asia/Baghdad" },
        expected: "2 events per 6h between 08:00 and 20:00 (Asia/Baghdad)",
        at: "rules/a.yaml:2:5",
      },
      { source: "zoho", business: "7", atLeast: 1, perMs: 172_800_000, window: null, expected: "1 event per 2d" },
      { source: "till", business: null, perMs: 5_400_000, window: { from: 1350, to: 360, timezone: "UTC" } },
    ])
    expect(ruleSetView(set)["sources"]).toContainEqual({
      source: "zoho",
      business_id: "7",
      expected: "1 event per 2d",
      at: "rules/a.yaml:3:5",
    })
  })

  test("change the revision", async () => {
    const [six, seven] = await Promise.all(
      ["6h", "7h"].map((per) => ruleSetOf({ "rules/a.yaml": expecting(`per: ${per}`) })),
    )
    expect(six?.revision).not.toBe(seven?.revision ?? "")
  })

  test("may stand alone in a file, which must hold them or rules", async () => {
    expect(await errorsOf(expecting("per: 6h"))).toEqual([])
    expect(await errorsOf("{}")).toEqual(['rules/a.yaml:1:1 a rule file without "rules", expected "rules:"'])
    expect(await errorsOf("sourses: []")).toEqual([
      'rules/a.yaml:1:1 unknown key "sourses" in a rule file, expected one of rules, sources; did you mean "sources"?',
      'rules/a.yaml:1:1 a rule file without "rules", expected "rules:"',
    ])
  })

  const duration = "a duration such as 15m, 6h or 2d, from a minute to 31 days"
  const hours = 'two times of day such as "08:00-20:00", or "22:00-06:00" over midnight'
  test.each([
    ["per: 6 hours", `36 "6 hours", expected ${duration}`],
    ["per: 30s", `36 "30s", expected ${duration}`],
    ["per: 32d", `36 "32d", expected ${duration}`],
    ["per: 6", `36 6, expected ${duration}`],
    ["at_least: 1", '29 "expect" without "per", expected "per:"'],
    [
      "every: 6h, per: 6h",
      '31 unknown key "every" in "expect", expected one of at_least, per, between, timezone; did you mean "per"?',
    ],
    [
      "per: 6h, betwen: x",
      '40 unknown key "betwen" in "expect", expected one of at_least, per, between, timezone; did you mean "between"?',
    ],
    ["per: 6h, at_least: 0", "50 0, expected a whole number from 1 to 1000"],
    ["per: 6h, at_least: 1.5", "50 1.5, expected a whole number from 1 to 1000"],
    ['per: 6h, between: "8-20"', `49 "8-20", expected ${hours}`],
    ['per: 6h, between: "08:60-20:00"', `49 "08:60-20:00", expected ${hours}`],
    ['per: 6h, between: "24:00-06:00"', `49 "24:00-06:00", expected ${hours}`],
    ['per: 6h, between: "08:00-24:01"', `49 "08:00-24:01", expected ${hours}`],
    [
      'per: 6h, between: "08:00-08:00"',
      '49 "08:00-08:00", which begins when it ends, expected two different times; "00:00-24:00" is all day',
    ],
    [
      'per: 6h, between: "08:00-20:00", timezone: Asia/Bagdad',
      '74 the time zone "Asia/Bagdad", which nobody knows, expected an IANA name such as Asia/Baghdad; did you mean "Asia/Baghdad"?',
    ],
    ["per: 6h, timezone: Asia/Baghdad", '40 "timezone" without "between", expected hours that it is for'],
    [
      'per: 31d, between: "08:00-08:30"',
      '29 "per" takes more than 92 days of "between", expected a shorter time, or longer hours',
    ],
  ])("%s is refused at its place", async (expect_, error) => {
    expect(await errorsOf(expecting(expect_))).toEqual([`rules/a.yaml:2:${error}`])
  })

  test.each([
    ["- { source: zoho }", '5 a source without "expect", expected "expect:"'],
    ["- { expect: { per: 6h } }", '5 a source without "source", expected "source:"'],
    ["- { source: zoho, per: 6h, expect: { per: 6h } }", '21 "per" in the wrong place, expected it under "expect:"'],
    [
      "- { source: zoho, busines_id: b1, expect: { per: 6h } }",
      '21 unknown key "busines_id" in a source, expected one of source, business_id, expect; did you mean "business_id"?',
    ],
    [
      "- { source: zoho, business_id: b 1, expect: { per: 6h } }",
      '34 "b 1", expected a business id, or no business_id for each business',
    ],
    [
      "- { source: hub, expect: { per: 6h } }",
      '15 the source "hub", which is this hub itself, expected a source outside',
    ],
    ["- zoho", '5 "zoho", expected a source: a map of keys and values'],
  ])("%s is refused at its place", async (line, error) => {
    expect(await errorsOf(sources(line))).toEqual([`rules/a.yaml:2:${error}`])
  })

  test("promise once for each business, and once for all others, over all files", async () => {
    const one = (business: string): string => `- { source: zoho, ${business}expect: { per: 6h } }`
    const errors = await refusals({
      "rules/a.yaml": sources(one("business_id: b1, "), one("business_id: b2, "), one("")),
      "rules/b.yaml": sources(one(""), one("business_id: b2, ")),
    })
    expect(errors).toEqual([
      'rules/b.yaml:2:5 the source "zoho" a second time, expected it once; the first is at rules/a.yaml:4:5',
      'rules/b.yaml:3:5 the source "zoho" a second time in the business "b2", expected it once; the first is at rules/a.yaml:3:5',
    ])
  })
})
