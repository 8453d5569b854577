/** Dead letters are sent again while the hubs that do it are killed, and whoever asked clicks again each time. */
import { listAudit } from "../src/store/audit.ts"
import type { Database } from "../src/store/database.ts"
import { ADMIN_KEY } from "../src/testing/front.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { seedDeliveries } from "../src/testing/seed-deliveries.ts"
import { type Figure, fault } from "./fault.ts"
import { drained, endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32
/** A provider that takes its time, so that something is in hand whenever a hub is killed. */
const ANSWER_MS = 100
const SEEDED_AT_ONCE = 1_000

export const replayUnderKill = fault({
  number: 15,
  name: "replay under kill",
  short: { dead: 120, kills: 2, perSecond: 100 },
  full: { dead: 5_000, kills: 20, perSecond: 150 },
  injected: ({ dead, kills, perSecond }) =>
    `${dead} dead letters are replayed, ${perSecond} a second, kill -9 × ${kills} meanwhile, asked again after each`,
  run: ({ dead, kills, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers, db } = world
      await seedDead(db, dead)
      providers.always("telegram", () => ({ kind: "wait", released: Bun.sleep(ANSWER_MS) }))
      let hub = await world.hub()
      const { port } = hub
      // The first is killed while it answers: all of the replay is there afterwards, or nothing.
      void replay(hub, perSecond).catch(() => undefined)
      for (let kill = 1; kill <= kills; kill += 1) {
        if (kill > 1) await providers.waitFor(Math.floor(((kill - 1) * dead) / (kills + 1)))
        hub.signal("SIGKILL")
        await hub.exited
        // Nobody else is there: what it held is free at once instead of after its lease.
        await db.execute("update deliveries set lease_until = now() where status = 'sending'")
        hub = await world.hub({ port })
        await replay(hub, perSecond)
      }
      const left = await drained(db)
      return [{ what: "left undone", value: left, atMost: 0 }, ...(await judged()), await endings(world, [hub])]

      async function judged(): Promise<readonly Figure[]> {
        const taken = new Map<string, number>()
        for (const call of providers.calls) if (call.taken) taken.set(call.text, (taken.get(call.text) ?? 0) + 1)
        const rows = await db.query<Judged>(JUDGED)
        const count = (broken: (row: Judged, times: number) => boolean): number =>
          rows.filter((row) => broken(row, taken.get(row.words) ?? 0)).length
        const { entries } = await listAudit(db, { businesses: null, after: null, limit: 200 })
        return [
          { what: "sent", value: taken.size, atLeast: dead },
          { what: "not sent once more", value: count((_, times) => times === 0), atMost: 0 },
          { what: "sent again", value: count((_, times) => times > 1), atMost: kills * IN_FLIGHT },
          { what: "unmarked", value: count((row, times) => times > 1 && !row.marked), atMost: 0 },
          { what: "not delivered once", value: count((row) => row.delivered !== 1), atMost: 0 },
          { what: "without their history", value: count((row) => row.history !== 1), atMost: 0 },
          { what: "entries of the audit log", value: entries.length, atMost: 1, atLeast: 1 },
          {
            what: "replayed, by that entry",
            value: Number(entries[0]?.detail["replayed"]),
            atLeast: dead,
            atMost: dead,
          },
        ]
      }
    }),
})

/** Each with one try that was refused; its rule's name holds its words, by which the provider's ledger knows it. */
async function seedDead(db: Database, count: number): Promise<void> {
  for (let from = 0; from < count; from += SEEDED_AT_ONCE) {
    const indices = Array.from({ length: Math.min(SEEDED_AT_ONCE, count - from) }, (_, index) => from + index)
    const ids = await seedDeliveries(
      db,
      indices.map((index) => ({
        message: { channel: "telegram", chatId: "4711", html: `dead ${index}`, actionUrl: null, actionLabel: null },
      })),
    )
    await db.execute(
      `update deliveries d set status = 'dead', reason = 'attempts_exhausted', attempt = 1, next_attempt_at = null,
        settled_at = now(), rule = s.words
      from unnest($1::text[], $2::text[]) as s (id, words) where d.id = s.id`,
      [ids, indices.map((index) => `dead ${index}`)],
    )
    await db.execute(
      "insert into attempts (delivery_id, number, started_at, outcome, reason) select unnest($1::text[]), 1, now(), 'retry', 'down'",
      [ids],
    )
  }
}

interface Judged {
  readonly words: string
  readonly marked: boolean
  readonly delivered: number
  readonly history: number
}
const JUDGED = `
select rule as words, maybe_duplicate as marked,
  (select count(*)::int from attempts a where a.delivery_id = d.id and a.outcome = 'delivered') as delivered,
  (select count(*)::int from attempts a where a.delivery_id = d.id and a.number = 1 and a.reason = 'down') as history
from deliveries d`

/** The operator's click: always the same one. */
async function replay({ port }: HubProcess, perSecond: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/admin/dlq/replay`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({
      filter: { channel: "telegram", reason: "attempts_exhausted" },
      per_second: perSecond,
      replay_id: "the-one-click",
    }),
  })
  if (answer.status !== 202) throw new Error(`the replay was answered ${answer.status}: ${await answer.text()}`)
}
