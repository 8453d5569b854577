/** What is for very many people: apart from what is for others, in pieces, once for each, and never for ever. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { newIdsAt, type RecipientId, type RuleName } from "../domain/ids.ts"
import type { Profile } from "../domain/recipient.ts"
import { traceOf } from "../http/trace.ts"
import { openDatabase } from "../store/database.ts"
import { getEvent } from "../store/events.ts"
import { inPieces } from "../store/pieces.ts"
import { getRoute } from "../store/routes.ts"
import { seal } from "../store/sealed.ts"
import { fireTimers } from "../store/timers.ts"
import { recipient } from "../testing/builders.ts"
import { hubEvent, ruleSetOf } from "../testing/rule-fixtures.ts"
import { type TimedNodes, timedNodes } from "../testing/timed-nodes.ts"
import { fireBatch } from "./fire-batch.ts"
import { decideEvent, prepareInSlices } from "./plan.ts"
import { atOnce } from "./slices.ts"

const RULES = `
rules:
  - name: alarm
    event_type: test.alarm
    actions:
      - { type: notify, to: { roles: [r] }, channels: [inapp, sms], template: words, cooldown: 1h }
  - name: news
    event_type: test.news
    actions:
      - { type: notify, to: { roles: [r] }, channels: [inapp], template: words, digest: { window: 1m, max: 100 } }
  - name: everybody
    event_type: test.everybody
    actions:
      - { type: notify, to: { everyone: true }, channels: [inapp], template: words }
`
/** Long enough that the people's messages together are several pieces of bytes, too. */
const WORDS = `---\ntitle: News\n---\n${"All staff to the gate. ".repeat(40)}`
const FILES = { "rules/a.yaml": RULES, "templates/words/default.eta": WORDS }
const CROWD = 5_001
const HOUR = 3_600_000

let world: TimedNodes
beforeAll(async () => {
  world = await timedNodes(await ruleSetOf(FILES))
  await addPeople(world, "p", CROWD, "r")
})
afterAll(() => world.close())

async function addPeople({ nodes: [db] }: TimedNodes, prefix: string, count: number, role: string): Promise<void> {
  const profile: Profile = {
    name: null,
    email: null,
    phone: "+9647700000000",
    telegramChatId: null,
    slackWebhookUrl: null,
    slackUserId: null,
    deviceTokens: [],
  }
  await db.execute(
    `with made as (
       insert into recipients (id, profile) select $1 || n, $2 from generate_series(1, $3::int) n returning id
     )
     insert into memberships (recipient_id, business_id, roles) select id, 'b1', array[$4] from made`,
    [prefix, seal(profile), count, role],
  )
}

const come = async (types: readonly string[]) =>
  world.accept(types.map((type) => ({ type, payload: {}, at: Date.now() - HOUR })))

const told = async () => {
  const [row] = await world.nodes[0].query<{ all: number; people: number; placed: number; entries: number }>(
    `select count(*)::int as all, count(distinct n.recipient_id)::int as people,
       count(s.position) filter (where s.key = 'notifications:' || n.recipient_id)::int as placed,
       (select count(*)::int from stream_entries) as entries
     from notifications n left join stream_entries e on e.ref = n.id left join streams s on s.key = e.stream`,
  )
  return row
}

