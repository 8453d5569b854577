// A world in memory for tests of rules: minutes after one moment, and people who all have the role `r`.
import type { HubEvent } from "../domain/event.ts"
import type { NotificationId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import type { Plan } from "../domain/plan.ts"
import { NO_PREFERENCES, type Preferences } from "../domain/preferences.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { MemoryPerson } from "../routing/world/memory-audience.ts"
import { World, type WorldOptions } from "../routing/world/world.ts"
import type { WorldDelivery } from "../routing/world/world-matter.ts"
import { recipient } from "./builders.ts"
import { hubEvent, PLAIN_TEMPLATE, type RuleFiles, ruleSetOf } from "./rule-fixtures.ts"

/** Minute 0: a Monday at 09:00 UTC. */
const MINUTE_ZERO = Date.UTC(2026, 2, 2, 9)
export const minuteOf = (at: number): number => (at - MINUTE_ZERO) / 60_000
export const atMinute = (minute: number): number => MINUTE_ZERO + minute * 60_000

/** With a telephone and an e-mail address, and preferences where they are given. */
export function somebody(
  id: string,
  changes: Partial<Recipient> = {},
  preferences: Partial<Preferences> | null = null,
  lists: readonly string[] = [],
): MemoryPerson {
  const made = recipient(id, { phone: `+1${id}`, email: `${id}@x.example`, ...changes })
  return {
    recipient: { ...made, memberships: made.memberships.map((each) => ({ ...each, roles: ["r"] })) },
    preferences: preferences === null ? null : { ...NO_PREFERENCES, ...preferences },
    lists,
  }
}

export class RuleWorld extends World {
  /** An event of `b1` that is accepted in this minute, and what follows from it at once. */
  event(minute: number, payload: Readonly<Record<string, Json>> = {}, changes: Partial<HubEvent> = {}): Promise<Plan> {
    return this.accept(hubEvent({ id: this.ids.event(), acceptedAt: atMinute(minute), payload, ...changes }))
  }

  until(minute: number): Promise<void> {
    return this.advance(atMinute(minute))
  }

  /** What was sent: whom, on which channel and in which minute, such as `u1 sms 10`. */
  get sent(): readonly string[] {
    return this.#deliveries(({ status }) => status === "delivered")
  }

  /** What was not, with the reason. */
  get unsent(): readonly string[] {
    return this.#deliveries(({ status }) => status !== "delivered")
  }

  /** Inbox items: whom, in which minute, in which words; with a reason where there is one. */
  get inbox(): readonly string[] {
    return this.notifications
      .filter(({ notification, replaced }) => notification.inbox && !replaced)
      .map(({ notification, at }) => `${notification.recipient} ${minuteOf(at)} ${notification.content.body}`)
  }

  get kept(): readonly string[] {
    return this.notifications
      .filter(({ notification }) => !notification.inbox)
      .map(({ notification, at }) => `${notification.recipient} ${minuteOf(at)} ${notification.reason}`)
  }

  /** The outcomes of timers, in the order in which they were made. */
  get outcomes(): readonly string[] {
    return this.timers.map(({ timer, outcome }) => `${timer.kind} ${outcome ?? "open"}`)
  }

  notificationOf(who: string): NotificationId {
    const found = this.notifications.findLast(({ notification }) => notification.recipient === who)
    if (found === undefined) throw new Error(`${who} was not told`)
    return found.notification.id
  }

  #deliveries(of: (delivery: WorldDelivery) => boolean): readonly string[] {
    const people = new Map(this.notifications.map(({ notification: { id, recipient: who } }) => [id, who]))
    return this.deliveries.filter(of).map(({ delivery, settledAt, status, reason }) => {
      const who = delivery.notifications.map((id) => people.get(id)).join("+")
      const when = settledAt === null ? "" : ` ${minuteOf(settledAt)}`
      return `${who} ${delivery.channel}${when}${status === "delivered" ? "" : ` ${reason ?? status}`}`
    })
  }
}

/** A world with these rules (the text of a file), and templates beside the plain one. */
export async function ruleWorld(
  rules: string,
  { files = {}, ...options }: Partial<WorldOptions> & { readonly files?: RuleFiles } = {},
): Promise<RuleWorld> {
  const ruleSet = await ruleSetOf({ ...PLAIN_TEMPLATE, ...files, "rules/a.yaml": rules })
  const settings = { publicUrl: "https://hub.example", defaultSlack: false }
  return new RuleWorld({ ruleSet, people: [somebody("u1")], settings, ...options })
}
