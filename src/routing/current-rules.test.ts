import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { gitIn, gitRepository } from "../testing/git-repository.ts"
import { type Heard, heard } from "../testing/heard.ts"
import { type Folders, oneRule, PLAIN_TEMPLATE, ruleFolders } from "../testing/rule-fixtures.ts"
import { type CurrentRules, currentRules } from "./current-rules.ts"

let folders: Folders
let telemetry: Heard
let tree: Tree | null = null

beforeEach(async () => {
  folders = await ruleFolders({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() })
  telemetry = heard()
})
afterEach(async () => {
  await tree?.stop()
  tree = null
  await folders.remove()
})

async function start(pollMs = 60_000): Promise<CurrentRules> {
  const opened = await currentRules({ ...folders, clock: systemClock, telemetry, pollMs })
  if ("errors" in opened) throw new Error("the rules load")
  const root = supervisor({ id: "hub", strategy: "one_for_one", children: [opened.ok.spec] })
  tree = await startTree(root, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  return opened.ok
}

const another = (name: string): string => oneRule().replace("the-rule", name)
const names = (rules: CurrentRules): readonly string[] => rules.get().rules.map((rule) => String(rule.name))

describe("the rules that run", () => {
  test("are refused at the start when they do not load", async () => {
    await folders.write({ "rules/a.yaml": "rules: soon" })
    const opened = await currentRules({ ...folders, clock: systemClock, telemetry })
    expect("errors" in opened && opened.errors.map(({ file, line, column }) => [file, line, column])).toEqual([
      ["rules/a.yaml", 1, 8],
    ])
  })

  test("are swapped within a second of a change, in a folder that is new too", async () => {
    const rules = await start()
    const before = rules.get()
    const began = performance.now()
    await folders.write({ "rules/new/b.yaml": another("second") })
    await telemetry.waitFor("rules_loaded", 2)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(names(rules)).toEqual(["the-rule", "second"])
    expect(before.rules.length).toBe(1)
    await folders.write({ "templates/plain/sms.eta": "changed" })
    await telemetry.waitFor("rules_loaded", 3)
    await rm(join(folders.rulesDir, "new"), { recursive: true })
    await telemetry.waitFor("rules_loaded", 4)
    expect(names(rules)).toEqual(["the-rule"])
  })

  test("stay the last good ones when a change cannot be loaded, and recover with the next", async () => {
    const rules = await start()
    const good = rules.get()
    await folders.write({ "rules/b.yaml": another("second").replace("notify", "shout") })
    const [refused] = await telemetry.waitFor("rules_refused", 1)
    expect(refused).toMatchObject({ count: 1 })
    expect(String(refused?.errors[0])).toStartWith('rules/b.yaml:5:15 unknown action type "shout"')
    expect(rules.get()).toBe(good)
    expect(rules.refused().length).toBe(1)
    await folders.write({ "rules/b.yaml": another("second") })
    await telemetry.waitFor("rules_loaded", 2)
    expect(rules.refused()).toEqual([])
    expect(names(rules)).toEqual(["the-rule", "second"])
  })

  test("are told of once when a change changes nothing", async () => {
    const rules = await start()
    const before = rules.get()
    await folders.write({ "rules/a.yaml": oneRule() })
    await folders.write({ "rules/b.yaml": another("second") })
    await telemetry.waitFor("rules_loaded", 2)
    await folders.write({ "rules/b.yaml": another("third") })
    expect((await telemetry.waitFor("rules_loaded", 3)).length).toBe(3)
    expect(before.rules.length).toBe(1)
  })

  test("are found by the poll where the file system tells nobody", async () => {
    // The folder does not exist when watching begins, so that only the poll can find it.
    const rules = await start(50)
    await rm(folders.templatesDir, { recursive: true })
    await telemetry.waitFor("rules_refused", 1)
    await folders.write({ ...PLAIN_TEMPLATE, "rules/b.yaml": another("second") })
    await telemetry.waitFor("rules_loaded", 2)
    expect(names(rules)).toEqual(["the-rule", "second"])
  })

  test("are swapped by a pull, and called by its commit", async () => {
    const origin = await gitRepository()
    await origin.commit("one", { ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() })
    await gitIn(folders.root, "clone", "--quiet", origin.dir, "clone")
    const clone = join(folders.root, "clone")
    const cloned = { ...folders, rulesDir: join(clone, "rules"), templatesDir: join(clone, "templates") }
    folders = cloned
    const rules = await start()
    const commit = await origin.commit("two", { "rules/b.yaml": another("second") })
    await gitIn(clone, "pull", "--quiet", "--ff-only")
    await telemetry.waitFor("rules_loaded", 1, ({ revision }) => revision === commit)
    expect([names(rules), rules.get().revision]).toEqual([["the-rule", "second"], commit])
    await origin.remove()
  })

  test("that are not committed yet get the commit's name when they are", async () => {
    await gitIn(folders.root, "init", "--quiet", "--initial-branch=main")
    const rules = await start(50)
    await gitIn(folders.root, "add", "--all")
    await gitIn(folders.root, "commit", "--quiet", "--message", "one")
    await folders.write({ "rules/b.yaml": another("second") })
    await telemetry.waitFor("rules_loaded", 1, ({ revision }) => revision.includes("+dirty"))
    await gitIn(folders.root, "add", "--all")
    await gitIn(folders.root, "commit", "--quiet", "--message", "two")
    const commit = await gitIn(folders.root, "rev-parse", "HEAD")
    await telemetry.waitFor("rules_loaded", 1, ({ revision }) => revision === commit)
    expect(rules.get().revision).toBe(commit)
  })

  test("outlive the actor that watches them", async () => {
    const rules = await start()
    await tree?.restart("rules")
    await folders.write({ "rules/b.yaml": another("second") })
    await telemetry.waitFor("rules_loaded", 2)
    expect(names(rules)).toEqual(["the-rule", "second"])
  })
})
