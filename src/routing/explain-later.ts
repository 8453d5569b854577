/** What a rule would do later about an event: when, on which channels, and whom it would tell. */
import type { Channel, PersonalChannel } from "../domain/channel.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Audience } from "../domain/rule.ts"
import type { NewTimer } from "../domain/timer.ts"
import { ruleNamed } from "./rule-by-name.ts"
import type { LoadedNotify, LoadedRule, RuleSet } from "./rule-set.ts"
import { audienceView } from "./rule-set-view.ts"

export interface Later {
  readonly kind: NewTimer["kind"]
  /** Milliseconds since the Unix epoch. Null, of a failover: when what came before is definitely not sent. */
  readonly dueAt: number | null
  /** Of a failover one after the other, else all of them. */
  readonly channels: readonly Channel[]
  readonly to: Audience
  /** Of an escalation: what ends it. */
  readonly until: "acknowledged" | "read" | null
}

/** `timers`: what is planned. `chained`: the places of the actions of which a message is sent that others may follow. */
export function laterOf(
  { actions }: LoadedRule,
  timers: readonly NewTimer[],
  chained: ReadonlySet<number>,
): readonly Later[] {
  const planned = timers.flatMap((timer) => {
    const action = actions[timer.action]
    return action?.type === "notify" ? whenDue(timer, action) : []
  })
  const failovers = [...chained].flatMap((place): readonly Later[] => {
    const action = actions[place]
    if (action?.type !== "notify" || action.failover.length === 0) return []
    const channels: readonly PersonalChannel[] = action.failover
    return [{ kind: "failover", dueAt: null, channels, to: action.to, until: null }]
  })
  return [...planned, ...failovers]
}

function whenDue({ kind, dueAt, beganAt, step }: NewTimer, action: LoadedNotify): readonly Later[] {
  switch (kind) {
    case "delay":
    case "digest":
    case "failover":
      return [{ kind, dueAt, channels: action.channels, to: action.to, until: null }]
    case "escalate":
      // Each step sets the next: of one that waits all are known.
      return action.escalate.slice(step).map(({ afterMs, channels, to }) => ({
        kind,
        dueAt: beganAt + afterMs,
        channels,
        to: to ?? action.to,
        until: action.until,
      }))
  }
}

/** How a step of an escalation goes on, and whether to others than were told before; null: it was set under other rules. */
export function stepOf(
  ruleSet: RuleSet,
  { rule, rulesRevision, action: place, step }: Pick<NewTimer, "rule" | "rulesRevision" | "action" | "step">,
): { readonly channels: readonly Channel[]; readonly others: boolean } | null {
  const action = ruleSet.revision === rulesRevision ? ruleNamed(ruleSet, rule)?.actions[place] : undefined
  const next = action?.type === "notify" ? action.escalate[step] : undefined
  return next === undefined ? null : { channels: next.channels, others: next.to !== null }
}

export const laterJson = ({ kind, dueAt, channels, to, until }: Later): JsonObject => ({
  kind,
  due_at: dueAt === null ? null : new Date(dueAt).toISOString(),
  channels,
  to: audienceView(to),
  until,
})
