/**
 * What rules remember from one event to the next, held by whoever decides: nobody else reads or changes a gate until the
 * transaction that holds it has ended.
 */
import type { GateState, Gates } from "../domain/gates.ts"
import type { Queryable } from "./database.ts"
import type { HoldGates } from "./decision-ports.ts"
import { breath, inPieces, isLong } from "./pieces.ts"

/** One transaction's gates. */
export interface GateKeeper {
  readonly hold: HoldGates
  /** Writes what was set; nothing where nothing was. */
  store(): Promise<void>
}

// An upsert waits for whoever has the row and then sees what he left, also where he has only just made it: a "for
// update" after an "on conflict do nothing" would not find a row that was swept and made again in between. Keys go in
// their order, so two who hold several cannot wait for each other.
const HOLD = `
insert into gates (key) select key from unnest($1::text[]) as k (key) order by key collate "C"
on conflict (key) do update set key = excluded.key
returning key, state`

const WRITE = `
update gates g set state = i.state::jsonb, stale_at = to_timestamp(i.stale_at / 1000)
from unnest($1::text[], $2::text[], $3::float8[]) as i (key, state, stale_at) where g.key = i.key`

/** Holds gates until the transaction ends. A key that nobody has asked to hold can be neither read nor set. */
export function gatesOf(tx: Queryable): GateKeeper {
  const states = new Map<string, GateState | null>()
  const changed = new Map<string, { readonly state: GateState | null; readonly staleAt: number }>()
  const held = (key: string): void => {
    if (!states.has(key)) throw new Error("a gate that nobody holds")
  }
  const gates: Gates = {
    get(key) {
      held(key)
      return states.get(key) ?? null
    },
    set(key, state, staleAt) {
      held(key)
      states.set(key, state)
      changed.set(key, { state, staleAt })
    },
  }
  return {
    async hold(keys) {
      const once = [...new Set(keys)]
      if (isLong(once)) await breath()
      const wanted = once.filter((key) => !states.has(key)).sort()
      if (isLong(wanted)) await breath()
      for (const piece of inPieces(wanted)) {
        const rows = await tx.query<{ key: string; state: GateState | null }>(HOLD, [piece])
        for (const { key, state } of rows) states.set(key, state)
      }
      return gates
    },
    async store() {
      for (const all of inPieces(changed)) {
        await tx.execute(WRITE, [
          all.map(([key]) => key),
          all.map(([, { state }]) => (state === null ? null : JSON.stringify(state))),
          all.map(([, { staleAt }]) => staleAt),
        ])
      }
    },
  }
}

// Events are decided on the time of their acceptance: while the router is behind, what is stale by the clock may count
// for them. A day is longer than it should ever be behind. A gate that somebody holds is passed over.
const SWEEP = `
delete from gates where key in (
  select key from gates where stale_at < now() - interval '1 day' order by stale_at limit $1 for update skip locked)`

/** Deletes up to `limit` gates that have meant nothing for a day; answers how many. */
export const sweepGates = (db: Queryable, limit: number): Promise<number> => db.execute(SWEEP, [limit])
