/** What a developer may have a captured channel's provider do, to see what happens next. Development alone. */
import type { SendingChannel } from "./channel.ts"

export const PROVIDER_FAILURES = [
  "rate_limited",
  "server_error",
  "hang",
  "gone",
  "bad_credential",
  "answer_lost",
] as const
export type ProviderFailure = (typeof PROVIDER_FAILURES)[number]

export const isProviderFailure = (value: unknown): value is ProviderFailure =>
  PROVIDER_FAILURES.some((name) => name === value)

export interface PlannedFailure {
  readonly failure: ProviderFailure
  /** Sends that it still holds for, from 1. */
  readonly left: number
  /** What a 429 asks for; null: it does not say. */
  readonly retryAfterMs: number | null
}

/** Of one process: what its captured channels' providers do next. */
export interface FailureSwitch {
  of(channel: SendingChannel): PlannedFailure | null
  /** Null: well again. */
  plan(channel: SendingChannel, planned: PlannedFailure | null): void
}
