// 2,000 sequences of everything that can happen to a delivery, by two holders, late ones included, half of them held from
// their first commit on: after each step the
// rows are what a model in memory says, above all whoever lost a lease changed nothing, and PostgreSQL made no move that
// the table of moves does not hold. Sequences run abreast, one delivery each: a step of all of them is one statement a kind.
import { afterAll, beforeAll, expect, test } from "bun:test"
import fc from "fast-check"
import type { Outcome } from "../domain/delivery.ts"
import { DEFAULT_RETRY } from "../domain/delivery.ts"
import { MOVES } from "../domain/delivery-states.ts"
import type { DeliveryId, RecipientId } from "../domain/ids.ts"
import { type Command, type Holding, newRow, obey, type Row, settlementOf } from "../testing/delivery-model.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries, seedHeld, seedReader, unread } from "../testing/seed-deliveries.ts"
import { seenMoves, watchMoves } from "../testing/watched-moves.ts"
import { type Database, openDatabase } from "./database.ts"
import { claimDue, type Lease, releaseClaimed, renewLeases, settleMany } from "./deliveries.ts"
import { markAllRead } from "./notifications.ts"
import { putOff } from "./put-off.ts"
import { replayDead } from "./replays.ts"
import { rescueExpired } from "./rescue.ts"
import { suppress } from "./suppressions.ts"
import { GONE, withhold } from "./wishes.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
  await watchMoves(db)
})
afterAll(async () => {
  await db.close()
  await server.drop()
})

/** `npm run faults` asks for more. */
const SEQUENCES = Number(process.env["MODEL_SEQUENCES"] ?? 2_000)
const STEPS = 14
const ABREAST = 500
const READER = "reader" as RecipientId // matches the pattern

/** A command before it is known what there is to be held: `which` counts back from the last claim. */
type Step =
  | Exclude<Command, { readonly of: Holding }>
  | { readonly do: "settle"; readonly which: number; readonly outcome: Outcome }
  | { readonly do: "withhold"; readonly which: number; readonly wished: "later" | "never" | "gone" }
  | { readonly do: "renew" | "putOff" | "release"; readonly which: number }

const why = { reason: "because", detail: "of this" }
const outcome = fc.constantFrom<Outcome>(
  { kind: "delivered", providerMessageId: "42" },
  { kind: "captured" },
  { kind: "retry", ...why, retryAfterMs: null },
  { kind: "retry", ...why, retryAfterMs: 60_000 },
  { kind: "rejected", ...why },
  { kind: "unusable", ...why },
  { kind: "unknown", ...why },
)
const which = fc.nat({ max: 2 })
const plain = (name: "lapse" | "over" | "rescue" | "replay" | "cancel" | "stop") => fc.constant<Step>({ do: name })
const held = (name: "renew" | "putOff" | "release") =>
  fc.record({ do: fc.constant<"renew" | "putOff" | "release">(name), which })
const wished = fc.constantFrom("later" as const, "never" as const, "gone" as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ do: fc.constant("claim" as const), owner: fc.constantFrom("a", "b") }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant("settle" as const), which, outcome }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("withhold" as const), which, wished }) },
  { weight: 1, arbitrary: held("renew") },
  { weight: 1, arbitrary: held("putOff") },
  { weight: 1, arbitrary: held("release") },
  { weight: 4, arbitrary: plain("lapse") },
  { weight: 4, arbitrary: plain("rescue") },
  { weight: 3, arbitrary: plain("replay") },
  { weight: 1, arbitrary: plain("over") },
  { weight: 1, arbitrary: plain("cancel") },
  { weight: 1, arbitrary: plain("stop") },
)
const sequence = fc.record({
  failover: fc.boolean(),
  holdUnknown: fc.constantFrom(false, false, true),
  /** Stored as claimed already. */
  heldBy: fc.constantFrom(null, null, "a", "b"),
  steps: fc.array(step, { minLength: STEPS, maxLength: STEPS }),
})

/** One delivery, what the model says of it, and what was ever claimed of it, the last first. */
interface Lane {
  readonly id: DeliveryId
  row: Row
  readonly claims: Holding[]
}
/** A lane with its command of this step. */
type Turn<C extends Command = Command> = readonly [Lane, C]

const of = <N extends Command["do"]>(turns: readonly Turn[], name: N) =>
  turns.filter((turn): turn is Turn<Extract<Command, { do: N }>> => turn[1].do === name)
const lease = ([{ id }, { of: holding }]: Turn<Extract<Command, { of: Holding }>>): Lease => ({
  id,
  attempt: holding.attempt,
})
const idsOf = (turns: readonly Turn[]): readonly DeliveryId[] => turns.map(([{ id }]) => id)
/** Those of each owner: a statement speaks for one. */
const byOwner = <C extends Extract<Command, { of: Holding }>>(turns: readonly Turn<C>[]) => [
  ...Map.groupBy(turns, ([, command]) => command.of.owner),
]

