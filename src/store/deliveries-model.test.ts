// Any order of claims, settlements, renewals, expiries, rescues and replays by several holders, late ones included, does
// to the rows what a model of twenty lines says; above all, whoever lost a lease changes nothing.
import { afterAll, beforeAll, expect, test } from "bun:test"
import fc from "fast-check"
import { DEFAULT_RETRY, type Outcome, settle } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { type Database, openDatabase } from "./database.ts"
import { claimDue, renewLeases, rescueExpired, settleMany } from "./deliveries.ts"
import { replayDead } from "./replays.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
})
afterAll(async () => {
  await db.close()
  await server.drop()
})

type Step =
  | { readonly do: "claim"; readonly owner: string; readonly limit: number }
  /** Of any claim ever made: `which` counts back from the last one. */
  | { readonly do: "settle"; readonly which: number; readonly outcome: Outcome }
  | { readonly do: "renew"; readonly which: number }
  | { readonly do: "expire" }
  | { readonly do: "rescue" }
  | { readonly do: "replay"; readonly index: number }

const why = { reason: "because", detail: "of this" }
const outcome = fc.constantFrom<Outcome>(
  { kind: "delivered", providerMessageId: "42" },
  { kind: "retry", ...why, retryAfterMs: null },
  { kind: "rejected", ...why },
  { kind: "unusable", ...why },
  { kind: "unknown", ...why },
)
const which = fc.integer({ min: 0, max: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      owner: fc.constantFrom("a", "b"),
      limit: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("settle" as const), which, outcome }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("renew" as const), which }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "expire" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "rescue" }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("replay" as const), index: fc.integer({ min: 0, max: 2 }) }) },
)

interface Model {
  state: "waiting" | "sending" | "dead" | "delivered"
  owner: string | null
  attempt: number
  forgiven: number
  expired: boolean
  maybeDuplicate: boolean
  readonly log: string[]
}

interface Claim {
  readonly id: DeliveryId
  readonly owner: string
  readonly attempt: number
  readonly tries: number
}

const DEAD_OR_NOT = { delivered: "delivered", captured: "delivered", dead: "dead", unknown: "dead" } as const

test("whatever happens in whatever order, the rows are what the model says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      await db.execute("truncate deliveries, messages, attempts")
      const ids = await seedDeliveries(db, [{}, {}, {}])
      const models = new Map<DeliveryId, Model>(
        ids.map((id) => [
          id,
          { state: "waiting", owner: null, attempt: 0, forgiven: 0, expired: false, maybeDuplicate: false, log: [] },
        ]),
      )
      const of = (id: DeliveryId): Model => {
        const model = models.get(id)
        if (model === undefined) throw new Error("a delivery nobody made")
        return model
      }
      const claims: Claim[] = []
      const holds = ({ id, owner, attempt }: Claim): boolean =>
        of(id).state === "sending" && of(id).owner === owner && of(id).attempt === attempt

      for (const now of steps) {
        switch (now.do) {
          case "claim": {
            await db.execute("update deliveries set next_attempt_at = now() where next_attempt_at is not null")
            const waiting = [...models.values()].filter(({ state }) => state === "waiting").length
            const got = await claimDue(db, { channel: "telegram", limit: now.limit, owner: now.owner, leaseMs: 15_000 })
            expect(got).toHaveLength(Math.min(waiting, now.limit))
            for (const { id, attempt, tries, maybeDuplicate } of got) {
              const model = of(id)
              expect(model.state).toBe("waiting")
              Object.assign(model, { state: "sending", owner: now.owner, attempt: model.attempt + 1, expired: false })
              expect([attempt, tries, maybeDuplicate]).toEqual([
                model.attempt,
                model.attempt - model.forgiven,
                model.maybeDuplicate,
              ])
              claims.unshift({ id, owner: now.owner, attempt, tries })
            }
            break
          }
          case "settle": {
            const claim = claims[now.which]
            if (claim === undefined) break
            const { id, owner, attempt, tries } = claim
            const settlement = settle({ attempt: tries, ageMs: 0 }, now.outcome, DEFAULT_RETRY, 0.5)
            const [answer] = await settleMany(db, owner, [{ id, attempt, outcome: now.outcome, settlement }])
            expect(answer?.kind).toBe(holds(claim) ? "settled" : "lost")
            if (!holds(claim)) break
            const model = of(id)
            model.log.push(`${attempt} ${now.outcome.kind}`)
            model.owner = null
            model.state =
              settlement.status === "retrying" || settlement.status === "queued"
                ? "waiting"
                : DEAD_OR_NOT[settlement.status]
            if (settlement.status === "queued") model.forgiven += 1
            if (settlement.status === "retrying") model.maybeDuplicate ||= settlement.maybeDuplicate
            break
          }
          case "renew": {
            const claim = claims[now.which]
            if (claim === undefined) break
            const held = await renewLeases(db, claim.owner, [claim], 15_000)
            expect(held).toHaveLength(holds(claim) ? 1 : 0)
            if (holds(claim)) of(claim.id).expired = false
            break
          }
          case "expire":
            await db.execute(
              "update deliveries set lease_until = now() - interval '1 second' where lease_until is not null",
            )
            for (const model of models.values()) if (model.state === "sending") model.expired = true
            break
          case "rescue": {
            const rescued = await rescueExpired(db, 10, () => DEFAULT_RETRY)
            const lost = [...models.values()].filter(({ state, expired }) => state === "sending" && expired)
            expect(rescued).toHaveLength(lost.length)
            for (const model of lost) {
              model.log.push(`${model.attempt} lost`)
              const spent = model.attempt - model.forgiven >= DEFAULT_RETRY.maxAttempts
              Object.assign(model, { state: spent ? "dead" : "waiting", owner: null, maybeDuplicate: true })
            }
            break
          }
          case "replay": {
            const id = ids[now.index]
            if (id === undefined) break
            const model = of(id)
            const answer = await replayDead(db, {
              what: { kind: "one", id },
              asked: {},
              replayId: null,
              actor: "op",
              businesses: null,
            })
            expect(answer.kind).toBe(model.state === "dead" ? "replayed" : "not_dead")
            if (model.state === "dead") Object.assign(model, { state: "waiting", forgiven: model.attempt })
            break
          }
        }
      }

      const rows = await db.query<{
        id: DeliveryId
        attempt: number
        forgiven: number
        owner: string | null
        dup: boolean
        log: string[]
      }>(
        `select id, attempt, forgiven, owner, maybe_duplicate as dup, array(select number || ' ' || outcome from attempts
        where delivery_id = id order by finished_at) as log from deliveries`,
      )
      for (const { id, attempt, forgiven, owner, dup, log } of rows) {
        const { state, ...model } = of(id)
        expect({ attempt, forgiven, owner, dup, log }).toEqual({
          attempt: model.attempt,
          forgiven: model.forgiven,
          owner: state === "sending" ? model.owner : null,
          dup: model.maybeDuplicate,
          log: model.log,
        })
      }
    }),
    { numRuns: 50 },
  )
}, 60_000)
