// Claims, settlements, rescues, replays and reactions in every order that two nodes can come by. 10,000 schedules run the
// real attempt over the model of the rows that PostgreSQL is held against in deliveries-model.test.ts, because asking a
// database for each would take an hour; 300 run the statements themselves, at the same moment on connections of their own,
// and what is left must be what some order of them leaves.
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { ClaimedDelivery, Outcome } from "../domain/delivery.ts"
import { DEFAULT_RETRY, type DeliveryStatus } from "../domain/delivery.ts"
import { movesBetween } from "../domain/delivery-states.ts"
import type { DeliveryId, RecipientId } from "../domain/ids.ts"
import type { Clock } from "../runtime/clock.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { claimDue, settleMany } from "../store/deliveries.ts"
import { markAllRead } from "../store/notifications.ts"
import { replayDead } from "../store/replays.ts"
import { rescueExpired } from "../store/rescue.ts"
import { silent } from "../telemetry/bus.ts"
import { type Command, newRow, obey, type Row, settlementOf } from "../testing/delivery-model.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries, seedReader, someMessage, unread } from "../testing/seed-deliveries.ts"
import { seenMoves, watchMoves } from "../testing/watched-moves.ts"
import { type AttemptOptions, attempt } from "./attempt.ts"
import { Held } from "./in-flight.ts"
import { attemptDeadlines } from "./send.ts"

const why = { reason: "because", detail: "of this" }
/** What a provider answers, and whether it has the message then. */
const ANSWERS: readonly (readonly [Outcome, boolean])[] = [
  [{ kind: "delivered", providerMessageId: "42" }, true],
  [{ kind: "retry", ...why, retryAfterMs: null }, false],
  [{ kind: "rejected", ...why }, false],
  [{ kind: "unknown", ...why }, true],
  [{ kind: "unknown", ...why }, false],
]

/** Time stands still: what passes is the schedule's to say. */
const STILL: Clock = { now: () => 0, wall: () => new Date(0), after: () => ({ cancel: () => undefined }) }

/** The one row, each command of which is atomic, and everything that was seen of it. */
class OneDelivery {
  row: Row
  readonly trespasses: string[] = []
  taken = 0

  constructor(holdUnknown: boolean) {
    this.row = newRow({ failover: true, holdUnknown })
  }

  do(command: Command): boolean {
    const before = this.row
    const { row, done } = obey(before, command)
    this.row = row
    const moved = row.status !== before.status || row.owner !== before.owner
    if (moved && movesBetween(before.status, row.status).length === 0)
      this.trespasses.push(`${command.do}: ${before.status} → ${row.status}`)
    if (row.attempt < before.attempt) this.trespasses.push(`${command.do}: attempt ${before.attempt} → ${row.attempt}`)
    return done
  }
}

interface Node {
  readonly name: string
  readonly port: OneDelivery
  /** Any other step of anybody may come before it. */
  readonly step: () => Promise<unknown>
  readonly answer: () => readonly [Outcome, boolean]
}

/** A dispatcher's way with one delivery: claim it, have it tried, settle. */
async function dispatch({ name, port, step, answer }: Node): Promise<void> {
  await step()
  const claimed = port.do({ do: "claim", owner: name })
  const { attempt: number, forgiven, maybeDuplicate } = port.row
  await step()
  if (!claimed) return
  const of = { owner: name, attempt: number, tries: number - forgiven }
  const options: AttemptOptions = {
    worker: {
      channel: "telegram",
      async send() {
        await step()
        const [outcome, taken] = answer()
        if (taken) port.taken += 1
        await step()
        return outcome
      },
    },
    settler: {
      async settle({ outcome }) {
        await step()
        const settled = port.do({ do: "settle", of, outcome })
        await step()
        return settled ? { kind: "settled", expired: false, failover: false } : { kind: "lost" }
      },
    },
    telemetry: silent,
    clock: STILL,
    inTime: attemptDeadlines(STILL),
    policy: DEFAULT_RETRY,
    random: () => 0.5,
    leaseMs: 15_000,
    onSent: () => undefined,
    learn: () => Promise.resolve([]),
    giveUp: new AbortController().signal,
  }
  const holdUnknown = port.row.holdUnknown
  await attempt(new Held({ ...CLAIMED, attempt: number, tries: of.tries, maybeDuplicate, holdUnknown }, 0, 0), options)
}