/** Does one step of all lanes to the database; answers the ids of those that were obeyed, where the statement says so. */
async function enact(turns: readonly Turn[]): Promise<ReadonlyMap<DeliveryId, Holding | true>> {
  const done = new Map<DeliveryId, Holding | true>()
  const all = (ids: readonly DeliveryId[]): void => ids.forEach((id) => void done.set(id, true))

  for (const [owner, asking] of Map.groupBy(of(turns, "claim"), ([, command]) => command.owner)) {
    await db.execute(
      `update deliveries set next_attempt_at = now() + case when id = any ($1) then interval '0' else interval '1 hour' end
      where status in ('scheduled', 'queued', 'retrying')`,
      [idsOf(asking)],
    )
    const claimed = await claimDue(db, { channel: "telegram", limit: 2 * ABREAST, owner, leaseMs: 15_000 })
    for (const { id, attempt, tries } of claimed) done.set(id, { owner, attempt, tries })
  }
  for (const [owner, settling] of byOwner(of(turns, "settle"))) {
    const items = settling.map((turn) => {
      const [{ row }, command] = turn
      return {
        ...lease(turn),
        outcome: command.outcome,
        settlement: settlementOf(row, command.of, command.outcome),
      }
    })
    const answers = await settleMany(db, owner, items)
    all(items.filter((_, index) => answers[index]?.kind === "settled").map(({ id }) => id))
  }
  for (const [owner, renewing] of byOwner(of(turns, "renew")))
    all((await renewLeases(db, owner, renewing.map(lease), 15_000)).map(({ id }) => id))
  for (const [owner, withheld] of byOwner(of(turns, "withhold"))) {
    const items = withheld.map((turn) => ({
      ...lease(turn),
      reason: turn[1].wished === "gone" ? GONE : "not_wished",
      until: turn[1].wished === "later" ? Date.now() + 3_600_000 : null,
    }))
    all((await withhold(db, owner, items)).map(({ id }) => id))
  }
  for (const [owner, putting] of byOwner(of(turns, "putOff"))) {
    const items = putting.map((turn) => ({ ...lease(turn), reason: "account_limit" as const, delayMs: 1_000 }))
    await putOff(db, owner, items)
  }
  for (const [owner, releasing] of byOwner(of(turns, "release"))) await releaseClaimed(db, owner, releasing.map(lease))

  const over = of(turns, "over")
  if (over.length > 0) await db.execute("update deliveries set expires_at = now() where id = any ($1)", [idsOf(over)])
  const rescuing = of(turns, "rescue")
  if (rescuing.length > 0) {
    const lapsed = rescuing.filter(([{ row }]) => row.lapsed)
    await db.execute(
      `update deliveries set lease_until = now() + case when id = any ($1) then interval '-1 s' else interval '1 hour' end
      where status = 'sending'`,
      [idsOf(lapsed)],
    )
    all((await rescueExpired(db, 2 * ABREAST, () => DEFAULT_RETRY)).map(({ id }) => id))
  }
  const replaying = of(turns, "replay")
  if (replaying.length > 0) {
    const [first] = replaying
    const ask = { asked: {}, replayId: null, actor: "op", businesses: null }
    // One of them by its id, the others by a filter that fits them alone.
    if (first !== undefined) await replayDead(db, { what: { kind: "one", id: first[0].id }, ...ask })
    await db.execute("update deliveries set account = 'again' where id = any ($1)", [idsOf(replaying)])
    await replayDead(db, { what: { kind: "filter", filter: { account: "again" }, perSecond: 1_000 }, ...ask })
    await db.execute("update deliveries set account = null where id = any ($1)", [idsOf(replaying)])
  }
  const cancelling = of(turns, "cancel")
  if (cancelling.length > 0) {
    await unread(db, idsOf(cancelling))
    await markAllRead(db, READER, null)
  }
  // Each has an address of its own, whose reader says START and then STOP.
  for (const id of idsOf(of(turns, "stop"))) {
    await db.execute("delete from suppressions where address = (select sent_to from messages where delivery_id = $1)", [
      id,
    ])
    const { stopped } = await db.transaction((tx) => suppress(tx, { delivery: id }, "stop"))
    all(stopped.map((one) => one.id))
  }
  return done
}

/** Commands whose answer names whom it obeyed. */
const ANSWERED: ReadonlySet<Command["do"]> = new Set(["claim", "settle", "renew", "withhold", "rescue", "stop"])

const ROWS = `
select id, status, owner, attempt, forgiven, maybe_duplicate as "maybeDuplicate",
  array(select number || ' ' || outcome from attempts where delivery_id = d.id order by finished_at, number) as log,
  exists (select from timers t where t.id = 'tmr_' || substr(d.id, 5) and t.kind = 'failover') as "failedOver"
from deliveries d`

const stored = async (): Promise<ReadonlyMap<DeliveryId, ReturnType<typeof shown>>> =>
  new Map((await db.query<Row & { id: DeliveryId }>(ROWS)).map(({ id, ...row }) => [id, shown(row)]))

