/** What the README says is run: its rule, its curl, its commands and its tables. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { withOperators } from "../scripts/readme-operators.ts"
import { withSettings } from "../scripts/readme-settings.ts"
import { rulesTest } from "./cli/rules-test.ts"
import { loadRuleSet } from "./routing/load.ts"
import { eventually } from "./testing/eventually.ts"
import { ADMIN_KEY, jsonOf } from "./testing/front.ts"
import { runCommand } from "./testing/hub-command.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

const ROOT = join(import.meta.dir, "..")
const README = readFileSync(join(ROOT, "README.md"), "utf8")

/** The first code block of a language after a heading. */
function block(heading: string, language: string): string {
  const section = README.slice(README.indexOf(`## ${heading}`))
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section)
  if (found?.[1] === undefined) throw new Error(`no ${language} under "${heading}"`)
  return found[1]
}

const folders: string[] = []
const folderWith = (name: string, content: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "hub-readme-"))
  folders.push(folder)
  writeFileSync(join(folder, name), content)
  return folder
}

let hub: TestHub
beforeAll(async () => {
  hub = await startTestHub({ HUB_RULES_DIR: folderWith("invoicing.yaml", block("One rule", "yaml")) })
  await hub.call("/v1/recipients/dev", { method: "PUT", json: { roles: ["accountant"], email: "you@example.com" } })
})
afterAll(async () => {
  await hub.remove()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe("the README", () => {
  test("shows a rule that loads beside the shipped templates", async () => {
    const rulesDir = folderWith("one.yaml", block("One rule", "yaml"))
    const loaded = await loadRuleSet({ rulesDir, templatesDir: join(ROOT, "templates") }, 0)
    expect("errors" in loaded ? loaded.errors : []).toEqual([])
  })

  test("shows a test that passes, and what is said of it once the rule is another", async () => {
    const folder = folderWith("invoicing.yaml", block("One rule", "yaml"))
    writeFileSync(join(folder, "invoicing.test.yaml"), block("Test your rules", "yaml"))
    const args = ["--rules", folder, "--templates", join(ROOT, "templates")]
    const passed = await runCommand(rulesTest, args, {})
    expect([passed.code, passed.out]).toEqual([0, expect.stringContaining("2 passed, 0 failed")])
    writeFileSync(join(folder, "invoicing.yaml"), block("One rule", "yaml").replace(", 7]", ", 8]"))
    const failed = await runCommand(rulesTest, args, {})
    const timeless = (text: string): string => text.trim().replace(/in \d+ ms/, "in some ms")
    expect(timeless(failed.out)).toBe(timeless(block("Test your rules", "text")))
    expect(failed.code).toBe(1)
  })

  test("shows a curl line that makes the notification and the mail appear, and that is a duplicate the second time", async () => {
    const line = block("One curl", "sh").replaceAll("http://localhost:4000", `http://127.0.0.1:${hub.port}`)
    const curl = async (): Promise<unknown> => {
      const shell = Bun.spawn(["sh", "-c", line.replace("curl ", "curl -s ")], {
        env: { PATH: process.env["PATH"] ?? "", HUB_API_KEY: ADMIN_KEY },
        stdout: "pipe",
      })
      return JSON.parse(await new Response(shell.stdout).text())
    }
    expect(await curl()).toMatchObject({ status: "accepted" })
    expect(await curl()).toMatchObject({ status: "duplicate" })
    interface Page {
      readonly data: readonly { readonly title: string }[]
    }
    const inbox = (): Promise<Page> => jsonOf<Page>(hub.call("/v1/notifications?recipient_id=dev"))
    const { data } = await eventually(inbox, (page) => page.data.length > 0, { withinMs: 5_000, what: "the inbox" })
    expect(data.map((item) => item.title)).toEqual(["Invoice INV-1 is overdue"])
    expect(README).toContain("`Invoice INV-1 is overdue`")
    const outbox = (): Promise<Page> => jsonOf<Page>(hub.call("/v1/outbox?channel=email"))
    const mail = await eventually(outbox, (page) => page.data.length > 0, { withinMs: 5_000, what: "the outbox" })
    expect(mail.data).toHaveLength(1)
  })

  test("names pages that are there", async () => {
    const paths = [...README.matchAll(/^\| `(\/[a-z]*)` \|/gm)].map((match) => match[1] ?? "")
    expect(paths).toContain("/outbox")
    for (const path of paths) expect((await hub.call(path, { key: null })).status).toBe(200)
  })

  test("names commands that are there", async () => {
    const help = Bun.spawnSync([process.execPath, "--no-env-file", "src/main.ts", "help"], {
      cwd: ROOT,
    }).stdout.toString()
    const named = [...README.matchAll(/npm run hub -- ([a-z]+(?: [a-z]+)?)/g)].map((match) => match[1] ?? "")
    expect(named.length).toBeGreaterThan(4)
    for (const name of named) if (name !== "help") expect(help).toContain(`hub ${name.split(" ")[0]}`)
    const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts
    for (const [, name = ""] of README.matchAll(/npm run ([a-z]+)/g)) expect(Object.keys(scripts)).toContain(name)
  })

  test("has the settings as they are", () => {
    expect(withSettings(README)).toBe(README)
  })

  test("leads to the operators as they are", () => {
    expect(README).toContain("(src/routing/README.md#operators)")
    const page = readFileSync(join(ROOT, "src/routing/README.md"), "utf8")
    expect(withOperators(page)).toBe(page)
  })

  test("links only to files that exist", () => {
    const tracked = new Set(readdirSync(ROOT, { recursive: false, encoding: "utf8" }))
    for (const [, link = ""] of README.matchAll(/\]\((?!http)([^)]+)\)/g))
      expect(tracked).toContain(link.split("/")[0] ?? "")
  })
})
