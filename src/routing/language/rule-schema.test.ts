import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Ajv2020 } from "ajv/dist/2020.js"
import { isMap, parse, parseDocument } from "yaml"
import { rulesSchema } from "../../cli/rules-schema.ts"
import { runCommand } from "../../testing/hub-command.ts"
import { REFUSED_ACTIONS, REFUSED_RULES } from "../../testing/refused-rules.ts"
import { OPERATORS } from "../conditions/operators.ts"
import { STANDARD } from "../conditions/standard-operators.ts"
import { RULE_SCHEMA } from "./rule-schema.ts"

const ROOT = join(import.meta.dirname, "../../..")
// A required key stands in another part of the schema than its meaning, and some values have no type: both are meant.
const fits = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(RULE_SCHEMA)
const wrong = (yaml: string): readonly unknown[] =>
  fits(parse(yaml, { logLevel: "silent" })) ? [] : (fits.errors ?? ["unknown"])

/** What a schema cannot say, or is no matter of the data but of its spelling in YAML. */
const BEYOND = new Set([
  "broken YAML",
  "a key twice",
  "an unknown tag",
  "an alias",
  "a channel twice",
  "an unknown template",
  "a broken Eta string",
  "an Eta string with an unknown variable",
  "a broadcast by reader",
  "a broadcast's broken topic",
  "a duration that is too long",
  "a key that leads nowhere",
  "a key of a prototype",
  "steps that do not follow each other",
  "a failover that was tried before",
  "a failover of what cannot fail",
  "an end before the delay",
  "an end before the digest",
  "an end before the last step",
  "a webhook with a password in it",
])

describe("the schema of rule files", () => {
  const shipped = readdirSync(join(ROOT, "rules")).filter((name) => name.endsWith(".yaml") && !name.includes(".test."))
  test.each(shipped)("takes the shipped %s", (name) => {
    expect(wrong(readFileSync(join(ROOT, "rules", name), "utf8"))).toEqual([])
  })

  const documents = [
    "README.md",
    ...readdirSync(join(ROOT, "examples"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join("examples", name)),
  ]
  const examples = documents.flatMap((name) =>
    [...readFileSync(join(ROOT, name), "utf8").matchAll(/^```yaml\n([\s\S]*?)^```/gm)]
      .map(([, yaml = ""]) => [name, yaml] as const)
      .filter(([, yaml]) => {
        const { contents } = parseDocument(yaml)
        return isMap(contents) && (contents.has("rules") || contents.has("sources"))
      }),
  )
  test("takes every example of the documents, of which there are some", () => {
    expect(examples.length).toBeGreaterThan(0)
    expect(examples.map(([name, yaml]) => [name, wrong(yaml)])).toEqual(examples.map(([name]) => [name, []]))
  })

  const cases = [...REFUSED_RULES, ...REFUSED_ACTIONS]
  test.each(cases.filter(([name]) => !BEYOND.has(name)))("refuses, as the hub does, %s", (_, yaml) => {
    expect(wrong(yaml)).not.toEqual([])
  })

  test("takes what only the hub can refuse: the list of that is right", () => {
    const seen = cases.filter(([name, yaml]) => BEYOND.has(name) && name !== "broken YAML" && wrong(yaml).length > 0)
    expect(seen.map(([name]) => name)).toEqual([])
  })

  test("says of every operator what it does, and shows an example of each of our own", () => {
    const { properties } = (
      RULE_SCHEMA["$defs"] as { operation: { properties: Record<string, { description: string }> } }
    ).operation
    expect(Object.keys(properties).sort()).toEqual(
      [...Object.keys(STANDARD), ...OPERATORS.map(({ name }) => name)].sort(),
    )
    for (const { name, doc, example } of OPERATORS) {
      expect(properties[name]?.description).toBe(`${doc}\n\nExample: \`${JSON.stringify(example.logic)}\``)
    }
  })

  test("stands beside the shipped rules, as `hub rules schema` prints it", async () => {
    const { code, out } = await runCommand(rulesSchema, [], {})
    expect(code).toBe(0)
    expect(readFileSync(join(ROOT, "rules/schema.json"), "utf8")).toBe(`${out}\n`)
  })

  test.each(shipped)("is named at the top of the shipped %s, for editors that look there", (name) => {
    expect(readFileSync(join(ROOT, "rules", name), "utf8")).toStartWith("# yaml-language-server: $schema=schema.json\n")
  })
})