const CLAIMED: Omit<ClaimedDelivery, "attempt" | "tries" | "maybeDuplicate" | "holdUnknown"> = {
  id: "dlv_1" as DeliveryId, // nobody reads them
  channel: "telegram",
  priority: 1,
  ageMs: 0,
  wishes: false,
  message: someMessage("telegram", "hello"),
}

/** `npm run faults` asks for more. */
const SCHEDULES = Number(process.env["RACE_SCHEDULES"] ?? 10_000)
const RACES = Number(process.env["RACES"] ?? 300)

describe(`${SCHEDULES} schedules of two nodes and everybody else`, () => {
  test(
    "settle each attempt once, move as they may, and mark whatever may have been sent twice",
    async () => {
      let schedules = 0
      let raced = 0
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(fc.constantFrom(...ANSWERS), { minLength: 4, maxLength: 4 }),
          fc.boolean(),
          fc.nat({ max: 3 }),
          async (scheduler, answers, holdUnknown, reacts) => {
            schedules += 1
            const port = new OneDelivery(holdUnknown)
            const step = (): Promise<void> => scheduler.schedule(Promise.resolve())
            let sends = 0
            const answer = () => answers[sends++ % answers.length] ?? DELIVERED
            const other = async (...commands: readonly ("lapse" | "rescue" | "replay" | "cancel")[]): Promise<void> => {
              for (const command of commands) {
                await step()
                port.do({ do: command })
              }
            }
            const node = (name: string) => dispatch({ name, port, step, answer })
            const all = Promise.all([
              node("a").then(() => node("a")),
              node("b").then(() => node("b")),
              other("lapse", "rescue", "lapse", "rescue"),
              other("lapse", "rescue", "replay"),
              reacts === 0 ? other("cancel") : null,
            ])
            await scheduler.waitFor(all)
            if (port.taken > 1) raced += 1

            expect(port.trespasses).toEqual([])
            const numbers = port.row.log.map((entry) => entry.split(" ")[0])
            expect(new Set(numbers).size).toBe(numbers.length)
            if (port.taken > 1) expect(port.row).toMatchObject({ maybeDuplicate: true })
            if (port.row.status === "delivered") expect(port.taken).toBeGreaterThan(0)
          },
        ),
        { numRuns: SCHEDULES },
      )
      expect(schedules).toBeGreaterThanOrEqual(SCHEDULES)
      // Otherwise nothing was shown.
      expect(raced).toBeGreaterThan(SCHEDULES / 100)
    },
    60_000 + 5 * SCHEDULES,
  )
})

const DELIVERED = ANSWERS[0] ?? ([{ kind: "captured" }, true] as const)

