/** What one rule has done under one rule set, in counts: events are many, rules and people are not. */
import type { RuleDecision } from "../../domain/decision.ts"
import type { EventId, RecipientId } from "../../domain/ids.ts"
import type { NewNotification } from "../../domain/notification.ts"
import type { LoadedRule } from "../rule-set.ts"
import type { WorldDelivery } from "../world/world-matter.ts"

export type Counts = Map<string, number>

export class Tally {
  matched = 0
  /** Events and timers for which something of it could not be carried out. */
  failed = 0
  /** Whom it told, and of which event first. */
  readonly told = new Map<RecipientId, EventId>()
  /** Messages by channel; on `inapp` they are items in an inbox. */
  readonly messages: Counts = new Map()
  /** Messages that were not sent, and events that told nobody, by reason. */
  readonly withheld: Counts = new Map()
  readonly #rule: LoadedRule
  readonly #inhibited: boolean
  readonly #inapp: boolean

  constructor(rule: LoadedRule) {
    this.#rule = rule
    this.#inhibited = rule.actions.some(({ inhibitedBy }) => inhibitedBy !== null)
    this.#inapp = rule.actions.some((action) => action.type === "notify" && action.channels.includes("inapp"))
  }

  get at(): string {
    return this.#rule.at
  }

  matches(decision: RuleDecision): void {
    this.matched += 1
    // The sentence costs more than the decision, so it is made only where it may say this.
    if (!this.#inhibited || decision.clause === undefined) return
    if (decision.reason.slice(decision.clause.length).includes("; inhibited by ")) add(this.withheld, "inhibited")
  }

  failure(): void {
    this.failed += 1
  }

  broadcast(): void {
    add(this.messages, "broadcast")
  }

  notification({ inbox, reason, recipient, event }: NewNotification): void {
    if (inbox) {
      add(this.messages, "inapp")
      this.#tell(recipient, event)
    } else if (this.#inapp && reason !== null && reason !== "digest") add(this.withheld, reason)
  }

  settled({ delivery, status, reason }: WorldDelivery, people: readonly RecipientId[]): void {
    if (status === "delivered") {
      add(this.messages, delivery.channel)
      for (const recipient of people) this.#tell(recipient, delivery.event)
    } else add(this.withheld, reason ?? status)
  }

  #tell(recipient: RecipientId, event: EventId): void {
    if (!this.told.has(recipient)) this.told.set(recipient, event)
  }
}

const add = (counts: Counts, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
