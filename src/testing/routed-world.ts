/** Rules over a real database, driven by hand: events are stored, routed, and their timers fired when a test says so. */
import { newIdsAt } from "../domain/ids.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Recipient } from "../domain/recipient.ts"
import { type BatchOptions, decideBatch } from "../routing/decide-batch.ts"
import { fireBatch } from "../routing/fire-batch.ts"
import type { RuleSet } from "../routing/rule-set.ts"
import type { Database } from "../store/database.ts"
import { type Incoming, insertEvents, type Stored } from "../store/events.ts"
import { routeBatch } from "../store/plans.ts"
import { upsertRecipients } from "../store/recipients.ts"
import { seal } from "../store/sealed.ts"
import { fireTimers } from "../store/timers.ts"

export interface RoutedWorld {
  people(recipients: readonly Recipient[], preferences?: ReadonlyMap<string, Preferences>): Promise<void>
  /** Stores these events and routes them; answers what was stored, in order. */
  come(...events: readonly Incoming[]): Promise<readonly Stored[]>
  /** Fires what is open, whenever it is due; what follows from it stays open. True where there was something. */
  fireAll(): Promise<boolean>
}

export function routedWorld(db: Database, ruleSet: RuleSet): RoutedWorld {
  const options = (): BatchOptions => ({
    settings: { publicUrl: "https://hub.example", defaultSlack: true },
    ids: newIdsAt(Date.now()),
    breathe: async () => {},
    onBug: (error) => {
      throw error
    },
  })
  return {
    async people(recipients, preferences = new Map()) {
      await upsertRecipients(db, recipients, null)
      for (const [id, wishes] of preferences)
        await db.execute(
          `insert into preferences (recipient_id, wishes) values ($1, $2)
           on conflict (recipient_id) do update set wishes = excluded.wishes`,
          [id, seal(wishes)],
        )
    },
    async come(...events) {
      const stored = await insertEvents(db, events, Date.now())
      let more = true
      while (more) {
        const routed = await routeBatch(db, 100, (some, ports) => decideBatch(ruleSet, some, ports, options()))
        more = routed.hadMore
      }
      return stored
    },
    async fireAll() {
      await db.execute("update timers set due_at = least(due_at, now()), next_at = now() where done_at is null")
      const all = []
      for (const which of ["first", "following"] as const)
        all.push(
          await fireTimers(db, { which, limit: 100 }, (due, ports) => fireBatch(due, () => ruleSet, ports, options())),
        )
      return all.some(({ fired }) => fired.length > 0)
    },
  }
}
