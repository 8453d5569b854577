/**
 * People who share an address get one delivery. Of those at one address some may be told, some only later, and some not
 * at all: who may be told makes the delivery, and whoever is not told has a record of their own that says why.
 */
import type { PersonalChannel } from "../domain/channel.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import type { DeliveryId, NotificationId } from "../domain/ids.ts"
import type { InPlace, Message, PersonalMessage } from "../domain/message.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { AddressTo } from "./addressees.ts"
import type { Fate, Turn } from "./fates.ts"
import { placeKey } from "./gate-keys.ts"
import type { LoadedNotify } from "./rule-set.ts"
import type { Words } from "./words-for.ts"

export interface Member {
  readonly id: NotificationId
  readonly recipient: Recipient
  readonly turn: Turn
  readonly fate: Fate
}

type Sending = Exclude<Fate, { kind: "not" }>
interface Sender extends Member {
  readonly fate: Sending
}

const isSender = (member: Member): member is Sender => member.fate.kind !== "not"

/** What a delivery has of its own, beside what it shares with all of its rule. Without an id: its message names none. */
export type Share = Omit<NewDelivery, "id" | "event" | "rule" | "rulesRevision" | "business"> & {
  readonly id: DeliveryId | null
}

export class AddressGroup {
  readonly #channel: PersonalChannel
  readonly #addressKey: string
  readonly #to: AddressTo
  readonly #members: Member[] = []
  /** Undefined: not made yet, since nobody is to be told. Null: it could not be made. */
  #message: Message | null | undefined
  /** Of the delivery that is sent. Made before its message, whose links name it. */
  #id: DeliveryId | null = null

  /** `to`: what the message carries. */
  constructor(channel: PersonalChannel, addressKey: string, to: AddressTo) {
    this.#channel = channel
    this.#addressKey = addressKey
    this.#to = to
  }

  add(member: Member): void {
    this.#members.push(member)
  }

  /** The words could not be made: nobody is told here. */
  get isMute(): boolean {
    return this.#message === null
  }

  /**
   * Makes the message, in the words for the first of its readers. `placeOf`: what an action's later news has in common with
   * what it replaces.
   */
  write(words: Words, placeOf: (action: LoadedNotify) => InPlace | null, newId: () => DeliveryId): void {
    const senders = this.#senders
    const [first] = senders
    if (first === undefined || this.#message !== undefined) return
    const reader = senders.reduce((a, b) => (b.recipient.id < a.recipient.id ? b : a))
    const { action, expiresAt, at } = first.turn
    this.#id = newId()
    const others = senders.filter((sender) => sender !== reader)
    const linked = { readers: [reader, ...others].map(({ recipient }) => recipient.id), told: this.#id, at }
    const message = words.message(action, this.#channel, reader.recipient, this.#to, linked)
    const place = placeOf(action)
    this.#message = message === null ? null : finished(message, action, { expiresAt, place, address: this.#addressKey })
  }

  get #senders(): readonly Sender[] {
    return onceEach(this.#members.filter(isSender))
  }

  /** The delivery of those who are told, and a record for each reason why others are not. */
  shares(): readonly Share[] {
    const senders = this.#senders
    const told = new Set(senders.map(({ id }) => id))
    const others = onceEach(this.#members.filter(({ id }) => !told.has(id)))
    const byReason = [...Map.groupBy(others, ({ fate }) => (fate.kind === "not" ? fate.reason : ""))]
    const alone = senders.length === 0 && byReason.length === 1
    return [
      ...this.#sent(senders),
      ...byReason.flatMap(([reason, members]) =>
        this.#unsent(members, alone ? this.#addressKey : `${reason}:${this.#addressKey}`),
      ),
    ]
  }

  #sent(senders: readonly Sender[]): readonly Share[] {
    const [first] = senders
    const message = this.#message
    if (first === undefined || message === undefined || message === null) return []
    const soonest = senders.map(({ fate }) => fate).reduce((a, b) => (startOf(b) < startOf(a) ? b : a))
    const { category, commercial, bypassQuietHours } = first.turn.action
    const asked =
      soonest.kind === "hold" || commercial || senders.some(({ turn, recipient }) => turn.preferences.has(recipient.id))
    return [
      {
        ...this.#shared(first.turn, this.#addressKey),
        id: this.#id,
        notifications: senders.map(({ id }) => id),
        wishes: asked ? { category, commercial, bypassQuietHours } : false,
        start:
          soonest.kind === "hold"
            ? { status: "scheduled", at: soonest.until, reason: soonest.reason, message }
            : { status: "queued", message },
      },
    ]
  }

  #unsent(members: readonly Member[], addressKey: string): readonly Share[] {
    const [first] = members
    if (first === undefined || first.fate.kind !== "not") return []
    const { status, reason } = first.fate
    const notifications = members.map(({ id }) => id)
    return [
      { ...this.#shared(first.turn, addressKey), id: null, notifications, wishes: false, start: { status, reason } },
    ]
  }

  #shared({ action, place, round, expiresAt, inChain }: Turn, addressKey: string) {
    return {
      channel: this.#channel,
      priority: action.priority,
      addressKey,
      action: place,
      round,
      expiresAt,
      // A push takes its own place, however often it is tried.
      holdUnknown: action.onUnknown === "hold" && this.#channel !== "push",
      failover: inChain,
    }
  }
}

/** What the words do not say: how long a push is worth something, whose place it takes, and that somebody is waited for. */
function finished(
  message: PersonalMessage,
  { escalate }: LoadedNotify,
  about: { readonly expiresAt: number | null; readonly place: InPlace | null; readonly address: string },
): PersonalMessage {
  const { expiresAt, place, address } = about
  switch (message.channel) {
    case "push":
      // A push service takes 32 characters: as much of the hash of the rule's key.
      return { ...message, expiresAt, topic: place?.key.slice(0, 32) ?? null }
    case "telegram":
    case "slack": {
      // What goes by a webhook cannot be changed any more.
      const stays = place === null || (message.channel === "slack" && message.botTo === undefined)
      return {
        ...message,
        ...(escalate.length > 0 ? { acknowledge: true } : {}),
        ...(stays ? {} : { inPlace: { key: placeKey(place.key, message.channel, address), event: place.event } }),
      }
    }
    case "email":
    case "sms":
    case "voice":
      return message
  }
}

const startOf = (fate: Sending): number => (fate.kind === "hold" ? fate.until : Number.NEGATIVE_INFINITY)

/** Two actions may name one person at one address: the first counts. */
function onceEach<M extends Member>(members: readonly M[]): readonly M[] {
  if (members.length < 2) return members
  const first = new Map<NotificationId, M>()
  for (const member of members) if (!first.has(member.id)) first.set(member.id, member)
  return [...first.values()]
}
