/** `escalate`: who else is told, and when, where nobody reacts. */
import type { EscalationStep } from "../../domain/rule.ts"
import { ESCALATION, keysOf, MAX_STEPS } from "./language.ts"
import { readAudience } from "./read-audience.ts"
import { type Named, readChannels } from "./read-channels.ts"
import { durationText, readDuration } from "./read-duration.ts"
import { optional } from "./reading.ts"
import type { Field, Node, YamlFile } from "./yaml-file.ts"

export interface Escalation {
  readonly steps: readonly EscalationStep[]
  /** For which the template needs words. */
  readonly channels: readonly Named[]
}

export function readEscalation(yaml: YamlFile, field: Field | undefined): Escalation {
  const items = optional(field, (value) => yaml.items(value, "a list of steps", MAX_STEPS)) ?? []
  const steps: EscalationStep[] = []
  const named: Named[] = []
  for (const item of items) {
    const fields = yaml.fields(item, keysOf(ESCALATION))
    const after = optional(fields?.get("after"), (value) => readAfter(yaml, value, steps.at(-1)))
    const channels = readChannels(yaml, fields?.get("channels"))
    const to = optional(fields?.get("to"), (value) => readAudience(yaml, value))
    named.push(...channels)
    if (after !== null) steps.push({ afterMs: after, channels: channels.map(({ channel }) => channel), to })
  }
  return { steps, channels: named }
}

/** Steps are chained: each waits for the one before. */
function readAfter(yaml: YamlFile, node: Node, before: EscalationStep | undefined): number | null {
  const after = readDuration(yaml, node)
  if (after === null) return null
  if (before !== undefined && after.ms <= before.afterMs) {
    const expected = `more than ${durationText(before.afterMs)}: "after" counts from the first telling`
    yaml.refuse(node, `${after.text} after a step that is not earlier`, expected)
  }
  return after.ms
}
