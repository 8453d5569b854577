import { afterAll, beforeAll, expect, test } from "bun:test"
import { DEFAULT_RETRY, type Outcome } from "../domain/delivery.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { claimDue, type Settling } from "../store/deliveries.ts"
import { silent } from "../telemetry/bus.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { attempt } from "./attempt.ts"
import { Held } from "./in-flight.ts"
import { attemptDeadlines } from "./send.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 2 })
})
afterAll(async () => {
  await db.close()
  await server.drop()
})

test("what was claimed in time is not sent when its process was held up beyond that", async () => {
  const [inTime, late] = await seedDeliveries(db, [{}, {}])
  await db.execute("update deliveries set expires_at = now() + interval '60 seconds' where id = $1", [inTime ?? ""])
  await db.execute("update deliveries set expires_at = now() + interval '5 seconds' where id = $1", [late ?? ""])
  const clock = fakeClock()
  const since = clock.now()
  const claimed = await claimDue(db, { channel: "telegram", limit: 2, owner: "a", leaseMs: 15_000 })
  const sent: string[] = []
  const settlements: Settling[] = []
  const options = {
    worker: {
      channel: "telegram",
      send({ id }: { readonly id: string }): Promise<Outcome> {
        sent.push(id)
        return Promise.resolve({ kind: "delivered", providerMessageId: null })
      },
    },
    settler: {
      settle(item: Settling) {
        settlements.push(item)
        return Promise.resolve({ kind: "lost" } as const)
      },
    },
    telemetry: silent,
    clock,
    inTime: attemptDeadlines(clock),
    policy: DEFAULT_RETRY,
    random: () => 0.5,
    leaseMs: 15_000,
    onSent: () => undefined,
    learn: () => Promise.resolve([]),
    giveUp: new AbortController().signal,
  } as const
  await clock.advance(6_000)
  for (const one of claimed) await attempt(new Held(one, since, 0), options)
  expect(sent).toEqual([inTime ?? ""])
  expect(settlements.find(({ id }) => id === late)).toMatchObject({
    outcome: { kind: "retry", reason: "not_tried" },
    settlement: { status: "retrying" },
  })
})
