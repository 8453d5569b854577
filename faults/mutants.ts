/** Hubs with one bug each, to prove that the faults can say no: the source is changed while it is loaded. */
import { join } from "node:path"

export interface Mutant {
  readonly name: string
  /** Preloaded into the hub's process. */
  readonly preload: string
  /** What the bug also needs of the database. */
  readonly sql?: string
}

const preload = (file: string): string => join(import.meta.dirname, "mutants", file)

export const MUTANTS = {
  ackBeforeCommit: { name: "ack before commit", preload: preload("ack-before-commit.ts") },
  duplicatesInMemory: {
    name: "duplicates decided in memory",
    preload: preload("duplicates-in-memory.ts"),
    // With the index the database would decide after all.
    sql: "drop index events_key",
  },
  jetStreamAckBeforeCommit: {
    name: "JetStream ack before commit",
    preload: preload("jetstream-ack-before-commit.ts"),
  },
  missedLacksOne: { name: "what was missed lacks one", preload: preload("missed-lacks-one.ts") },
  noTailCheck: { name: "no tail check", preload: preload("no-tail-check.ts") },
  oneSharedPool: { name: "one shared pool", preload: preload("one-shared-pool.ts") },
  openDoor: { name: "open door", preload: preload("open-door.ts") },
  poolWithoutDeadline: { name: "pool without deadline", preload: preload("pool-without-deadline.ts") },
} satisfies Record<string, Mutant>
