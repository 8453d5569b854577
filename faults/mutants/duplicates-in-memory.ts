// Whether a key was seen is asked of a map in the process, of which another process knows nothing.
import { patch } from "./patch.ts"

patch("store/event-insertion.ts", [
  ["on conflict (business_id, source, idempotency_key) where idempotency_key is not null do nothing", ""],
])
patch(
  "store/events.ts",
  [["export async function insertEvents(", "async function insertAll("]],
  `
const seen = new Map<string, Promise<{ id: EventId; hash: Buffer }>>()

export function insertEvents(db: Database, items: readonly Incoming[], wallMillis: number): Promise<readonly Stored[]> {
  const fresh: Incoming[] = []
  const { promise: inserted, resolve } = Promise.withResolvers<readonly Stored[]>()
  const answers = items.map((item): Promise<Stored> => {
    const { business, source, idempotencyKey } = item.event
    const name = JSON.stringify([business, source, idempotencyKey])
    const holder = idempotencyKey === null ? undefined : seen.get(name)
    if (holder !== undefined)
      return holder.then(({ id, hash }) => ({ kind: hash.equals(item.contentHash) ? "duplicate" : "reused", id }))
    const index = fresh.push(item) - 1
    const stored = inserted.then((all) => all[index] as Stored)
    if (idempotencyKey !== null) {
      const kept = stored.then(({ id }) => ({ id, hash: item.contentHash }))
      kept.catch(() => seen.delete(name))
      seen.set(name, kept)
    }
    return stored
  })
  resolve(fresh.length === 0 ? [] : insertAll(db, fresh, wallMillis))
  return Promise.all(answers)
}
`,
)
