import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { runCommand } from "../testing/hub-command.ts"
import { type Folders, ruleFolders } from "../testing/rule-fixtures.ts"
import { RULES, TEMPLATES, TESTS } from "../testing/tested-rules.ts"
import { rulesTest } from "./rules-test.ts"

const ROOT = join(import.meta.dir, "../..")

let folders: Folders
beforeAll(async () => {
  folders = await ruleFolders({ ...TEMPLATES, "rules/a.yaml": RULES, "rules/a.test.yaml": TESTS })
})
afterAll(() => folders.remove())

const args = (...more: string[]): readonly string[] => [
  "--rules",
  folders.rulesDir,
  "--templates",
  folders.templatesDir,
  ...more,
]
const run = (...more: string[]) => runCommand(rulesTest, args(...more), {})

interface Report {
  readonly passed: number
  readonly failed: number
  readonly tests: readonly { readonly name: string; readonly failures: readonly { readonly problem: string }[] }[]
}

/** What is said while one of the files is another. */
async function changed<T>(files: Readonly<Record<string, string>>, look: () => Promise<T>): Promise<T> {
  await folders.write(files)
  try {
    return await look()
  } finally {
    await folders.write({ ...TEMPLATES, "rules/a.yaml": RULES, "rules/a.test.yaml": TESTS })
  }
}

const failedOf = (out: string): readonly string[] =>
  (JSON.parse(out) as Report).tests.filter(({ failures }) => failures.length > 0).map(({ name }) => name)

