import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { Queryable } from "../store/database.ts"
import { check, type Ledgers, type Verdict } from "./checker.ts"
import { eventually } from "./eventually.ts"
import { type FakeProviders, startFakeProviders } from "./fake-providers.ts"
import { accountIn, marginCall, putTrader } from "./margin-call.ts"
import { seedDeliveries } from "./seed-deliveries.ts"
import { startTestHub, type TestHub } from "./start-hub.ts"

let providers: FakeProviders
let hub: TestHub
let ledgers: { acked: Map<string, string>; sent: Map<string, number> }
beforeAll(async () => {
  providers = await startFakeProviders()
  hub = await startTestHub({ TELEGRAM_BOT_TOKEN: "4711:test-token", TELEGRAM_API_ROOT: providers.url })
  await putTrader(hub.port)
  const acked = new Map<string, string>()
  for (const n of [1, 2, 3]) {
    const answer = await hub.call("/v1/events", { json: { ...marginCall(n), idempotency_key: `acc-${n}.` } })
    const { id }: { id: string } = JSON.parse(await answer.text())
    acked.set(`acc-${n}.`, id)
  }
  await eventually(
    () => hub.db.query("select from deliveries where status = 'delivered'"),
    (rows) => rows.length === 3,
    { withinMs: 10_000, what: "deliveries" },
  )
  // It would mend some of what is planted: from here on it is not asked.
  await hub.tree.stop()
  hub.db.reopen()
  ledgers = { acked, sent: new Map(providers.counts((call) => accountIn(call.text))) }
})
afterAll(async () => {
  await hub.db.close()
  await hub.remove()
  await providers.stop()
})

const OK: Verdict = {
  lost: [],
  twice: [],
  torn: [],
  untold: [],
  unsent: [],
  stuck: [],
  miscounted: [],
  unmarked: [],
  sentAgain: 0,
}
const one = "(select id from events where idempotency_key = 'acc-1.')"

/** What `work` finds in a database that it may spoil: nothing of it stays. */
async function inVain<R>(work: (tx: Queryable) => Promise<R>): Promise<R> {
  let verdict: R | undefined
  const back = new Error("rolled back")
  await hub.db
    .transaction(async (tx) => {
      verdict = await work(tx)
      throw back
    })
    .catch((error: unknown) => {
      if (error !== back) throw error
    })
  if (verdict === undefined) throw new Error("there is no verdict")
  return verdict
}

describe("the checker", () => {
  test("finds nothing where nothing is wrong", async () => {
    expect(await check(hub.db, ledgers)).toEqual(OK)
    expect(await check(hub.db, { acked: ledgers.acked })).toEqual(OK)
  })

  const planted: readonly (readonly [string, keyof Verdict, string])[] = [
    ["an acknowledged event that is gone", "lost", `delete from events where id = ${one}`],
    ["an event under another id than was answered", "lost", `update events set id = 'evt_other' where id = ${one}`],
    [
      "two events of one key",
      "twice",
      `drop index events_key; insert into events select 'evt_b', business_id, location_id, type, source, severity,
       occurred_at, accepted_at, idempotency_key, content_hash, correlation_id, payload, extensions from events where id = ${one};
       insert into routing_queue (event_id) values ('evt_b')`,
    ],
    ["an event that was neither queued nor decided", "torn", `delete from routes where event_id = ${one}`],
    [
      "a delivery without its words",
      "torn",
      "delete from messages where delivery_id = (select min(id) from deliveries where status = 'delivered')",
    ],
    ["a position without its entry", "torn", "delete from stream_entries where position = 1"],
    ["somebody who was never told", "untold", `delete from notifications where event_id = ${one}`],
    [
      "a lease that nobody ends",
      "stuck",
      `update deliveries set status = 'sending', lease_until = now() - interval '16 seconds' where event_id = ${one}`,
    ],
    [
      "a delivery that is due and that nobody takes",
      "stuck",
      `update deliveries set status = 'queued', next_attempt_at = now() - interval '31 seconds' where event_id = ${one}`,
    ],
    ["a delivery without a next time", "stuck", `update deliveries set status = 'retrying' where event_id = ${one}`],
    [
      "an event that nobody routes",
      "stuck",
      `insert into routing_queue (event_id, next_at) values (${one}, now() - interval '31 seconds')`,
    ],
    [
      "a delivery that was completed twice",
      "miscounted",
      `insert into attempts (delivery_id, number, started_at, outcome, finished_at)
       select delivery_id, number + 1, started_at, outcome, now() from attempts limit 1`,
    ],
    ["a delivery that was completed by nobody", "miscounted", "delete from attempts"],
  ]
  for (const [what, list, sql] of planted)
    test(`says no to ${what}`, async () => {
      const verdict = await inVain(async (tx) => {
        for (const statement of sql.split(";")) await tx.execute(statement)
        return check(tx, ledgers)
      })
      expect(verdict[list]).not.toEqual([])
    })

  test("says no to what no provider took, and to what was sent again without a mark", async () => {
    const sent = new Map(ledgers.sent)
    sent.delete("acc-1.")
    sent.set("acc-2.", 3)
    const seen: Ledgers = { ...ledgers, sent }
    expect(await check(hub.db, seen)).toEqual({ ...OK, unsent: ["acc-1."], unmarked: ["acc-2."], sentAgain: 2 })
    const marked = await inVain(async (tx) => {
      await tx.execute("update deliveries set maybe_duplicate = true")
      return check(tx, seen)
    })
    expect(marked).toEqual({ ...OK, unsent: ["acc-1."], sentAgain: 2 })
  })

  test("asks a delivery of no event itself whether it may have been sent again", async () => {
    const sent = new Map(ledgers.sent).set("acc-7.", 2)
    const verdicts = await inVain(async (tx) => {
      const [id = ""] = await seedDeliveries(tx, [{}])
      const seen: Ledgers = { ...ledgers, sent, seeded: new Map([["acc-7.", id]]) }
      const unmarked = await check(tx, seen)
      await tx.execute("update deliveries set maybe_duplicate = true where id = $1", [id])
      return [unmarked, await check(tx, seen)].map((verdict) => verdict.unmarked)
    })
    expect(verdicts).toEqual([["acc-7."], []])
  })

  test("knows that an escalation tells again, and that old history is let go", async () => {
    const sent = new Map(ledgers.sent)
    sent.set("acc-2.", 2)
    const climbed = await inVain(async (tx) => {
      await tx.execute(
        `insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
           priority, status, attempt)
         select 'dlv_again', event_id, notification_ids, rule, rules_revision, business_id, channel, '\\x01', priority,
           'delivered', 1 from deliveries where event_id = (select id from events where idempotency_key = 'acc-2.') limit 1`,
      )
      return check(tx, { ...ledgers, sent })
    })
    expect([climbed.unmarked, climbed.sentAgain]).toEqual([[], 0])
    const pruned = await inVain(async (tx) => {
      await tx.execute("update stream_entries set position = position + 1000")
      await tx.execute("update streams set position = position + 1000")
      await tx.execute(
        `insert into stream_entries (stream, position, ref)
         select s.key, n, 'ntf_x' from streams s cross join generate_series(3, 1000) n`,
      )
      return check(tx, ledgers)
    })
    expect(pruned.torn).toEqual([])
  })
})
