/**
 * The words of one rule for one event, made once for all readers to whom they are the same, and its failures, each once.
 */
import type { Channel, PersonalChannel } from "../domain/channel.ts"
import type { RoutingFailure } from "../domain/decision.ts"
import type { RuleName } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { PersonalMessage } from "../domain/message.ts"
import type { NotificationContent } from "../domain/notification.ts"
import type { Recipient } from "../domain/recipient.ts"
import { type AddressTo, slackAddress, splitAddress } from "./addressees.ts"
import type { Facts } from "./conditions/logic.ts"
import { itemOf } from "./facts.ts"
import { type Linked, type LinkSettings, linksOf } from "./links.ts"
import { type Rendering, renderContent, renderMessage, renderTitle, TemplateFailed } from "./render.ts"
import type { LoadedNotify, RuleSet } from "./rule-set.ts"

type Made<T> = { readonly ok: T } | { readonly failed: TemplateFailed }

/** Whoever makes the words. Failures are kept, each once. */
export interface Words {
  readonly failures: readonly RoutingFailure[]
  /** The inbox item's words; null: they could not be made. `linked` null, here and below: its links are samples. */
  content(action: LoadedNotify, recipient: Recipient, linked: Linked | null): NotificationContent | null
  /** Words for a notification that is in no inbox: it has only to be recognised in an explanation, so it never fails. */
  outsideInbox(action: LoadedNotify, recipient: Recipient, linked: Linked | null): NotificationContent
  /** The message for one address; null: it could not be made. */
  message(
    action: LoadedNotify,
    channel: PersonalChannel,
    recipient: Recipient,
    to: AddressTo,
    linked: Linked | null,
  ): PersonalMessage | null
}

export interface WordSettings extends LinkSettings {
  /** Of whoever sends what is commercial; absent: not set. */
  readonly postalAddress?: string | null
}

export class WordsFor implements Words {
  readonly failures: RoutingFailure[] = []
  readonly #ruleSet: RuleSet
  readonly #facts: Facts
  readonly #events: readonly JsonObject[]
  readonly #rule: RuleName
  readonly #settings: WordSettings
  readonly #contents = new Map<string, Made<NotificationContent>>()
  readonly #messages = new Map<string, Made<PersonalMessage>>()

  /** `facts`: of all that is told of, oldest first; at least one. */
  constructor(ruleSet: RuleSet, facts: readonly Facts[], rule: RuleName, settings: WordSettings) {
    const last = facts.at(-1)
    if (last === undefined) throw new Error("words about nothing")
    this.#ruleSet = ruleSet
    this.#facts = last
    this.#events = facts.map(itemOf)
    this.#rule = rule
    this.#settings = settings
  }

  content(action: LoadedNotify, recipient: Recipient, linked: Linked | null): NotificationContent | null {
    return this.#kept("inapp", this.#content(action, recipient, linked))
  }

  outsideInbox(action: LoadedNotify, recipient: Recipient, linked: Linked | null): NotificationContent {
    const made = this.#content(action, recipient, linked)
    if ("ok" in made) return made.ok
    for (const channel of action.channels) {
      const title = attempt(() => renderTitle(this.#rendering(action, channel, null, linked), channel, recipient))
      if ("ok" in title) return title.ok
    }
    return { title: this.#rule, body: "", actionUrl: null, actionLabel: null, data: null }
  }

  message(
    action: LoadedNotify,
    channel: PersonalChannel,
    recipient: Recipient,
    to: AddressTo,
    linked: Linked | null,
  ): PersonalMessage | null {
    const make = (): PersonalMessage =>
      renderMessage(this.#rendering(action, channel, to, linked), channel, recipient, to)
    const readers = linked?.readers.join(" ") ?? recipient.id
    const made = this.#kept(channel, this.#shared(this.#messages, action, channel, recipient, readers, make))
    return made === null ? null : addressed(made, to)
  }

  #content(action: LoadedNotify, recipient: Recipient, linked: Linked | null): Made<NotificationContent> {
    const make = (): NotificationContent => renderContent(this.#rendering(action, "inapp", null, linked), recipient)
    return this.#shared(this.#contents, action, "inapp", recipient, recipient.id, make)
  }

  #rendering(action: LoadedNotify, channel: Channel, to: AddressTo, linked: Linked | null): Rendering {
    const { publicUrl, postalAddress = null } = this.#settings
    return {
      templates: this.#ruleSet.templates,
      action,
      facts: this.#facts,
      events: this.#events,
      publicUrl,
      links: linksOf(this.#settings, action, channel, to, linked),
      postalAddress,
    }
  }

  #shared<T>(
    made: Map<string, Made<T>>,
    action: LoadedNotify,
    channel: PersonalChannel | "inapp",
    recipient: Recipient,
    readers: string,
    make: () => T,
  ): Made<T> {
    const { templates } = this.#ruleSet
    const own = templates.find(action.template, channel, recipient.locale)
    const fallback = templates.findDefault(action.template, recipient.locale)
    // A commercial mail holds the link by which its reader stops it.
    const stops = action.commercial && channel === "email"
    const personal = stops || action.overrides.personal || own?.personal === true || fallback?.personal === true
    const place = this.#place(action)
    const key = `${place} ${channel} ${own?.path} ${fallback?.path}${personal ? ` ${readers}` : ""}`
    let words = made.get(key)
    if (words === undefined) {
      words = attempt(make)
      made.set(key, words)
    }
    return words
  }

  /** An action's place within the rule, as a name for it. */
  readonly #actions: LoadedNotify[] = []
  #place(action: LoadedNotify): number {
    const place = this.#actions.indexOf(action)
    return place >= 0 ? place : this.#actions.push(action) - 1
  }

  #kept<T>(channel: string, made: Made<T>): T | null {
    if ("ok" in made) return made.ok
    const reason = `${channel}: ${made.failed.message}`
    const unquoted = `${channel}: ${made.failed.unquoted}`
    if (!this.failures.some((failure) => failure.reason === reason))
      this.failures.push({ rule: this.#rule, reason, ...(unquoted === reason ? {} : { unquoted }) })
    return null
  }
}

function attempt<T>(make: () => T): Made<T> {
  try {
    return { ok: make() }
  } catch (error) {
    if (error instanceof TemplateFailed) return { failed: error }
    throw error
  }
}

/** The same words to another address. */
function addressed(message: PersonalMessage, to: AddressTo): PersonalMessage {
  const { address, device } = splitAddress(to)
  switch (message.channel) {
    case "email":
    case "sms":
    case "voice":
      return { ...message, to: address ?? "" }
    case "telegram":
      return { ...message, chatId: address ?? "" }
    case "slack":
      return { ...message, ...slackAddress(to) }
    case "push":
      return { ...message, device }
  }
}
