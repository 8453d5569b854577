/**
 * A hub in memory, on a clock of its own: events are given in the order of their acceptance, and what follows from them
 * follows by the same planning as in the real one. For `hub rules test` and `hub rules backtest`. The same input gives the
 * same output, ids included. Longer than most: it is the whole of a hub's memory, and each part is of no use without the
 * others.
 */
import type { NewDelivery } from "../../domain/delivery.ts"
import type { HubEvent } from "../../domain/event.ts"
import type { Fired } from "../../domain/firing.ts"
import {
  countingIds,
  type EventId,
  type NotificationId,
  type RecipientId,
  type RuleName,
  type TimerId,
} from "../../domain/ids.ts"
import type { NewNotification } from "../../domain/notification.ts"
import type { Plan } from "../../domain/plan.ts"
import type { Recipient } from "../../domain/recipient.ts"
import type { NewTimer } from "../../domain/timer.ts"
import type { FiringPorts } from "../../store/decision-ports.ts"
import { type BatchOptions, decideBatch } from "../decide-batch.ts"
import { fireBatch } from "../fire-batch.ts"
import { ruleNamed } from "../rule-by-name.ts"
import type { RuleSet } from "../rule-set.ts"
import type { PlanSettings } from "../telling.ts"
import { Agenda } from "./agenda.ts"
import { MemoryAudience, type MemoryPerson } from "./memory-audience.ts"
import { MemoryGates } from "./memory-gates.ts"
import { MemoryInhibitors } from "./memory-inhibitors.ts"
import { Matter, type Mutable, type WorldDelivery, type WorldNotification, type WorldTimer } from "./world-matter.ts"

export interface WorldOptions {
  readonly ruleSet: RuleSet
  readonly people: readonly MemoryPerson[]
  readonly settings: PlanSettings
  /** What a channel makes of a delivery at a moment. Default: it is delivered. */
  readonly send?: (delivery: NewDelivery, at: number) => "delivered" | "dead" | "unknown"
  /** False: what nothing can come of any more is let go, and only whoever watches knows of it. Default true. */
  readonly remember?: boolean
  readonly watch?: {
    readonly planned?: (plan: Plan) => void
    readonly fired?: (fired: Fired) => void
    /** Of each delivery once: it was sent, or will not be; and whose it is. */
    readonly settled?: (delivery: WorldDelivery, people: readonly RecipientId[]) => void
  }
}

/** The longest chain that rules can ask for is a delay, twenty steps and a failover for each channel. */
const MAX_CHAIN = 100

