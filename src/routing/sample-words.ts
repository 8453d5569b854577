/** What a rule says on each channel that it may come to use, to one reader: for whoever wants to read it beforehand. */
import { isPersonalChannel } from "../domain/channel.ts"
import { asRecipientId, DEFAULT_BUSINESS } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { namedOnly, type Recipient } from "../domain/recipient.ts"
import { messageJson } from "../store/delivery-reads.ts"
import type { Facts } from "./conditions/logic.ts"
import type { LoadedRule, RuleSet } from "./rule-set.ts"
import type { PlanSettings } from "./telling.ts"
import { WordsFor } from "./words-for.ts"

export interface SampleWords {
  /** The action's place in its rule. */
  readonly action: number
  readonly channel: string
  /** Null: they cannot be written for this event, and `problem` says why. */
  readonly message: JsonObject | null
  readonly problem: string | null
}

/** `reader` null: somebody of whom nothing is known. */
export function sampleWords(
  ruleSet: RuleSet,
  rule: LoadedRule,
  facts: Facts,
  reader: Recipient | null,
  { publicUrl }: PlanSettings,
): readonly SampleWords[] {
  const to = reader ?? nobody()
  return rule.actions.flatMap((action, place) => {
    if (action.type !== "notify") return []
    const later = action.escalate.flatMap(({ channels }) => channels)
    return [...new Set([...action.channels, ...action.failover, ...later])].map((channel): SampleWords => {
      const words = new WordsFor(ruleSet, [facts], rule.name, { publicUrl })
      const message = isPersonalChannel(channel)
        ? withoutAddress(words.message(action, channel, to, null, null))
        : contentJson(words.content(action, to, null))
      return { action: place, channel, message, problem: words.failures[0]?.reason ?? null }
    })
  })
}

function nobody(): Recipient {
  const id = asRecipientId("somebody")
  if (id === null) throw new Error("an id that is one")
  return namedOnly(id, DEFAULT_BUSINESS)
}

function withoutAddress(message: ReturnType<WordsFor["message"]>): JsonObject | null {
  if (message === null) return null
  const { to: _, ...words } = messageJson(message)
  return words
}

function contentJson(content: ReturnType<WordsFor["content"]>): JsonObject | null {
  if (content === null) return null
  const { title, body, actionUrl, actionLabel, data } = content
  return { title, body, action_url: actionUrl, action_label: actionLabel, data }
}
