/**
 * One rule tells of one thing at one moment: of an event when it came or when its delay is over, of a digest's events, of
 * a step later. Everybody whom the rule names has one notification, however many of its actions name them.
 */
import { isPersonalChannel, type PersonalChannel } from "../domain/channel.ts"
import type { RoutingFailure } from "../domain/decision.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import { type HubEvent, SEVERITY_RANK, type Severity } from "../domain/event.ts"
import type { GateState, Gates } from "../domain/gates.ts"
import type { BusinessId, EventId, NewIds, NotificationId, RecipientId } from "../domain/ids.ts"
import type { InPlace } from "../domain/message.ts"
import type { NewNotification } from "../domain/notification.ts"
import type { Recipient } from "../domain/recipient.ts"
import { AddressGroup, type Member } from "./address-groups.ts"
import { type Address, addressesOf, type SlackWays } from "./addressees.ts"
import type { Facts } from "./conditions/logic.ts"
import { EXPIRED, type Fate, failedAtOnce, fateOf, suppressed, type Turn } from "./fates.ts"
import { updateKey } from "./gate-keys.ts"
import { admit } from "./limits.ts"
import { NoWords } from "./no-words.ts"
import type { LoadedNotify, LoadedRule, RuleSet } from "./rule-set.ts"
import { eachInSlices, LIGHT, madeInSlices, type Sliced } from "./slices.ts"
import { computed } from "./turns.ts"
import { type WordSettings, type Words, WordsFor } from "./words-for.ts"

export interface PlanSettings extends WordSettings, SlackWays {
  /** False: no words are made, for whoever only counts. */
  readonly render?: boolean
}

/** A notification that somebody has already. */
export interface Kept {
  readonly id: NotificationId
  readonly inbox: boolean
}

/** What is told of. */
export interface Scene {
  readonly ruleSet: RuleSet
  readonly rule: LoadedRule
  /** The event that the notifications name: a digest's first, which may be gone. */
  readonly event: EventId
  readonly business: BusinessId
  /** Oldest first, at least one; `facts` are theirs. */
  readonly events: readonly HubEvent[]
  readonly facts: readonly Facts[]
  /** Those who have a notification of this event and rule already keep it. */
  readonly told: ReadonlyMap<RecipientId, Kept>
}

/** What planning changes and makes. */
export interface Hands {
  readonly settings: PlanSettings
  readonly ids: NewIds
  readonly gates: Gates
}

/** Why somebody is not told at all, whatever the channel. */
export type Refusal = "cooldown" | "throttled" | "expired"

export interface Telling {
  readonly notifications: readonly NewNotification[]
  readonly deliveries: readonly NewDelivery[]
  readonly failures: readonly RoutingFailure[]
  /** For each turn who was refused. */
  readonly refused: readonly ReadonlyMap<RecipientId, Refusal>[]
}

interface Person {
  readonly id: NotificationId
  readonly recipient: Recipient
  /** The turns that name this person, in order. */
  readonly parts: Part[]
}

/** One turn for one person. */
interface Part {
  readonly turn: Turn
  readonly refusal: Refusal | null
  /** What became of the channels tried so far. */
  readonly tried: { readonly fate: Fate; readonly group: AddressGroup }[]
  failedOver: number
}

/** A limit's gate as it was found. */
interface Before {
  readonly key: string
  readonly state: GateState | null
  readonly staleAt: number
}

const SHADOW = suppressed("shadow")

/** What follows where these actions of the rule tell now. */
export const tellInSlices = (scene: Scene, turns: readonly Turn[], hands: Hands) =>
  new RuleTelling(scene, hands).make(turns)

class RuleTelling {
  readonly #scene: Scene
  readonly #hands: Hands
  readonly #words: Words
  readonly #severity: Severity
  readonly #people = new Map<RecipientId, Person>()
  readonly #groups = new Map<string, AddressGroup>()
  readonly #failures: RoutingFailure[] = []
  /** How their limits stood before this counted for them. */
  readonly #before = new Map<RecipientId, Before[]>()

  constructor(scene: Scene, hands: Hands) {
    const { ruleSet, rule, facts, events } = scene
    this.#scene = scene
    this.#hands = hands
    this.#words =
      hands.settings.render === false ? new NoWords(rule.name) : new WordsFor(ruleSet, facts, rule.name, hands.settings)
    this.#severity = highestOf(events)
  }

