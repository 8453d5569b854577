/** A `broadcast` action: to which of its own business's topics an event goes, and what is said there. */
import type { RoutingFailure } from "../domain/decision.ts"
import type { HubEvent } from "../domain/event.ts"
import { asLocationId } from "../domain/ids.ts"
import type { Broadcast } from "../domain/plan.ts"
import { resourceStream, type StreamKey } from "../domain/stream.ts"
import type { Facts } from "./conditions/logic.ts"
import { MissingValue } from "./eta-engine.ts"
import { itemOf } from "./facts.ts"
import type { LoadedBroadcast, LoadedRule, RuleSet } from "./rule-set.ts"

type Made = { readonly broadcast: Broadcast } | { readonly failure: RoutingFailure }

/** The message, or why its topic cannot be made or is none of the event's business. */
export function broadcastOf(
  { rule, action }: { readonly rule: LoadedRule; readonly action: LoadedBroadcast },
  ruleSet: RuleSet,
  event: HubEvent,
  facts: Facts,
): Made {
  const failed = (problem: string, unquoted: string): Made => ({
    failure: {
      rule: rule.name,
      reason: `topic: ${problem}`,
      ...(unquoted === problem ? {} : { unquoted: `topic: ${unquoted}` }),
    },
  })
  let topic: string
  try {
    topic = ruleSet.templates.engines.plain.run(action.topicWords, `/${rule.at}`, facts).trim()
  } catch (error) {
    // Whatever an Eta string throws is its own fault, or this event's.
    const problem = error instanceof Error ? error.message : "threw something that is no error"
    const name = error instanceof Error ? error.name : problem
    return failed(problem, error instanceof MissingValue ? problem : name)
  }
  const stream = streamOf(topic, event)
  if (stream === null) {
    const unquoted = "no topic of the event's business"
    return failed(`${JSON.stringify(topic.slice(0, 200))} is ${unquoted}`, unquoted)
  }
  const payload = { ...itemOf(facts), rule: rule.name, rules_revision: ruleSet.revision }
  return { broadcast: { rule: rule.name, stream, event: action.event, payload } }
}

/** `resources:b`, `resources:b-l` or `resources:b:l`, where `b` is the event's business; null: anything else. */
function streamOf(topic: string, { business }: HubEvent): StreamKey | null {
  const whole = `resources:${business}`
  if (topic === whole) return resourceStream(business, null)
  if (!topic.startsWith(`${whole}-`) && !topic.startsWith(`${whole}:`)) return null
  const location = asLocationId(topic.slice(whole.length + 1))
  return location === null ? null : resourceStream(business, location)
}