/** What waits and is not in `due`, or is and does not wait; and what is held and would not be looked for. */
const ASTRAY = `
(select id, next_attempt_at from deliveries where status in ('scheduled', 'queued', 'retrying')
  except all select delivery_id, at from due)
union all (select delivery_id, at from due
  except all select id, next_attempt_at from deliveries where status in ('scheduled', 'queued', 'retrying'))
union all select id, lease_until from deliveries d
where status = 'sending' and not exists (select from leases l where d.id = any (l.delivery_ids) and l.until <= d.lease_until)`

const shown = ({ status, owner, attempt, forgiven, maybeDuplicate, log, failedOver }: Row) => ({
  status,
  owner,
  attempt,
  forgiven,
  maybeDuplicate,
  log,
  failedOver,
})

interface Birth {
  readonly failover: boolean
  readonly holdUnknown: boolean
  readonly heldBy: string | null
}

/** Deliveries with a notification and an escalation each, so that a reaction can cancel them. */
async function seedLanes(sequences: readonly Birth[]): Promise<readonly DeliveryId[]> {
  await db.execute("truncate deliveries, messages, attempts, notifications, timers, replay_pace, suppressions")
  const seeded = new Map<string | null, DeliveryId[]>()
  for (const [owner, all] of Map.groupBy(sequences, ({ heldBy }) => heldBy)) {
    const make =
      owner === null ? seedDeliveries(db, Array(all.length).fill({})) : seedHeld(db, owner, 15_000, all.length)
    seeded.set(owner, [...(await make)])
  }
  const ids = sequences.flatMap(({ heldBy }) => seeded.get(heldBy)?.shift() ?? [])
  await db.execute(
    `update deliveries d set failover = s.failover, hold_unknown = s.hold
    from unnest($1::text[], $2::bool[], $3::bool[]) as s (id, failover, hold) where d.id = s.id`,
    [ids, sequences.map((one) => one.failover), sequences.map((one) => one.holdUnknown)],
  )
  await db.execute("update messages set sent_to = sha256(delivery_id::bytea)")
  await seedReader(db, READER, ids)
  return ids
}

/** One step of all lanes: done, told to the model, and compared. */
async function compare(turns: readonly Turn[]): Promise<void> {
  const done = await enact(turns)
  const rows = await stored()
  expect(await db.query(ASTRAY)).toEqual([])
  for (const [lane, command] of turns) {
    const after = obey(lane.row, command)
    const answer = done.get(lane.id)
    const found = rows.get(lane.id)
    if (ANSWERED.has(command.do)) expect([command, answer !== undefined]).toEqual([command, after.done])
    // Of many that are replayed the first is due at once and the others later: which, the model does not say.
    const later = command.do === "replay" && after.done && found?.status === "scheduled"
    lane.row = later ? { ...after.row, status: "scheduled" } : after.row
    expect([command, found]).toEqual([command, shown(lane.row)])
    if (typeof answer !== "object") continue
    expect([answer.attempt, answer.tries]).toEqual([lane.row.attempt, lane.row.attempt - lane.row.forgiven])
    lane.claims.unshift(answer)
  }
}

const turnOf = (lane: Lane, step: Step): readonly Turn[] => {
  if (!("which" in step)) return [[lane, step]]
  const { which: back, ...command } = step
  const holding = lane.claims[back]
  return holding === undefined ? [] : [[lane, { ...command, of: holding }]]
}

const SEED = Number(process.env["MODEL_SEED"] ?? Date.now() % 2 ** 31)

test(
  `${SEQUENCES} sequences of whatever can happen leave the rows as the model says, and make no illegal move`,
  async () => {
    const sequences = fc.sample(sequence, { numRuns: SEQUENCES, seed: SEED })
    for (let from = 0; from < sequences.length; from += ABREAST) {
      const abreast = sequences.slice(from, from + ABREAST)
      const ids = await seedLanes(abreast)
      const lanes = abreast.map((one, index): readonly [Lane, readonly Step[]] => {
        const id = ids[index]
        if (id === undefined) throw new Error("a lane without a delivery")
        const { heldBy } = one
        const claims = heldBy === null ? [] : [{ owner: heldBy, attempt: 1, tries: 1 }]
        return [{ id, row: newRow(one, heldBy), claims }, one.steps]
      })
      for (let at = 0; at < STEPS; at++) {
        const turns = lanes.flatMap(([lane, steps]) => steps.slice(at, at + 1).flatMap((next) => turnOf(lane, next)))
        await compare(turns).catch((error: unknown) => {
          throw new Error(`step ${at} of ${from} and on; MODEL_SEED=${SEED} repeats it`, { cause: error })
        })
      }
    }

    const { counts, illegal } = await seenMoves(db)
    expect(illegal).toEqual([])
    // Nothing was left untried.
    const possible = Object.values(MOVES).flatMap(({ from, to }) => from.flatMap((a) => to.map((b) => `${a} → ${b}`)))
    expect([...new Set(possible)].filter((move) => !counts.has(move))).toEqual([])
  },
  60_000 + 30 * SEQUENCES,
)
