/** Rules in time on two nodes with one database, whatever is decided at once and whoever dies on the way. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { NotificationId } from "../domain/ids.ts"
import type { NotificationContent } from "../domain/notification.ts"
import type { Database } from "../store/database.ts"
import { markAllRead, markInboxItem } from "../store/notifications.ts"
import { upsertRecipients } from "../store/recipients.ts"
import { openAs } from "../store/sealed.ts"
import { business, recipient, recipientId } from "../testing/builders.ts"
import { PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { type TimedNodes, timedNodes } from "../testing/timed-nodes.ts"

const notify = (name: string, type: string, action: string): string => `
  - name: ${name}
    event_type: ${type}
    actions:
      - type: notify
        to: { roles: [r] }
${action.replace(/^(?=.)/gm, "        ")}`

const RULES = `rules:${[
  notify(
    "gathers",
    "test.gathered",
    "channels: [inapp]\ntemplate: gathered\ndigest: { key: payload.k, window: 10m, max: 4 }",
  ),
  notify(
    "limits",
    "test.limited",
    "channels: [inapp]\ntemplate: plain\nthrottle: { key: payload.k, limit: 3, window: 10m }",
  ),
  notify(
    "climbs",
    "test.climbed",
    "channels: [inapp]\ntemplate: plain\nescalate:\n  - { after: 1m, channels: [sms] }\n  - { after: 2m, channels: [sms] }\n  - { after: 3m, channels: [sms] }",
  ),
  notify("waits", "test.waited", "channels: [inapp]\ntemplate: plain\ndelay: 5m"),
  notify("replaces", "test.replaced", "channels: [inapp]\ntemplate: plain\nupdate: payload.k"),
  notify(
    "both",
    "test.both",
    "channels: [inapp]\ntemplate: plain\nupdate: payload.k\ncooldown: { key: payload.k, window: 1s }\nuntil: read\nescalate: [{ after: 1m, channels: [sms] }]",
  ),
].join("")}
`

let world: TimedNodes
let db: Database
beforeAll(async () => {
  const ruleSet = await ruleSetOf({
    ...PLAIN_TEMPLATE,
    "templates/gathered/default.eta":
      "---\ntitle: <%= it.events.length %>\n---\n<%= it.events.map((one) => one.payload.n).join() %>",
    "rules/a.yaml": RULES,
  })
  world = await timedNodes(ruleSet)
  db = world.nodes[0]
  const member = { business: business("b1"), locations: null, roles: ["r"] }
  const people = ["ann", "bob"].map((id, i) => recipient(id, { phone: `+964770000000${i}`, memberships: [member] }))
  await upsertRecipients(db, people, null)
})
afterAll(() => world.close())
afterEach(() => world.clear())

const HOUR = 3_600_000
const MINUTE = 60_000

interface StoredRow {
  readonly id: NotificationId
  readonly recipient_id: string
  readonly inbox: boolean
  readonly content: Buffer
}
const notifications = (rule: string) =>
  db.query<StoredRow>("select id, recipient_id, inbox, content from notifications where rule = $1", [rule])
const bodyOf = ({ content }: StoredRow): string => openAs<NotificationContent>(content).body

/** Events of a few keys that come at any moment of ten minutes, some of them at once. */
const burst = (most: number) =>
  fc.array(fc.record({ k: fc.constantFrom("x", "y", "z"), after: fc.integer({ min: 0, max: 9 * MINUTE }) }), {
    minLength: 2,
    maxLength: most,
  })
const limits = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))

