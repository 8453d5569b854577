import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hubCommand, runCommand } from "../testing/hub-command.ts"
import { rulesBacktest } from "./rules-backtest.ts"
import { rulesCheck } from "./rules-check.ts"
import { rulesExplain } from "./rules-explain.ts"
import { rulesTest } from "./rules-test.ts"

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
    expect(out).toMatch(/^\d+ rules, \d+ templates, \d+ event types, \d+ messages written.*\. Revision \S+\.$/)
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

  test.each([
    ["check", rulesCheck, []],
    ["test", rulesTest, []],
    ["explain", rulesExplain, ["event.json"]],
    ["backtest", rulesBacktest, ["--base", "main"]],
  ] as const)(
    "to %s, a folder that is not there is misuse, found out before anything else",
    async (_, command, args) => {
      const none = [...args, "--rules", join(folder, "none"), ...SHIPPED.slice(2)]
      const { code, out, err } = await runCommand(command, none, {})
      expect([code, out]).toEqual([2, ""])
      expect(err).toContain("none is no folder: give --rules or set HUB_RULES_DIR")
      const set = { HUB_RULES_DIR: join(folder, "none"), HUB_TEMPLATES_DIR: join(folder, "nor") }
      expect((await runCommand(command, args, set)).err.match(/is no folder/g)).toHaveLength(2)
    },
  )

  describe("with a rule that loads and cannot be meant", () => {
    const doubtful = ["--rules", join(folder, "doubtful"), "--templates", join(ROOT, "templates")]
    mkdirSync(join(folder, "doubtful"))
    writeFileSync(
      join(folder, "doubtful/one.yaml"),
      `rules:
  - name: one
    event_type: invoice.overdue
    conditions: [{ field: state, operator: ne, value: paid }]
    actions: [{ type: notify, channels: [inapp], template: invoice.overdue }]
`,
    )

    test("warns and passes, or fails where that is asked for", async () => {
      const { code, out } = await runCommand(rulesCheck, doubtful, {})
      expect(code).toBe(0)
      expect(out).toContain("rules/one.yaml:4:18 warning: a condition that is true for an empty payload: ")
      expect(out).toMatch(/, 1 warning, \d+ notes \(--verbose shows them\)\. Revision \S+\.$/)
      expect((await runCommand(rulesCheck, [...doubtful, "--strict"], {})).code).toBe(1)
    })

    test("shows the notes and the longest text messages to whoever asks", async () => {
      const { code, out } = await runCommand(rulesCheck, [...doubtful, "--verbose"], {})
      expect(code).toBe(0)
      expect(out).toContain("templates/order.large:1:1 note: a template that no rule uses")
      expect((await runCommand(rulesCheck, [...SHIPPED, "--verbose"], {})).out).toContain(
        "templates/stock.out/sms.ar.eta: 1 segment at most (",
      )
    })

    test("gives all of it as JSON", async () => {
      const { code, out } = await runCommand(rulesCheck, [...doubtful, "--json"], {})
      const { errors, warnings, notes, summary } = JSON.parse(out)
      expect([code, errors, warnings.length]).toEqual([0, [], 1])
      expect(warnings[0]).toMatchObject({ file: "rules/one.yaml", line: 4, column: 18 })
      expect(notes.length).toBeGreaterThan(10)
      expect(summary).toMatchObject({ rules: 1, sms: [] })
    })

    test("an argument that is none is a misuse", async () => {
      expect((await runCommand(rulesCheck, ["--loud"], {})).code).toBe(2)
    })
  })
})
