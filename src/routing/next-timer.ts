/** What is to happen later, as timers. */
import type { BusinessId, EventId, NewIds, TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { LoadedNotify, RuleSet } from "./rule-set.ts"
import type { Taken } from "./turns.ts"

/** What a timer is about: an event, or the digest that it opened. */
export interface Origin {
  readonly ruleSet: RuleSet
  readonly event: EventId
  readonly business: BusinessId
  readonly taken: Taken<LoadedNotify>
}

const timer = (
  { ruleSet, event, business, taken }: Origin,
  own: Pick<NewTimer, "id" | "kind" | "beganAt" | "dueAt"> & Partial<Pick<NewTimer, "step" | "until" | "gate">>,
): NewTimer => ({
  step: 0,
  until: null,
  gate: null,
  ...own,
  event,
  business,
  rule: taken.rule.name,
  action: taken.place,
  rulesHash: ruleSet.hash,
  rulesRevision: ruleSet.revision,
})

/** Tells at `dueAt` (milliseconds since the Unix epoch, as all moments here). */
export const delayTimer = (origin: Origin, dueAt: number, ids: NewIds): NewTimer =>
  timer(origin, { id: ids.timer(), kind: "delay", beganAt: dueAt, dueAt })

/** Tells now, apart from all else. */
export const crowdTimer = (origin: Origin, at: number, ids: NewIds): NewTimer => ({
  ...delayTimer(origin, at, ids),
  step: 1,
})

/** Tells of what has gone in by the gate. */
export const digestTimer = (origin: Origin, id: TimerId, gate: string, dueAt: number): NewTimer =>
  timer(origin, { id, kind: "digest", beganAt: dueAt, dueAt, gate })

/** The escalation's step, where there is one, after what was first told at `beganAt`. */
export function escalateTimer(origin: Origin, step: number, beganAt: number, ids: NewIds): readonly NewTimer[] {
  const { escalate, until } = origin.taken.action
  const next = escalate[step]
  if (next === undefined) return []
  return [timer(origin, { id: ids.timer(), kind: "escalate", step, until, beganAt, dueAt: beganAt + next.afterMs })]
}
