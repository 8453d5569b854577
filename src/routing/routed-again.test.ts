/** An event of which a rule could not be carried out is routed once more: what was done stays as it is, what was not is done. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { upsertRecipients } from "../store/recipients.ts"
import { routeAgain } from "../store/route-again.ts"
import { getRoute } from "../store/routes.ts"
import { recipient } from "../testing/builders.ts"
import { ruleSetOf } from "../testing/rule-fixtures.ts"
import { type TimedNodes, timedNodes } from "../testing/timed-nodes.ts"

const RULES = `
rules:
  - name: gathers
    event_type: test.both
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [inapp], template: plain, digest: { window: 1h } }
  - name: texts
    event_type: test.**
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [inapp, sms], template: words }
`
const PLAIN = { "rules/a.yaml": RULES, "templates/plain/default.eta": "---\ntitle: News\n---\nNews." }
const filesWith = (sms: string) => ({
  ...PLAIN,
  "templates/words/default.eta": "---\ntitle: News\n---\nNews.",
  "templates/words/sms.eta": sms,
})

let world: TimedNodes
beforeAll(async () => {
  world = await timedNodes(await ruleSetOf(filesWith("News.")))
  const { nodes } = world
  await upsertRecipients(nodes[0], [recipient("u1", { phone: "+9647700000000" })], null)
})
afterEach(() => world.clear())
afterAll(() => world.close())

async function failedOnce(type: string) {
  const [db] = world.nodes
  world.change(await ruleSetOf(filesWith("<%= it.payload.gone.away.further %>")))
  const [id] = await world.accept([{ type, payload: { who: "u1" }, at: Date.now() - 1_000 }])
  if (id === undefined) throw new Error("no event")
  await world.route(db, 10)
  expect((await getRoute(db, id))?.failures).toHaveLength(1)
  world.change(await ruleSetOf(filesWith("News.")))
  expect(await routeAgain(db, id, { actor: "ada", businesses: null })).toMatchObject({ kind: "queued" })
  return { db, id }
}

test("a message that could not be written then is for the notification that was stored then", async () => {
  const { db } = await failedOnce("test.text")
  const told = await db.query<{ id: string }>("select id from notifications")
  expect(told).toHaveLength(1)
  await world.route(db, 10)
  const sent = await db.query<{ status: string; people: readonly string[] }>(
    "select status, notification_ids as people from deliveries",
  )
  expect(sent).toEqual([{ status: "queued", people: told.map(({ id }) => id) }])
})

test("a digest that it is in already has it once", async () => {
  const { db, id } = await failedOnce("test.both")
  expect(await world.route(db, 10)).toBe(1)
  expect((await getRoute(db, id))?.failures).toEqual([])
  expect(await db.query("select event_id from digest_events")).toEqual([{ event_id: id }])
  expect(await db.query("select status from deliveries")).toEqual([{ status: "queued" }])
})