describe(`${RACES} races of statements on connections of their own`, () => {
  const READER = "reader" as RecipientId // matches the pattern
  const HOLDER = { owner: "a", attempt: 1, tries: 1 }
  let server: TestDatabase
  let db: Database
  beforeAll(async () => {
    server = await testDatabase()
    db = openDatabase({ url: server.url, max: 6 })
  })
  afterAll(async () => {
    await db.close()
    await server.drop()
  })

  const racer = fc.constantFrom<Command>(
    { do: "claim", owner: "a" },
    { do: "claim", owner: "b" },
    { do: "settle", of: HOLDER, outcome: { kind: "delivered", providerMessageId: "42" } },
    { do: "settle", of: HOLDER, outcome: { kind: "rejected", ...why } },
    { do: "settle", of: HOLDER, outcome: { kind: "retry", ...why, retryAfterMs: null } },
    { do: "rescue" },
    { do: "replay" },
    { do: "cancel" },
  )
  const race = fc.record({
    start: fc.constantFrom<DeliveryStatus>("queued", "sending", "sending", "dead"),
    /** Each is a connection's: one statement after the other, while the others do theirs. */
    chains: fc.array(fc.array(racer, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 }),
  })

  const START: Readonly<Record<string, Partial<Row>>> = {
    queued: { status: "queued" },
    sending: { status: "sending", owner: "a", attempt: 1, lapsed: true },
    dead: { status: "dead", attempt: 1, log: ["1 rejected"] },
  }
  const SET: Readonly<Record<string, string>> = {
    queued: "attempt = 0",
    sending: `status = 'sending', owner = 'a', attempt = 1, claimed_at = now(), lease_until = now() + interval '1 hour'`,
    dead: "status = 'dead', attempt = 1, next_attempt_at = null",
  }

  /** Whether it was obeyed, where its answer says so. */
  const enact = async (id: DeliveryId, row: Row, command: Command): Promise<boolean | null> => {
    switch (command.do) {
      case "claim": {
        const ask = { channel: "telegram", limit: 5, owner: command.owner, leaseMs: 15_000 } as const
        return (await claimDue(db, ask)).length > 0
      }
      case "settle": {
        const settlement = settlementOf(row, command.of, command.outcome)
        const item = { id, attempt: command.of.attempt, outcome: command.outcome, settlement }
        return (await settleMany(db, command.of.owner, [item]))[0]?.kind === "settled"
      }
      case "rescue":
        return (await rescueExpired(db, 5, () => DEFAULT_RETRY)).length > 0
      case "replay": {
        const asked = { asked: {}, replayId: null, actor: "op", businesses: null }
        return (await replayDead(db, { what: { kind: "one", id }, ...asked })).kind === "replayed"
      }
      case "cancel":
        await markAllRead(db, READER, null)
        return null
      default:
        throw new Error(`${command.do} does not race here`)
    }
  }

  /** These pass over a row that somebody else has locked: as if they had looked before it was there to be had. */
  const PASSES_OVER: ReadonlySet<Command["do"]> = new Set(["claim", "rescue", "cancel"])

  type Answered = readonly [Command, boolean | null]

  /** The rows that some order of the commands leaves, each chain in its own order, of which each was answered as it was. */
  function* outcomes(row: Row, chains: readonly (readonly Answered[])[]): Generator<Row> {
    if (chains.every((chain) => chain.length === 0)) yield row
    for (const [index, [first, ...rest]] of chains.entries()) {
      if (first === undefined) continue
      const [command, answered] = first
      const left = chains.with(index, rest)
      const after = obey(row, command)
      if (answered === null || answered === after.done) yield* outcomes(after.row, left)
      if (answered !== true && PASSES_OVER.has(command.do)) yield* outcomes(row, left)
    }
  }

  const shown = ({ status, owner, attempt: number, forgiven, maybeDuplicate, log }: Row) =>
    JSON.stringify([status, owner, number, forgiven, maybeDuplicate, log])

  test(
    "leave what some order of them leaves",
    async () => {
      const races = fc.sample(race, { numRuns: RACES, seed: Date.now() % 2 ** 31 })
      const ids = await seedDeliveries(
        db,
        races.map(() => ({})),
      )
      await seedReader(db, READER, ids)
      // None of them is there to be had before its race.
      await db.execute("update deliveries set next_attempt_at = now() + interval '1 hour'")
      for (const [start, set] of Object.entries(SET))
        await db.execute(`update deliveries set ${set} where id = any ($1)`, [
          ids.filter((_, index) => races[index]?.start === start),
        ])
      await db.execute(
        `insert into attempts (delivery_id, number, started_at, outcome)
      select id, 1, now(), 'rejected' from deliveries where status = 'dead'`,
      )
      await watchMoves(db)
      for (const [index, { start, chains }] of races.entries()) {
        const id = ids[index]
        if (id === undefined) throw new Error("a race without a delivery")
        const row: Row = { ...newRow({ failover: false, holdUnknown: false }), ...START[start] }
        await db.execute(
          `update deliveries set next_attempt_at = case when status = 'queued' then now() end,
          lease_until = case when status = 'sending' then now() - interval '1 s' end where id = $1`,
          [id],
        )
        if (chains.flat().some((command) => command.do === "cancel")) await unread(db, [id])
        const answers = await Promise.all(
          chains.map(async (chain) => {
            const done: Answered[] = []
            for (const command of chain) done.push([command, await enact(id, row, command)])
            return done
          }),
        )
        const [found] = await db.query<Row>(
          `delete from deliveries d where id = $1 returning status, owner, attempt, forgiven, maybe_duplicate as "maybeDuplicate",
          array(select number || ' ' || outcome from attempts where delivery_id = d.id order by finished_at, number) as log`,
          [id],
        )
        if (found === undefined) throw new Error("it is gone")
        const possible = new Set([...outcomes(row, answers)].map(shown))
        if (!possible.has(shown(found)))
          expect({ start, answers, found: shown(found) }).toEqual({ start, answers, found: [...possible].join(" or ") })
      }
      expect((await seenMoves(db)).illegal).toEqual([])
    },
    60_000 + 50 * RACES,
  )
})
