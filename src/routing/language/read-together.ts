/** What is right by itself and wrong together: an action that says it would never do what it was written for. */
import type { PersonalChannel } from "../../domain/channel.ts"
import { isPersonalChannel } from "../../domain/channel.ts"
import type { NotifyAction } from "../../domain/rule.ts"
import { shown } from "../rule-error.ts"
import type { Named } from "./read-channels.ts"
import { durationText } from "./read-duration.ts"
import type { Field, YamlFile } from "./yaml-file.ts"

type Timed = Pick<
  NotifyAction,
  "channels" | "bypassQuietHours" | "commercial" | "delayMs" | "digest" | "escalate" | "expiresInMs"
>

/** Refuses each contradiction at the key that should go. */
export function contradictions(
  yaml: YamlFile,
  fields: ReadonlyMap<string, Field>,
  action: Timed,
  failover: readonly Named<PersonalChannel>[],
): void {
  const refuse = (name: string, problem: string, expected: string): void => {
    const field = fields.get(name)
    if (field !== undefined) yaml.refuse(field.key, problem, expected)
  }
  if (!fields.has("escalate")) refuse("until", '"until" without "escalate"', '"escalate:", whose end it says')
  if (fields.has("delay")) {
    refuse("digest", '"digest" beside "delay"', "one of them: a digest waits as long as its window")
  }
  if (action.commercial && action.bypassQuietHours) {
    refuse("bypass_quiet_hours", '"bypass_quiet_hours" of what is commercial', "one of them")
  }
  for (const { channel, node } of failover) {
    if (action.channels.includes(channel))
      yaml.refuse(node, `the channel ${shown(channel)} in "channels" too`, "it in one of them")
  }
  if (action.channels.length > 0 && !action.channels.some(isPersonalChannel)) {
    refuse("failover", '"failover" of channels that cannot fail', 'one to send on in "channels"')
  }
  expiry(action, refuse)
}

function expiry(
  { expiresInMs, delayMs, digest, escalate }: Timed,
  refuse: (name: string, problem: string, expected: string) => void,
): void {
  if (expiresInMs === null) return
  const late = [
    { what: '"delay"', ms: delayMs },
    { what: 'the window of "digest"', ms: digest?.windowMs ?? null },
    { what: 'the last step of "escalate"', ms: escalate.at(-1)?.afterMs ?? null },
  ].find(({ ms }) => ms !== null && ms >= expiresInMs)
  if (late === undefined) return
  const expected = `more than ${durationText(late.ms ?? 0)}, or nothing is sent`
  refuse("expires_in", `"expires_in" of ${durationText(expiresInMs)}, which ends before ${late.what}`, expected)
}
