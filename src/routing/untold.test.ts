/** Of what could not be said nobody was told, so it uses up nobody's limit. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { upsertRecipients } from "../store/recipients.ts"
import { recipient } from "../testing/builders.ts"
import { ruleSetOf } from "../testing/rule-fixtures.ts"
import { type TimedNodes, timedNodes } from "../testing/timed-nodes.ts"

const RULES = `
rules:
  - name: alarm
    event_type: test.alarm
    actions:
      - { type: notify, to: { users: [u1] }, channels: [sms], template: words, cooldown: 1h }
`
const FILES = {
  "rules/a.yaml": RULES,
  "templates/words/default.eta": "---\ntitle: Alarm\n---\n<%= it.payload.where %>",
}

let world: TimedNodes
beforeAll(async () => {
  world = await timedNodes(await ruleSetOf(FILES))
  await upsertRecipients(world.nodes[0], [recipient("u1", { phone: "+9647700000000" })], null)
})
afterEach(() => world.clear())
afterAll(() => world.close())

const alarm = (payload: { readonly where?: string }, at: number) => ({ type: "test.alarm", payload, at })
const sent = () => world.nodes[0].query("select status, reason from deliveries order by event_id")

test.each([1, 10])("an alarm that could not be written does not silence the next, %p at a time", async (limit) => {
  const now = Date.now()
  await world.accept([alarm({}, now - 3_000), alarm({ where: "Gate 1" }, now - 2_000), alarm({ where: "Gate 2" }, now)])
  while ((await world.route(world.nodes[0], limit)) > 0);
  expect(await sent()).toEqual([
    { status: "queued", reason: null },
    { status: "suppressed", reason: "cooldown" },
  ])
})
