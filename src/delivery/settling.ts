/**
 * The way back into the database: settlements of one moment share a statement, and one that the database could not
 * take is offered again, because an outcome that is lost here is a message that somebody gets twice.
 */
import { backoffDelay } from "../runtime/backoff.ts"
import type { Clock } from "../runtime/clock.ts"
import { pause } from "../runtime/pause.ts"
import { createBatcher } from "../store/batcher.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { type Settled, type Settling, settleMany } from "../store/deliveries.ts"
import { writtenBefore } from "../store/written-settlements.ts"

/** `unwritten`: the database stayed away for longer than anybody waits; the lease ends by itself. */
export type Written = Settled | { readonly kind: "unwritten" }

export interface Settler {
  /** Tries until the database has answered; after `giveUp` only once more. Rejects when the database refuses the item. */
  settle(item: Settling, giveUp: AbortSignal): Promise<Written>
}

export interface SettlerOptions {
  readonly db: Database
  readonly owner: string
  readonly clock: Clock
  readonly random: () => number
  /** No more items than this are ever offered at once. */
  readonly bound: number
}

/** While the database is away nobody else can take the delivery either, so patience outlives the lease. */
const PATIENCE_MS = 300_000
const AGAIN = { minMs: 100, maxMs: 2_000, jitter: 1 }
const MAX_BATCH = 500
const BATCHES_IN_FLIGHT = 2

interface Offered {
  readonly item: Settling
  readonly again: boolean
}

interface Refused {
  readonly kind: "refused"
  readonly error: unknown
}

export function createSettler({ db, owner, clock, random, bound }: SettlerOptions): Settler {
  const batcher = createBatcher<Offered, Settled | Refused>({
    maxItems: MAX_BATCH,
    maxInFlight: BATCHES_IN_FLIGHT,
    maxWaiting: 2 * bound,
    async run(offered) {
      const settled = await together(offered.map(({ item }) => item))
      // What was offered before may have been written then, and only the answer was lost.
      const unsure = [...offered.keys()].filter((i) => offered[i]?.again === true && settled[i]?.kind === "lost")
      if (unsure.length === 0) return settled
      const before = await writtenBefore(
        db,
        unsure.flatMap((i) => offered[i]?.item ?? []),
      )
      return settled.map((one, i) => before[unsure.indexOf(i)] ?? one)
    },
  })

  const together = async (items: readonly Settling[]): Promise<readonly (Settled | Refused)[]> => {
    try {
      return await settleMany(db, owner, items)
    } catch (error) {
      if (databaseProblem(error) !== "refused") throw error
      // One item that cannot be stored must not keep its neighbours from being settled.
      return Promise.all(items.map((item) => alone(item)))
    }
  }

  const alone = async (item: Settling): Promise<Settled | Refused> => {
    try {
      const [settled] = await settleMany(db, owner, [item])
      return settled ?? { kind: "lost" }
    } catch (error) {
      if (databaseProblem(error) !== "refused") throw error
      return { kind: "refused", error }
    }
  }

  return {
    async settle(item, giveUp) {
      const startedAt = clock.now()
      for (let failures = 1; ; failures++) {
        const submitted = batcher.submit({ item, again: failures > 1 })
        if (submitted === null) throw new Error("more settlements than deliveries in flight")
        let result: Settled | Refused | null = null
        try {
          result = await submitted
        } catch (error) {
          if (databaseProblem(error) !== "away") throw error
        }
        if (result?.kind === "refused") throw result.error
        if (result !== null) return result
        if (giveUp.aborted || clock.now() - startedAt > PATIENCE_MS) return { kind: "unwritten" }
        await pause(clock, backoffDelay(AGAIN, failures, random), giveUp)
      }
    },
  }
}
