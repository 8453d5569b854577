import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { TEST_SCHEMA } from "./rule-test-schema.ts"
import { testRules } from "./test-rules.ts"

const ROOT = join(import.meta.dirname, "../../..")
const RULES = join(ROOT, "rules")
const tested = await testRules({ rulesDir: RULES, templatesDir: join(ROOT, "templates") }, 0)

describe("the tests of the shipped rules", () => {
  test("can be read", () => {
    expect(tested.errors).toEqual([])
  })

  test("pass", () => {
    expect(tested.results.length).toBeGreaterThan(50)
    expect(tested.results.filter(({ failures }) => failures.length > 0)).toEqual([])
  })

  test("leave nothing of any rule untried", () => {
    expect(tested.coverage?.uncovered).toEqual([])
    expect(tested.coverage?.percent).toBe(100)
  })

  test("name the schema that stands beside them, which is theirs", () => {
    const written = `${JSON.stringify(TEST_SCHEMA, null, 2)}\n`
    expect(readFileSync(join(RULES, "tests.schema.json"), "utf8")).toBe(written)
    for (const file of new Set(tested.results.map((result) => result.test.file))) {
      const text = readFileSync(join(ROOT, file), "utf8")
      expect(text).toStartWith("# yaml-language-server: $schema=tests.schema.json\n")
    }
  })
})
