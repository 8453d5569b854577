/** A test of rules as its file says it. Moments are milliseconds since the Unix epoch, durations milliseconds. */
import type { Channel, SendingChannel } from "../../domain/channel.ts"
import type { NewEvent } from "../../domain/event.ts"
import type { RecipientId } from "../../domain/ids.ts"
import type { MemoryPerson } from "../world/memory-audience.ts"
import type { FATES_OF_SENDING } from "./rule-test-language.ts"
import type { TellingStatus } from "./told.ts"

/** In a test file; lines and columns count from 1. */
export interface TestPlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface RuleTest extends TestPlace {
  readonly name: string
  readonly at: number
  readonly people: readonly MemoryPerson[]
  readonly steps: readonly TestStep[]
}

/** What happens in a step, in this order. */
export interface TestStep {
  readonly at: TestPlace
  readonly fates: ReadonlyMap<SendingChannel, FateOfSending>
  readonly events: readonly TestEvent[]
  readonly acknowledge: Reaction | null
  readonly read: Reaction | null
  readonly advanceMs: number | null
  /** Null: nothing is looked at. */
  readonly check: Check | null
}

export type FateOfSending = (typeof FATES_OF_SENDING)[number]

export interface TestEvent {
  readonly event: Omit<NewEvent, "occurredAt"> & { readonly occurredAt: number | null }
  readonly at: TestPlace
  readonly comes: { readonly afterMs: number } | { readonly at: number }
}

export interface Reaction {
  readonly rule: string
  readonly by: RecipientId
  readonly at: TestPlace
}

export interface Check {
  readonly expect: readonly Expected[]
  readonly not: readonly Expected[]
  readonly nothingElse: boolean
  readonly at: TestPlace
}

/** Null: not compared. */
export interface Expected {
  readonly place: TestPlace
  readonly rule: string | null
  readonly to: string | null
  readonly channels: readonly (Channel | "webhook" | "broadcast")[] | null
  readonly title: string | null
  readonly subject: string | null
  readonly body: string | null
  readonly status: TellingStatus | null
  readonly reason: string | null
  readonly at: number | null
  readonly afterMs: number | null
  readonly withinMs: number | null
  readonly count: number | null
}
