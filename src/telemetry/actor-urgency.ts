/** Which actors of many an operator should see: those that are not well, then those that crashed last, then the busiest. */
import type { ActorInfo } from "../runtime/child-spec.ts"

/** A handler that runs for longer than this is worth a look. */
const LONG_HANDLER_MS = 1_000

/** Compared from left to right, more is more urgent. */
type Urgency = readonly [group: number, crashedAt: number, depth: number, handled: number]

/** At most `most` of them, the most urgent first; one pass over many. */
export function mostUrgent(actors: readonly ActorInfo[], most: number): readonly ActorInfo[] {
  const best: { readonly actor: ActorInfo; readonly urgency: Urgency }[] = []
  if (most <= 0) return []
  for (const actor of actors) {
    const urgency = urgencyOf(actor)
    const last = best[most - 1]
    if (last !== undefined && !isMore(urgency, last.urgency)) continue
    let at = best.length
    for (let before = best[at - 1]; before !== undefined && isMore(urgency, before.urgency); before = best[at - 1]) at--
    best.splice(at, 0, { actor, urgency })
    if (best.length > most) best.pop()
  }
  return best.map(({ actor }) => actor)
}

function urgencyOf({ state, handlerAgeMs = 0, recentRestarts, mailbox, handled = 0 }: ActorInfo): Urgency {
  const crashedAt = recentRestarts.at(-1)?.at.getTime() ?? 0
  return [groupOf(state, handlerAgeMs, crashedAt), crashedAt, mailbox?.depth ?? 0, handled]
}

function groupOf(state: ActorInfo["state"], handlerAgeMs: number, crashedAt: number): number {
  if (state !== "running" && state !== "ignored") return 3
  if (handlerAgeMs > LONG_HANDLER_MS) return 2
  return crashedAt > 0 ? 1 : 0
}

function isMore(a: Urgency, b: Urgency): boolean {
  if (a[0] !== b[0]) return a[0] > b[0]
  if (a[1] !== b[1]) return a[1] > b[1]
  return a[2] === b[2] ? a[3] > b[3] : a[2] > b[2]
}