/** Moments are milliseconds since the Unix epoch. */
export class World {
  /** For events that have no id yet. */
  readonly ids = countingIds()
  readonly #options: WorldOptions
  readonly #batch: BatchOptions
  readonly #audience: MemoryAudience
  readonly #inhibitors: MemoryInhibitors
  readonly #ports: FiringPorts
  readonly #agenda = new Agenda<() => Promise<void> | void>()
  /** By event and rule. */
  readonly #matters = new Map<string, Matter>()
  /** Open ones. */
  readonly #timers = new Map<TimerId, { readonly held: Mutable<WorldTimer>; readonly matter: Matter }>()
  readonly #updates = new Map<string, Mutable<WorldNotification>>()
  #now = Number.NEGATIVE_INFINITY
  /** How many timers, each of which followed from the one before, led to what happens now. */
  #chain = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.#audience = new MemoryAudience(options.people)
    this.#inhibitors = new MemoryInhibitors(options.ruleSet)
    const gates = new MemoryGates()
    this.#ports = {
      audience: this.#audience.find,
      gates: async () => gates,
      gathered: async (timers) => timers.map((id) => this.#gathered(id)),
    }
    this.#batch = {
      settings: options.settings,
      ids: this.ids,
      breathe: async () => {},
      onBug: (error) => {
        throw error
      },
    }
  }

  get now(): number {
    return this.#now
  }

  /** In the order in which they came about, as all lists here. */
  get notifications(): readonly WorldNotification[] {
    return [...this.#matters.values()].flatMap(({ notifications }) => [...notifications.values()])
  }

  get deliveries(): readonly WorldDelivery[] {
    return [...this.#matters.values()].flatMap(({ deliveries }) => deliveries)
  }

  get timers(): readonly WorldTimer[] {
    return [...this.#matters.values()].flatMap(({ timers }) => timers)
  }

  /** Somebody is new, or has changed. */
  put(person: MemoryPerson): void {
    this.#audience.put(person)
  }

  /** What follows from an event at once; what was due before it has happened then. Events come in order. */
  async accept(event: HubEvent): Promise<Plan> {
    if (event.acceptedAt < this.#now) throw new Error("an event from before what has happened already")
    await this.advance(event.acceptedAt)
    const ports = { ...this.#ports, inhibitors: this.#inhibitors.find }
    const [plan] = await decideBatch(this.#options.ruleSet, [event], ports, this.#batch)
    if (plan === undefined) throw new Error("an event without a plan")
    this.#inhibitors.remember(event)
    this.#store(plan, (rule) => this.#matter(event, rule))
    for (const { rule, action, timer, fullAt } of plan.gathered) this.#gather(event, rule, action, timer, fullAt)
    this.#options.watch?.planned?.(plan)
    await this.advance(event.acceptedAt)
    this.#letGo(plan.decisions.map(({ rule }) => keyOf(event.id, rule)))
    return plan
  }

  /** Lets time pass: what is due until then, that moment included, happens in its order. */
  async advance(to: number): Promise<void> {
    for (let next = this.#agenda.next; next !== null && next <= to; next = this.#agenda.next) {
      this.#now = Math.max(this.#now, next)
      await this.#agenda.take()?.()
      this.#chain = 0
    }
    this.#now = Math.max(this.#now, to)
  }

  /** Somebody reacts: what would go on until then ends. False: there is no such notification. */
  acknowledge(id: NotificationId): boolean {
    return this.#react(id, "acknowledged")
  }

  read(id: NotificationId): boolean {
    return this.#react(id, "read")
  }

  /** The same of whoever has this rule's message about this event. */
  reactOf(event: EventId, rule: RuleName, recipient: RecipientId, reaction: "acknowledged" | "read"): boolean {
    const matter = this.#matters.get(keyOf(event, rule))
    const held = matter?.notifications.get(recipient)
    if (matter === undefined || held === undefined) return false
    this.#mark(matter, held, reaction)
    return true
  }

  #react(id: NotificationId, reaction: "acknowledged" | "read"): boolean {
    for (const matter of this.#matters.values()) {
      for (const held of matter.notifications.values()) {
        if (held.notification.id !== id) continue
        this.#mark(matter, held, reaction)
        return true
      }
    }
    return false
  }

  #mark(matter: Matter, held: Mutable<WorldNotification>, reaction: "acknowledged" | "read"): void {
    held.readAt ??= this.#now
    if (reaction === "acknowledged") held.acknowledgedAt ??= this.#now
    this.#callBack(matter, held.notification.rule, reaction)
  }

  /** Calls back what waits, of actions that go on until somebody reacts. Their timers find out when they are due. */
  #callBack(matter: Matter, name: RuleName, reaction: "acknowledged" | "read"): void {
    const rule = ruleNamed(this.#options.ruleSet, name)
    for (const held of matter.deliveries) {
      const action = rule?.actions[held.delivery.action]
      if (held.status !== "scheduled" || action?.type !== "notify" || action.escalate.length === 0) continue
      if (reaction === "acknowledged" || action.until === "read") this.#settle(matter, held, "cancelled", reaction)
    }
  }

  #matter(event: HubEvent, rule: RuleName): Matter {
    const key = keyOf(event.id, rule)
    let matter = this.#matters.get(key)
    if (matter === undefined) {
      matter = new Matter(event)
      this.#matters.set(key, matter)
    }
    return matter
  }

  #store(
    made: Pick<Plan, "notifications" | "deliveries" | "timers" | "newRecipients">,
    matterOf: (rule: RuleName) => Matter,
  ): void {
    for (const recipient of made.newRecipients) this.#meet(recipient)
    for (const notification of made.notifications) this.#tell(matterOf(notification.rule), notification)
    for (const timer of made.timers) this.#arm(matterOf(timer.rule), timer)
    for (const delivery of made.deliveries) this.#deliver(matterOf(delivery.rule), delivery)
  }

  #meet(recipient: Recipient): void {
    if (!this.#audience.has(recipient.id)) this.#audience.put({ recipient, preferences: null, lists: [] })
  }

  #tell(matter: Matter, notification: NewNotification): void {
    const kept = matter.notifications.get(notification.recipient)
    if (kept !== undefined && (kept.notification.inbox || !notification.inbox))
      throw new Error("somebody has two notifications of one event and rule")
    const { readAt = null, acknowledgedAt = null } = kept ?? {}
    const held = { notification, at: this.#now, readAt, acknowledgedAt, replaced: false }
    matter.notifications.set(notification.recipient, held)
    matter.people.set(notification.id, notification.recipient)
    if (notification.updateKey === null || this.#options.remember === false) return
    const key = `${notification.recipient}\n${notification.rule}\n${notification.updateKey}`
    const earlier = this.#updates.get(key)
    if (earlier !== undefined) earlier.replaced = true
    this.#updates.set(key, held)
  }

  #arm(matter: Matter, timer: NewTimer): void {
    const held = { timer, outcome: null }
    const chain = this.#chain + 1
    // A step that led to itself would fire for ever at one moment, and say nothing.
    if (chain > MAX_CHAIN) throw new Error(`the timers of ${timer.rule} follow from each other without an end`)
    matter.timers.push(held)
    this.#timers.set(timer.id, { held, matter })
    this.#agenda.add(timer.dueAt, () => {
      this.#chain = chain
      return this.#fire(timer.id, timer.dueAt)
    })
  }

  async #fire(id: TimerId, at: number): Promise<void> {
    const open = this.#timers.get(id)
    // It was ended, or it is due at another moment.
    if (open === undefined || open.held.timer.dueAt !== at) return
    const { held, matter } = open
    const [fired] = await fireBatch([matter.due(held)], () => this.#options.ruleSet, this.#ports, this.#batch)
    if (fired === undefined) throw new Error("a timer from which not even nothing follows")
    this.#timers.delete(id)
    held.outcome = fired.outcome
    this.#store(fired, () => matter)
    this.#options.watch?.fired?.(fired)
    this.#letGo([keyOf(matter.event.id, held.timer.rule)])
  }

  #gather(event: HubEvent, rule: RuleName, action: number, id: TimerId, fullAt: number | null): void {
    const open = this.#timers.get(id)
    if (open === undefined) throw new Error(`an event of ${rule} in a digest that is told already`)
    const { held, matter } = open
    const events = matter.digests.get(action)
    if (events === undefined) matter.digests.set(action, [event])
    else events.push(event)
    if (fullAt === null || fullAt === held.timer.dueAt) return
    held.timer = { ...held.timer, dueAt: fullAt }
    this.#agenda.add(fullAt, () => this.#fire(id, fullAt))
  }

  #gathered(id: TimerId): readonly HubEvent[] {
    const open = this.#timers.get(id)
    return open?.matter.digests.get(open.held.timer.action) ?? []
  }

  #deliver(matter: Matter, delivery: NewDelivery): void {
    const { start } = delivery
    const same = matter.deliveries.find(({ delivery: other }) => isSame(other, delivery))
    if (same !== undefined) {
      const notifications = [...new Set([...same.delivery.notifications, ...delivery.notifications])]
      same.delivery = { ...same.delivery, notifications }
      return
    }
    const held: Mutable<WorldDelivery> = {
      delivery,
      at: this.#now,
      status: start.status,
      reason: start.status === "queued" ? null : start.reason,
      settledAt: null,
    }
    matter.deliveries.push(held)
    switch (start.status) {
      case "queued":
        this.#send(matter, held)
        break
      case "scheduled": {
        const chain = this.#chain
        this.#agenda.add(start.at, () => {
          this.#chain = chain
          if (held.status === "scheduled") this.#send(matter, held)
          this.#letGo([keyOf(matter.event.id, delivery.rule)])
        })
        break
      }
      case "suppressed":
      case "expired":
        this.#settle(matter, held, start.status, start.reason)
        break
    }
  }

  #send(matter: Matter, held: Mutable<WorldDelivery>): void {
    const { delivery } = held
    const late = delivery.expiresAt !== null && this.#now >= delivery.expiresAt
    const status = late ? "expired" : (this.#options.send?.(delivery, this.#now) ?? "delivered")
    this.#settle(matter, held, status, late ? "expires_in" : null)
    if (delivery.failover && (status === "dead" || status === "expired")) this.#arm(matter, this.#failover(delivery))
  }

  #failover({ event, business, rule, action }: NewDelivery): NewTimer {
    const { hash, revision } = this.#options.ruleSet
    return {
      id: this.ids.timer(),
      kind: "failover",
      event,
      business,
      rule,
      action,
      step: 0,
      beganAt: this.#now,
      dueAt: this.#now,
      until: null,
      gate: null,
      rulesHash: hash,
      rulesRevision: revision,
    }
  }

  #settle(matter: Matter, held: Mutable<WorldDelivery>, status: WorldDelivery["status"], reason: string | null): void {
    held.status = status
    held.reason = reason
    held.settledAt = this.#now
    const people = held.delivery.notifications.flatMap((id) => matter.people.get(id) ?? [])
    this.#options.watch?.settled?.(held, people)
  }

  #letGo(keys: readonly string[]): void {
    if (this.#options.remember !== false) return
    for (const key of keys) if (this.#matters.get(key)?.isOver === true) this.#matters.delete(key)
  }
}

/** Stored once: a later channel that is due for each person at another moment. */
const isSame = (a: NewDelivery, b: NewDelivery): boolean =>
  a.channel === b.channel &&
  a.addressKey === b.addressKey &&
  a.round === b.round &&
  a.round?.startsWith("failover:") === true

const keyOf = (event: EventId, rule: RuleName): string => `${event}\n${rule}`