describe("what is for very many people", () => {
  test("is told by two nodes once to each, and shares one message where they share an address", async () => {
    const [id] = await come(["test.alarm"])
    if (id === undefined) throw new Error("no event")
    await world.settle([1, 1])
    expect(await told()).toEqual({ all: CROWD, people: CROWD, placed: CROWD, entries: CROWD })
    const sent = await world.nodes[0].query<{ people: number }>(
      "select cardinality(notification_ids) as people from deliveries",
    )
    expect(sent).toEqual([{ people: CROWD }])
    const decisions = (await getRoute(world.nodes[0], id))?.decisions
    expect(decisions?.find(({ rule }) => rule === "alarm")?.reason).toContain(
      `${CROWD} people are told of it, apart from other events`,
    )
    const event = await getEvent(world.nodes[0], id)
    const trace = event === null ? {} : await traceOf(world.nodes[0], event)
    expect(trace).toMatchObject({ has_more_notifications: true, has_more_deliveries: false })
    expect(trace["notifications"]).toHaveLength(1_000)
    expect(JSON.stringify(trace).match(/"channel":"sms"/g)).toHaveLength(1_000)
    await world.clear()
  })

  test("lets others have their turns while it is told, and not only once it is", async () => {
    const [db] = world.nodes
    await come(["test.alarm"])
    while ((await world.route(db, 1)) > 0);
    let breaths = 0
    const ruleSet = await ruleSetOf(FILES)
    await fireTimers(db, { which: "crowd", limit: 1 }, (due, ports) =>
      fireBatch(due, () => ruleSet, ports, {
        settings: { publicUrl: "https://hub.example", defaultSlack: false },
        ids: newIdsAt(Date.now()),
        onBug: (error) => {
          throw error
        },
        breathe() {
          breaths += 1
          return Promise.resolve()
        },
      }),
    )
    expect(await told()).toMatchObject({ people: CROWD })
    // People are begun with, given their addresses and then their words, 200 at a time. They are found, put in order, given
    // the names of their limits, and what is remembered of them is handed on, 2,000 at a time.
    expect(breaths).toBeGreaterThanOrEqual(3 * Math.floor(CROWD / 200) + 5 * Math.floor(CROWD / 2_000))
    await world.clear()
  })

  test("is one digest for each of them, and the next events are another", async () => {
    await come(Array.from({ length: 100 }, () => "test.news"))
    const [db] = world.nodes
    while ((await world.route(db, 50)) > 0);
    // Closed first, so that what comes meanwhile waits for nobody: it goes into the next.
    expect((await world.fire(db, 10, "first")).fired.map(({ outcome }) => outcome)).toEqual(["apart"])
    expect(await told()).toMatchObject({ all: 0 })
    await come(["test.news"])
    await world.settle([50, 50])
    expect(await told()).toEqual({ all: 2 * CROWD, people: CROWD, placed: 2 * CROWD, entries: 2 * CROWD })
    const digests = await db.query<{ events: number }>(
      `select (select count(*)::int from digest_events g where g.timer_id = t.id) as events
       from timers t where outcome = 'fired' order by events`,
    )
    expect(digests).toEqual([{ events: 1 }, { events: 100 }])
    await world.clear()
  })
})

test("what is for more people than can be told at once is told to nobody, and says so", async () => {
  const event = hubEvent({ type: "test.everybody" })
  const decided = decideEvent(await ruleSetOf(FILES), event)
  const recipients = Array.from({ length: 100_001 }, (_, n) => recipient(`p${n}`))
  const audience = { recipients, outsiders: new Set<RecipientId>(), preferences: new Map() }
  const prepared = atOnce(prepareInSlices(decided, { inhibitors: [null], audiences: [audience] }))
  expect(prepared.tellings).toEqual([])
  expect(prepared.delays).toEqual([])
  expect(prepared.failures).toEqual([
    { rule: "everybody" as RuleName, reason: expect.stringContaining("more than 100,000 people") },
  ])
})

test("a piece holds so many rows and bytes, and at least one", () => {
  expect([...inPieces(Array.from({ length: 4_500 }))].map((piece) => piece.length)).toEqual([2_000, 2_000, 500])
  const mega = 1024 * 1024
  expect([...inPieces([1, 2, 3, 9, 1], (n) => n * mega)]).toEqual([[1, 2], [3], [9], [1]])
  expect([...inPieces([])]).toEqual([])
})

test("a transaction that takes too long is given up as one of its statements would be, and leaves nothing", async () => {
  const { url } = world
  const hasty = openDatabase({ url, transactionMs: -1, max: 1 })
  const late = hasty.transaction(async (tx) => {
    await tx.execute("insert into lists_probe values (1)")
  })
  expect(late).rejects.toMatchObject({ code: "57014" })
  await late.catch(() => null)
  await hasty.close()
})