describe("hub rules test", () => {
  test("passes tests of every sort, which try all of the rules", async () => {
    const { code, out } = await run("--min-coverage", "100")
    expect(out).toMatch(
      /^Coverage: 100 % \(\d+ of \d+ branches, 3 of 3 rules whole\)\.\n9 passed, 0 failed in \d+ ms\.$/,
    )
    expect(code).toBe(0)
  })

  const mutants: readonly (readonly [string, string, string, readonly string[], string])[] = [
    [
      "a later day",
      "}, 7]",
      "}, 8]",
      [
        "a week late is told by mail",
        "the same invoice is told once in four hours",
        "at night the mail waits, and the inbox does not",
      ],
      "why: late did not match event 1 (invoice.overdue): payload.days (7) >= 8 is false",
    ],
    ["an earlier day", "}, 7]", "}, 6]", ["six days are not"], "there was: late, to anna, on inapp, email"],
    [
      "a condition less",
      '        - { "!=": [{ var: payload.state }, paid] }\n',
      "",
      ["whoever has paid is not late"],
      "nothing else is expected, and there was late, to anna",
    ],
    [
      "any source",
      "    source: erp\n",
      "",
      ["a till knows nothing of it"],
      "why: late matched event 1 (invoice.overdue)",
    ],
    [
      "another channel",
      "channels: [inapp, email]\n        template: plain\n        cooldown",
      "channels: [inapp]\n        template: plain\n        cooldown",
      ["a week late is told by mail", "at night the mail waits, and the inbox does not"],
      "channels  - inapp, email",
    ],
    [
      "no cooldown",
      "        cooldown: { key: payload.number, window: 4h }\n",
      "",
      ["the same invoice is told once in four hours"],
      "there were 3",
    ],
    ["a longer cooldown", "window: 4h", "window: 5h", ["the same invoice is told once in four hours"], "there were 1"],
    [
      "no digest",
      "        digest: { window: 15m }\n",
      "",
      ["what runs low is told a quarter of an hour later, in one message"],
      "nothing else is expected",
    ],
    [
      "a later digest",
      "window: 15m",
      "window: 20m",
      ["what runs low is told a quarter of an hour later, in one message"],
      "why: gathered waits: digest, due at 2026-01-05T09:20:00.000Z; it is 2026-01-05T09:15:00.000Z",
    ],
    [
      "quiet hours that do not hold",
      "        template: plain\n        cooldown",
      "        template: plain\n        bypass_quiet_hours: true\n        cooldown",
      ["at night the mail waits, and the inbox does not"],
      "expected to anna, on email, scheduled, reason quiet_hours, at 2026-01-06T04:00:00.000Z",
    ],
    [
      "no failover",
      "        failover: [email]\n",
      "",
      ["an alarm goes by mail where the text message fails, and to the chief after ten minutes"],
      "nearest: alarm, to anna, on sms",
    ],
    [
      "a later step",
      "after: 10m",
      "after: 20m",
      ["an alarm goes by mail where the text message fails, and to the chief after ten minutes"],
      "escalate, due at 2026-01-05T09:20:00.000Z",
    ],
    [
      "a step that nothing ends",
      "escalate: [{ after: 10m, channels: [inapp], to: { roles: [chief] } }]",
      "escalate: [{ after: 10m, channels: [inapp], to: { roles: [chief] } }]\n      - type: notify\n        to: { roles: [chief] }\n        channels: [inapp]\n        template: plain\n        delay: 30m",
      ["an alarm that somebody acknowledged goes no further"],
      "not expected: to carl",
    ],
  ]
  test.each(mutants)("%s is found by just the tests that are about it", async (_, from, to, names, said) => {
    expect(RULES).toContain(from)
    const [json, text] = await changed({ "rules/a.yaml": RULES.replace(from, to) }, async () => [
      await run("--json"),
      await run(),
    ])
    expect([json.code, failedOf(json.out)]).toEqual([1, [...names]])
    expect(text.out).toContain(said)
    expect(text.out).toMatch(/^FAIL rules\/a\.test\.yaml:\d+:5 /)
  })

  const words: readonly (readonly [string, string, string])[] = [
    ["title", "News of <%=", "Word of <%="],
    ["body", "A word of", "A word on"],
  ]
  test.each(words)("another %s is shown beside the expected one", async (field, from, to) => {
    const path = "templates/plain/default.eta"
    const files = Object.fromEntries(
      Object.entries(TEMPLATES).map(([name, text]) => [
        name,
        field === "title" && name !== path ? text : text.replace(from, to),
      ]),
    )
    const { code, out } = await changed(files, () => run())
    expect(code).toBe(1)
    expect(out).toMatch(new RegExp(`^ {9}${field}  - .*\\n {9,}\\+ .*`, "m"))
  })

  test("a message that cannot be written fails the test, whatever it expects", async () => {
    const files = { "templates/plain/email.eta": "---\nsubject: x\n---\n<%= it.payload.nothing %>" }
    const { code, out } = await changed(files, () => run("--filter", "six days", "--filter", "four hours"))
    expect(code).toBe(1)
    expect(out).toContain(
      "late could not be carried out of event 1 (invoice.overdue): email: templates/plain/email.eta",
    )
  })

  test("a step at a moment that is over, and a reaction to nothing, fail where they stand", async () => {
    const own = `tests:
  - name: backwards
    events: [{ type: x, at: 2026-01-05T08:00:00Z }]
    expect: []
  - name: nothing to read
    read: { rule: alarm, by: carl }
    expect: []
`
    const { out } = await changed({ "rules/a.test.yaml": own }, () => run())
    expect(out).toContain(
      "rules/a.test.yaml:3:14 an event at 2026-01-05T08:00:00.000Z, when it is 2026-01-05T09:00:00.000Z",
    )
    expect(out).toContain("rules/a.test.yaml:6:11 carl has nothing of alarm to read")
  })

  test("what is misspelt is refused at its place with the nearest word, and nothing is run", async () => {
    const own = `tests:
  - name: one
    recipients: [{ id: u1, role: [x], prefs: { channels: { emial: false } } }]
    events: [{ type: x, severity: hihg, after: soon }]
    expct: []
  - name: one
    expect: [{ rule: latte, to: u1, chanel: [sms], status: sent }]
  - name: nothing
    event: { type: x }
`
    const { code, out, err } = await changed({ "rules/a.test.yaml": own }, () => run())
    expect([code, err]).toEqual([1, "10 errors. No test was run."])
    const lines = out.split("\n")
    const places = ["3:28", "3:60", "4:35", "4:48", "5:5", "6:11", "7:22", "7:37", "7:60", "8:5"]
    expect(lines.map((line) => line.split(" ")[0])).toEqual(places.map((place) => `rules/a.test.yaml:${place}`))
    for (const near of ["roles", "email", "high", "expect", "late", "channels", "delivered"]) {
      expect(out).toContain(`did you mean "${near}"?`)
    }
  })

  test("rules that do not load are shown as `rules check` shows them", async () => {
    const { code, out } = await changed({ "rules/a.yaml": RULES.replace("source:", "sorce:") }, () => run())
    expect(code).toBe(1)
    expect(out).toContain('rules/a.yaml:4:5 unknown key "sorce"')
  })

  test("runs what a filter names, and says what it left out", async () => {
    const { code, out } = await run("--filter", "ALARM", "--verbose")
    expect(code).toBe(0)
    expect(out).toMatch(/^(ok {3}rules\/a\.test\.yaml:\d+ an alarm .*\n){2}2 passed, 0 failed, 7 left out in \d+ ms\.$/)
    expect(await run("--filter", "nonsense")).toMatchObject({ code: 1, err: "No test fits." })
  })

  test("shows what no test tried, at its place, and fails where more is asked for", async () => {
    const { code, out } = await run("--filter", "a week late", "--coverage")
    expect(code).toBe(0)
    for (const line of [
      "rules/a.yaml:2:5 not covered: late: always matched",
      'rules/a.yaml:2:5 not covered: late: no event of its type came from another source than "erp"',
      'rules/a.yaml:7:11 not covered: late: {">=":[{"var":"payload.days"},7]} was never false',
      'rules/a.yaml:8:11 not covered: late: {"!=":[{"var":"payload.state"},"paid"]} was never false',
      "rules/a.yaml:2:5 not covered: late: its action was never held back by its limit",
      "rules/a.yaml:23:5 not covered: alarm: its action never failed over to email",
    ]) {
      expect(out.split("\n")).toContain(line)
    }
    const short = await run("--filter", "a week late", "--min-coverage", "90")
    expect(short.code).toBe(1)
    expect(short.out).toContain("rules whole), and 90 % is asked for.")
  })

  test("writes JUnit's XML, with what is wrong in it", async () => {
    const file = join(folders.root, "junit.xml")
    const own = `tests:
  - { name: 'says "a" < b & c', events: [{ type: alarm.raised, payload: { number: "]]>\\u0001" } }], recipients: [{ id: u1, roles: [chief] }], expect: [{ to: u1, title: "<>" }] }
  - { name: passes, event: { type: x }, expect: [] }
`
    const { code } = await changed({ "rules/a.test.yaml": own }, () => run("--junit", file))
    expect(code).toBe(1)
    const xml = readFileSync(file, "utf8")
    expect(xml).toContain('<testsuite name="rules/a.test.yaml" tests="2" failures="1" errors="0">')
    expect(xml).toContain('<testcase name="says &quot;a&quot; &lt; b &amp; c" classname="rules/a.test.yaml"')
    expect(balanced(xml)).toBe(true)
    // What does not load must not leave the report of an earlier run.
    await changed({ "rules/a.test.yaml": "tests: [{ nam: a }]" }, () => run("--junit", file))
    const unloaded = readFileSync(file, "utf8")
    expect(unloaded).toContain('failures="0" errors="1"')
    expect(unloaded).toMatch(/<error message="[^"]*nam[^"]*">rules\/a\.test\.yaml:1:/)
    expect(balanced(unloaded)).toBe(true)
  })

  test.each([
    [["--loud"], "--loud"],
    [["--min-coverage", "much"], "--min-coverage takes a whole number from 0 to 100, not much"],
    [["--min-coverage", "101"], "--min-coverage takes a whole number from 0 to 100, not 101"],
    [["--watch", "--json"], "--watch is for people"],
    [["extra"], "unexpected argument: extra"],
    [["--junit", "/nowhere/at/all.xml"], "--junit: /nowhere/at/all.xml cannot be written"],
  ])("%j is a misuse", async (wrong, said) => {
    const { code, err } = await run(...wrong)
    expect(code).toBe(2)
    expect(err).toContain(said)
  })

  test("that there is no test at all is not that all is well", async () => {
    const empty = await ruleFolders({ ...TEMPLATES, "rules/a.yaml": RULES })
    try {
      const where = ["--rules", empty.rulesDir, "--templates", empty.templatesDir]
      expect(await runCommand(rulesTest, where, {})).toMatchObject({ code: 1, err: expect.stringContaining("no test") })
    } finally {
      await empty.remove()
    }
  })

  test("watches: a change of a rule, a template or a test is tried at once, until it is stopped", async () => {
    const main = join(ROOT, "src/main.ts")
    const child = Bun.spawn([process.execPath, "--no-env-file", main, "rules", "test", ...args("--watch")], {
      env: { PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    })
    try {
      const lines = new Lines(child.stdout)
      await lines.next(/^9 passed, 0 failed/)
      await lines.next(/^Waiting/)
      await changed({ "rules/a.yaml": RULES.replace("}, 7]", "}, 6]") }, async () => {
        await lines.next(/^8 passed, 1 failed/)
      })
      // A file that is half written may be seen before: what is waited for is the end.
      await lines.next(/^9 passed, 0 failed/)
      const words = { "templates/plain/default.eta": "---\ntitle: Other words\n---\nOf something." }
      await changed(words, () => lines.next(/^8 passed, 1 failed/))
      await lines.next(/^9 passed, 0 failed/)
      const one = "tests: [{ name: nothing comes of nothing, event: { type: x }, expect: [] }]\n"
      await changed({ "rules/a.test.yaml": one }, () => lines.next(/^1 passed, 0 failed/))
      await lines.next(/^9 passed, 0 failed/)
      child.kill("SIGTERM")
      expect(await child.exited).toBe(0)
    } finally {
      child.kill("SIGKILL")
      await child.exited
    }
  })

  test("leaves nothing behind in the folder that it is called in", () => {
    expect(existsSync(join(folders.root, ".data"))).toBe(false)
  })
})

/** Lines of a process as they come. */
class Lines {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #decoder = new TextDecoder()
  #rest = ""

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#chunks = stream.values()
  }

  /** The next line that fits; those before it are passed over. */
  async next(pattern: RegExp): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n")
      if (end >= 0) {
        const line = this.#rest.slice(0, end)
        this.#rest = this.#rest.slice(end + 1)
        if (pattern.test(line)) return line
        continue
      }
      const { value, done } = await this.#chunks.next()
      if (done === true) throw new Error("the process ended")
      this.#rest += this.#decoder.decode(value, { stream: true })
    }
  }
}

/** Every element is closed, and no mark stands where it would be read as one. */
function balanced(xml: string): boolean {
  const open: string[] = []
  const rest = xml.replace(
    /<\?xml[^>]*\?>|<(\/?)([a-z]+)((?: [a-z]+="[^"<&]*(?:&(?:amp|lt|gt|quot|apos);[^"<&]*)*")*)(\/?)>/g,
    (_, close, name, __, empty) => {
      if (name === undefined) return ""
      if (close === "/") return open.pop() === name ? "" : "<"
      if (empty !== "/") open.push(name)
      return ""
    },
  )
  return open.length === 0 && !/[<>]|&(?!amp;|lt;|gt;|quot;|apos;)/.test(rest) && !xml.includes("\u0001")
}
