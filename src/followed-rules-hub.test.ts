/** A hub that follows a rules repository by itself, as an operator sees it. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { jsonOf } from "./testing/front.ts"
import { type GitRepository, gitRepository } from "./testing/git-repository.ts"
import { oneRule, PLAIN_TEMPLATE } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let origin: GitRepository
let hub: TestHub
let first: string
beforeAll(async () => {
  origin = await gitRepository()
  first = await origin.commit("one", { ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() })
  hub = await startTestHub({ HUB_RULES_GIT_URL: `file://${origin.dir}`, HUB_RULES_GIT_INTERVAL: "50ms" })
})
afterAll(async () => {
  await hub.remove()
  await origin.remove()
})

const health = async (): Promise<string> => JSON.stringify(await jsonOf(hub.call("/health/detailed")))
const metric = async (name: string): Promise<string | undefined> =>
  (await (await hub.call("/metrics")).text()).split("\n").find((line) => line.startsWith(`${name} `))

test("a hub runs the commit, keeps it when the next does not load, and takes the one after", async () => {
  expect(await health()).toContain(`"revision":"${first}"`)
  await origin.commit("broken", { "rules/a.yaml": oneRule().replace("notify", "shout") })
  const refused = await eventually(health, (text) => text.includes("unknown action type"), {
    withinMs: 5_000,
    what: "refusal",
  })
  expect(refused).toContain(`"revision":"${first}"`)
  expect(await metric("hub_rules_last_load_ok")).toBe("hub_rules_last_load_ok 0")
  expect(await metric("hub_rules_source_up")).toBe("hub_rules_source_up 1")
  const mended = await origin.commit("mended", { "rules/a.yaml": oneRule().replace("the-rule", "mended") })
  await eventually(health, (text) => text.includes(`"revision":"${mended}"`), { withinMs: 5_000, what: "the commit" })
  expect(await metric("hub_rules_last_load_ok")).toBe("hub_rules_last_load_ok 1")
})