describe("two nodes that work at once", () => {
  test("tell every event in exactly one digest, of which none is too large or too long", async () => {
    await fc.assert(
      fc.asyncProperty(burst(24), limits, async (events, sizes) => {
        await world.clear()
        const began = Date.now() - HOUR
        // Not ordered: an event may be routed after one that came later.
        const ids = await world.accept(
          events.map(({ k, after }, n) => ({ type: "test.gathered", payload: { k, n }, at: began + after })),
        )
        await world.settle(sizes)
        const gathered = await db.query<{ event_id: string; timer_id: string }>(
          "select event_id, timer_id from digest_events",
        )
        expect(gathered.map((row) => row.event_id).sort()).toEqual([...ids].sort())
        for (const [, members] of Map.groupBy(gathered, (row) => row.timer_id))
          expect(members.length).toBeLessThanOrEqual(4)
        expect(await db.query("select 1 from timers where outcome is distinct from 'fired'")).toEqual([])
        const rows = await notifications("gathers")
        for (const who of ["ann", "bob"]) {
          const told = rows.filter((row) => row.recipient_id === who).flatMap((row) => bodyOf(row).split(","))
          expect(told.map(Number).sort((a, b) => a - b)).toEqual(events.map((_, n) => n))
        }
      }),
      { numRuns: 15 },
    )
  }, 30_000)

  test("let exactly as many messages through as a throttle allows", async () => {
    await fc.assert(
      fc.asyncProperty(burst(20), limits, async (events, sizes) => {
        await world.clear()
        const began = Date.now() - HOUR
        await world.accept(events.map(({ k, after }) => ({ type: "test.limited", payload: { k }, at: began + after })))
        await world.settle(sizes)
        const perKey = [...Map.groupBy(events, ({ k }) => k).values()].map((own) => Math.min(3, own.length))
        const allowed = perKey.reduce((sum, n) => sum + n, 0)
        const rows = await notifications("limits")
        for (const who of ["ann", "bob"]) {
          const own = rows.filter((row) => row.recipient_id === who)
          expect(own.length).toBe(events.length)
          expect(own.filter((row) => row.inbox).length).toBe(allowed)
        }
      }),
      { numRuns: 15 },
    )
  }, 30_000)

  test("keep of an item that is replaced the last alone in the inbox, however many come at once", async () => {
    await fc.assert(
      fc.asyncProperty(burst(16), limits, async (events, sizes) => {
        await world.clear()
        await world.accept(
          events.map(({ k, after }) => ({ type: "test.replaced", payload: { k }, at: Date.now() - after })),
        )
        await world.settle(sizes)
        const shown = await db.query<{ update_key: string; position: number; last: number }>(
          `select n.update_key, s.position::int as position,
             (select max(o.position)::int from notifications m join stream_entries o on o.ref = m.id
              where m.update_key = n.update_key and m.recipient_id = n.recipient_id) as last
           from notifications n join stream_entries s on s.ref = n.id where n.inbox and n.archived_at is null`,
        )
        expect(shown.length).toBe(2 * new Set(events.map(({ k }) => k)).size)
        for (const { position, last } of shown) expect(position).toBe(last)
      }),
      { numRuns: 10 },
    )
  }, 30_000)

  test("never wait for each other in a circle, whatever rules meet and whoever reads meanwhile", async () => {
    const types = ["gathered", "limited", "climbed", "waited", "replaced", "both"] as const
    const several = fc.array(fc.record({ type: fc.constantFrom(...types), k: fc.constantFrom("x", "y") }), {
      minLength: 12,
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(several, limits, async (events, sizes) => {
        await world.clear()
        await world.accept(
          events.map(({ type, k }, n) => ({ type: `test.${type}`, payload: { k, n }, at: Date.now() - HOUR + n })),
        )
        let working = true
        const read = async (who: string, node: Database): Promise<void> => {
          while (working) await markAllRead(node, recipientId(who), null)
        }
        // A deadlock is thrown by whoever it hits.
        const settled = world.settle(sizes).finally(() => {
          working = false
        })
        await Promise.all([settled, read("ann", world.nodes[0]), read("bob", world.nodes[1])])
        expect(await db.query("select 1 from timers where done_at is null")).toEqual([])
      }),
      { numRuns: 10 },
    )
  }, 30_000)

  test("climb each step once, and none after somebody has acknowledged", async () => {
    const steps = () =>
      db.query<{ id: string }>("select id from deliveries where rule = 'climbs' and round is not null")
    const rounds = fc.record({
      sizes: limits,
      first: fc.integer({ min: 0, max: 6 }),
      waits: fc.integer({ min: 0, max: 12 }),
    })
    let climbed = 0
    await fc.assert(
      fc.asyncProperty(rounds, async ({ sizes, first, waits }) => {
        await world.clear()
        await world.accept([{ type: "test.climbed", payload: {}, at: Date.now() - HOUR }])
        await world.route(db, 10)
        for (let i = 0; i < first; i++) await world.fire(db, 1, "following")
        const [item] = await notifications("climbs")
        if (item === undefined) throw new Error("nobody was told")
        const settled = world.settle(sizes)
        // A few turns, so that the mark meets the steps at every moment.
        for (let i = 0; i < waits; i++) await world.nodes[1].query("select 1")
        await markInboxItem(world.nodes[1], recipientId(item.recipient_id), null, item.id, "acknowledge")
        const seen = await steps()
        await settled
        expect(await steps()).toEqual(seen)
        climbed += seen.length
        const timers = await db.query<{ step: number; outcome: string }>(
          "select step, outcome from timers order by step",
        )
        expect(new Set(timers.map(({ step }) => step)).size).toBe(timers.length)
        expect(timers.filter(({ outcome }) => outcome === "fired").length * 2).toBe(seen.length)
        expect(timers.every(({ outcome }) => outcome === "fired" || outcome === "acknowledged")).toBe(true)
      }),
      { numRuns: 25 },
    )
    expect(climbed).toBeGreaterThan(0)
  }, 30_000)
})

describe("a node whose connection dies in the middle", () => {
  /** The node, but for its connection, which the server ends in place of the nth statement of a transaction. */
  const dying = (node: Database, nth: number): { readonly node: Database; readonly died: () => boolean } => {
    let died = false
    const kill = "select pg_terminate_backend(pg_backend_pid())"
    return {
      died: () => died,
      node: {
        ...node,
        transaction: (run, first) =>
          node.transaction((tx) => {
            let n = 0
            const guarded = <T>(go: () => Promise<T>): Promise<T> => {
              n += 1
              if (n !== nth) return go()
              died = true
              return tx.query(kill).then(go)
            }
            return run({
              query: (text, values) => guarded(() => tx.query(text, values)),
              execute: (text, values) => guarded(() => tx.execute(text, values)),
            })
          }, first),
      },
    }
  }
  const TABLES = ["notifications", "deliveries", "timers", "digest_events", "routes"]
  const counts = async () => {
    const parts = TABLES.map((table) => `(select count(*)::int from ${table}) as ${table}`)
    const [row] = await db.query<Record<string, number>>(`select ${parts.join(", ")},
      (select count(*)::int from timers where done_at is not null) as done,
      (select coalesce(sum(jsonb_array_length(state -> 'times')), 0)::int from gates) as counted`)
    return row
  }
  const EVENTS = ["test.gathered", "test.limited", "test.climbed", "test.waited", "test.replaced", "test.gathered"]
  const accept = () => world.accept(EVENTS.map((type, n) => ({ type, payload: { k: "x", n }, at: Date.now() - HOUR })))

  test("loses nothing and doubles nothing, whichever statement of routing it was", async () => {
    await accept()
    await world.route(db, 10)
    const whole = await counts()
    let nth = 1
    for (let last = false; !last; nth += 1) {
      await world.clear()
      await accept()
      const { node, died } = dying(world.nodes[1], nth)
      const routed = await world.route(node, 10).catch(() => null)
      last = !died()
      expect(routed === null).toBe(!last)
      if (!last) expect(Object.values((await counts()) ?? {}).every((count) => count === 0)).toBe(true)
      await world.route(db, 10)
      expect(await counts()).toEqual(whole)
    }
    expect(nth).toBeGreaterThan(6)
  }, 30_000)

  test.each(["first", "following"] as const)(
    "loses nothing and doubles nothing, whichever statement of firing it was (%s)",
    async (which) => {
      const routed = async () => {
        await world.clear()
        await accept()
        await world.route(db, 10)
        return counts()
      }
      await routed()
      await world.fire(db, 10, which)
      const whole = await counts()
      let nth = 1
      for (let last = false; !last; nth += 1) {
        const before = await routed()
        const { node, died } = dying(world.nodes[1], nth)
        const fired = await world.fire(node, 10, which).catch(() => null)
        last = !died()
        expect(fired === null).toBe(!last)
        if (!last) expect(await counts()).toEqual(before)
        await world.fire(db, 10, which)
        if (!last) expect(await counts()).toEqual(whole)
      }
      expect(nth).toBeGreaterThan(4)
    },
    30_000,
  )
})
