import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hubCommand, runCommand } from "../testing/hub-command.ts"
import { rulesCheck } from "./rules.ts"

const ROOT = join(import.meta.dir, "../..")
const SHIPPED = ["--rules", join(ROOT, "rules"), "--templates", join(ROOT, "templates")]

const folder = mkdtempSync(join(tmpdir(), "hub-rules-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A folder of rules with three mistakes in two files. */
const broken = ["--rules", join(folder, "rules"), "--templates", join(ROOT, "templates")]
mkdirSync(join(folder, "rules"))
writeFileSync(
  join(folder, "rules/one.yaml"),
  `rules:
  - name: one
    event_type: invoice.overdue
    actions:
      - type: notify
        chanels: [inapp]
        template: invoice.overdu
`,
)
writeFileSync(join(folder, "rules/two.yaml"), "rules:\n  - name: [\n")

describe("hub rules check", () => {
  test("passes the shipped rules, in a folder that it leaves as it is, with no setting and no database", async () => {
    const { code, out, err } = await hubCommand(["rules", "check", ...SHIPPED], { cwd: folder })
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/^\d+ rules, \d+ templates, \d+ event types\. Revision \S+\.$/)
    expect(existsSync(join(folder, ".data"))).toBe(false)
  })

  test("takes the folders of the settings, in production too", async () => {
    const env = {
      NODE_ENV: "production",
      HUB_RULES_DIR: join(ROOT, "rules"),
      HUB_TEMPLATES_DIR: join(ROOT, "templates"),
    }
    const { code, out } = await runCommand(rulesCheck, ["--json"], env)
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ errors: [], summary: { rules: expect.any(Number) } })
  })

  test("shows every mistake with its place and the nearest right word, and finds something", async () => {
    const { code, out, err } = await runCommand(rulesCheck, broken, {})
    expect(code).toBe(1)
    const lines = out.split("\n")
    for (const line of lines) expect(line).toMatch(/^rules\/(one|two)\.yaml:\d+:\d+ /)
    expect(lines.find((line) => line.startsWith("rules/one.yaml:6:9 "))).toContain('did you mean "channels"?')
    expect(lines.some((line) => line.startsWith("rules/two.yaml:"))).toBe(true)
    expect(err).toBe(`${lines.length} errors. Nothing of this would be loaded.`)
  })

  test("gives the same as JSON", async () => {
    const { code, out, err } = await runCommand(rulesCheck, [...broken, "--json"], {})
    expect([code, err]).toEqual([1, ""])
    const { errors, summary } = JSON.parse(out)
    expect(summary).toBeNull()
    expect(errors).toContainEqual(expect.objectContaining({ file: "rules/one.yaml", line: 6, suggestion: "channels" }))
  })

  test("a folder that is not there is a mistake like any other", async () => {
    const { code, out } = await runCommand(rulesCheck, ["--rules", join(folder, "none"), ...SHIPPED.slice(2)], {})
    expect(code).toBe(1)
    expect(out).toContain("cannot be read")
  })
})