  *make(turns: readonly Turn[]): Sliced<Telling> {
    const refused: ReadonlyMap<RecipientId, Refusal>[] = []
    for (const turn of turns) refused.push(yield* this.#begin(turn))
    yield* eachInSlices(this.#people.values(), (person) => {
      for (const part of person.parts) this.#try(person, part, part.turn.channels.filter(isPersonalChannel))
    })
    yield* this.#write()
    while (yield* this.#failOver()) yield* this.#write()
    const deliveries = yield* madeInSlices(this.#groups.values(), (group) => this.#deliveries(group))
    const reached = new Set<NotificationId>()
    yield* eachInSlices(
      deliveries,
      (delivery) => {
        for (const id of delivery.notifications) reached.add(id)
      },
      LIGHT,
    )
    const notifications = yield* madeInSlices(this.#people.values(), (one) => {
      const told = this.#notification(one, reached)
      if (told.length === 0 && !this.#scene.told.has(one.recipient.id)) this.#uncount(one.recipient.id)
      return told
    })
    return { notifications, deliveries, failures: [...this.#failures, ...this.#words.failures], refused }
  }

  /** Asks the limits for each of the turn's people. */
  *#begin(turn: Turn): Sliced<ReadonlyMap<RecipientId, Refusal>> {
    const refused = new Map<RecipientId, Refusal>()
    yield* eachInSlices(turn.people, (recipient) => {
      const refusal = this.#refusal(turn, recipient)
      if (refusal !== null) refused.set(recipient.id, refusal)
      let person = this.#people.get(recipient.id)
      if (person === undefined) {
        const id = this.#scene.told.get(recipient.id)?.id ?? this.#hands.ids.notification()
        person = { id, recipient, parts: [] }
        this.#people.set(recipient.id, person)
      }
      person.parts.push({ turn, refusal, tried: [], failedOver: 0 })
    })
    return refused
  }

  /** All limits must let a message through, and it counts for all of them or for none. */
  #refusal({ action, at, expiresAt, limitKeys }: Turn, { id }: Recipient): Refusal | null {
    if (expiresAt !== null && at >= expiresAt) return "expired"
    const keys = limitKeys.get(id)
    if (keys === undefined) return null
    const { gates } = this.#hands
    const admissions = action.limits.map((limit, i) => {
      const key = keys[i]
      if (key === undefined) throw new Error("a limit without its gate")
      return { word: limit.word, key, admission: admit(gates.get(key), at, limit) }
    })
    for (const { word, admission } of admissions) {
      if (!admission.admitted) return word === "cooldown" ? "cooldown" : "throttled"
    }
    for (const { key, admission } of admissions) {
      if (!admission.admitted) continue
      this.#before.set(id, [
        ...(this.#before.get(id) ?? []),
        { key, state: gates.get(key), staleAt: admission.staleAt },
      ])
      gates.set(key, admission.state, admission.staleAt)
    }
    return null
  }

  /** Nothing could be written for this person: what was never said silences nothing that comes after it. */
  #uncount(id: RecipientId): void {
    for (const { key, state, staleAt } of this.#before.get(id) ?? []) this.#hands.gates.set(key, state, staleAt)
  }

  #try(person: Person, part: Part, channels: readonly PersonalChannel[]): void {
    for (const channel of channels) {
      const addresses = addressesOf(person.recipient, channel, this.#hands.settings)
      if (addresses.length === 0) this.#add(person, part, channel, null)
      for (const address of addresses) this.#add(person, part, channel, address)
    }
  }

  #add(person: Person, part: Part, channel: PersonalChannel, address: Address | null): void {
    const { id, recipient } = person
    const addressKey = address?.key ?? `none:${recipient.id}`
    const key = `${channel}\n${addressKey}`
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new AddressGroup(channel, addressKey, address?.to ?? null)
      this.#groups.set(key, group)
    }
    const fate = this.#fate(person, part, channel, address !== null)
    const member: Member = { id, recipient, turn: part.turn, fate }
    group.add(member)
    part.tried.push({ fate, group })
  }

  #fate({ recipient }: Person, { turn, refusal }: Part, channel: PersonalChannel, hasAddress: boolean): Fate {
    if (refusal !== null) return refusal === "expired" ? EXPIRED : suppressed(refusal)
    if (!hasAddress) return suppressed("no_address")
    const fate = fateOf(turn, recipient, channel, this.#severity)
    return fate.kind !== "not" && turn.action.mode === "shadow" ? SHADOW : fate
  }

  #write(): Sliced<void> {
    const { delivery } = this.#hands.ids
    return eachInSlices(this.#groups.values(), (one) =>
      one.write(this.#words, (action) => this.#place(action), delivery),
    )
  }

  /** The next channel for whom all before are known to have failed; true where there was one. */
  *#failOver(): Sliced<boolean> {
    let some = false
    yield* eachInSlices(
      this.#people.values(),
      (person) => {
        for (const part of person.parts) {
          const next = part.turn.failover[part.failedOver]
          const failed =
            part.tried.length > 0 && part.tried.every(({ fate, group }) => group.isMute || failedAtOnce(fate))
          if (next === undefined || part.refusal !== null || !failed) continue
          part.failedOver += 1
          this.#try(person, part, [next])
          some = true
        }
      },
      LIGHT,
    )
    return some
  }

  #deliveries(group: AddressGroup): readonly NewDelivery[] {
    const { event, rule, ruleSet, business } = this.#scene
    const common = { event, rule: rule.name, rulesRevision: ruleSet.revision, business }
    return group.shares().map((share) => ({ ...common, ...share, id: share.id ?? this.#hands.ids.delivery() }))
  }

  /**
   * None for whom nothing reaches because nothing could be rendered, nor for who has one already: except that it comes into
   * the inbox now.
   */
  #notification(person: Person, reached: ReadonlySet<NotificationId>): readonly NewNotification[] {
    const { event, rule, ruleSet, business, told } = this.#scene
    const kept = told.get(person.recipient.id)
    if (kept?.inbox === true) return []
    const { content, inbox, action, reason, refused } = this.#content(person)
    if (kept !== undefined && !inbox) return []
    if (!inbox && !refused && !reached.has(person.id)) return []
    return [
      {
        id: person.id,
        event,
        rule: rule.name,
        rulesRevision: ruleSet.revision,
        recipient: person.recipient.id,
        business,
        location: this.#location(),
        severity: this.#severity,
        category: action.category,
        priority: action.priority,
        inbox,
        reason,
        updateKey: inbox ? this.#updateKey(action) : null,
        content,
      },
    ]
  }

  #content({ id, parts, recipient }: Person): Pick<NewNotification, "content" | "inbox" | "reason"> & {
    readonly action: LoadedNotify
    readonly refused: boolean
  } {
    const telling = parts.filter(({ refusal, turn }) => refusal === null && turn.action.mode === "live")
    const first = telling[0] ?? parts[0]
    if (first === undefined) throw new Error("a person whom no action names")
    const refused = telling.length === 0
    const reason = refused ? (first.refusal ?? "shadow") : gathers(first.turn) ? "digest" : null
    const forInbox = telling.find(({ turn }) => turn.channels.includes("inapp"))?.turn.action
    const linked = { readers: [recipient.id], told: id, at: first.turn.at }
    const content = forInbox === undefined ? null : this.#words.content(forInbox, recipient, linked)
    if (forInbox !== undefined && content !== null) return { content, inbox: true, reason, refused, action: forInbox }
    const { action } = first.turn
    return { content: this.#words.outsideInbox(action, recipient, linked), inbox: false, reason, refused, action }
  }

  /** Where all of it happened; null: in several places. */
  #location(): HubEvent["location"] {
    const [first, ...others] = this.#scene.events
    return first !== undefined && others.every(({ location }) => location === first.location) ? first.location : null
  }

  #place(action: LoadedNotify): InPlace | null {
    const [key, event] = [this.#updateKey(action), this.#scene.events.at(-1)]
    return key === null || event === undefined ? null : { key, event: event.id }
  }

  #updateKey({ update }: LoadedNotify): string | null {
    const { rule, business, events, facts } = this.#scene
    const [event, last] = [events.at(-1), facts.at(-1)]
    if (update === null || event === undefined || last === undefined) return null
    const { value, failure } = computed(rule, "update", update, last, event)
    if (failure === null) return updateKey(business, rule.name, value)
    // Told all the same, beside the earlier items.
    if (!this.#failures.some(({ reason }) => reason === failure.reason)) this.#failures.push(failure)
    return null
  }
}

const gathers = ({ round }: Turn): boolean => round?.startsWith("digest:") === true
const highestOf = (events: readonly HubEvent[]): Severity =>
  events.map(({ severity }) => severity).reduce((a, b) => (SEVERITY_RANK[b] > SEVERITY_RANK[a] ? b : a))
