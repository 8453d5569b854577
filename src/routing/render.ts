/**
 * Words for one reader on one channel. A template that cannot be rendered gives a `TemplateFailed` and nothing else: no
 * person ever reads "undefined", half a template, or a link that runs a script.
 */
import type { Channel, PersonalChannel } from "../domain/channel.ts"
import type { JsonObject } from "../domain/json.ts"
import type { MessageOf, PersonalMessage } from "../domain/message.ts"
import type { NotificationContent } from "../domain/notification.ts"
import type { Recipient } from "../domain/recipient.ts"
import { type AddressTo, slackAddress, splitAddress } from "./addressees.ts"
import { type MailWords, withFooter, withStop } from "./advertising.ts"
import type { Facts } from "./conditions/logic.ts"
import {
  absoluteLink,
  cutHtml,
  cutMrkdwn,
  cutText,
  escapeHtml,
  escapeSlack,
  oneLine,
  plainText,
  safeLink,
  textToHtml,
  unsafeAttribute,
} from "./escape.ts"
import { quotesNothing, type TemplateFunction } from "./eta-engine.ts"
import { htmlToText } from "./html-text.ts"
import type { ReaderLinks } from "./links.ts"
import type { LoadedNotify } from "./rule-set.ts"
import { runBounded } from "./run-bounded.ts"
import type { FrontKey } from "./template-file.ts"
import { type Markup, markupOf, type Template, type Templates } from "./templates.ts"

/** What is rendered: one action of one rule for one event. */
export interface Rendering {
  readonly templates: Templates
  readonly action: LoadedNotify
  /** Of the event; of several, the last. */
  readonly facts: Facts
  /** All that is told of, oldest first: each event with its `payload`. */
  readonly events: readonly JsonObject[]
  /** The hub's public address, for links in messages. */
  readonly publicUrl: string
  readonly links: ReaderLinks
  /** Of whoever sends what is commercial; null: not set. */
  readonly postalAddress: string | null
}

/** The words for this event cannot be made. The message names the template and the expression. */
export class TemplateFailed extends Error {
  override readonly name = "TemplateFailed"
  /** The message without what the template's own code said, which may quote a value: `JSON.parse` does. */
  readonly unquoted: string
  constructor(message: string, unquoted: string = message) {
    super(message)
    this.unquoted = unquoted
  }
}

/** Characters. A title or subject; Twilio's, Telegram's and Slack's own limits. */
const MAX_LINE = 200
const MAX_URL = 2_000
const MAX_SMS = 1_600
const MAX_TELEGRAM = 4_096
const MAX_SLACK = 3_000
/** Some two minutes of reading. */
const MAX_VOICE = 1_500
/** More than any device shows, and less than the 4 kB that a push service takes, in whatever script. */
const MAX_PUSH = 500

/** The inbox item's words. `actionUrl` stays as the template has it: a path is the frontend's to open. Throws TemplateFailed. */
export function renderContent(rendering: Rendering, recipient: Recipient): NotificationContent {
  const words = new Words(rendering, "inapp", recipient)
  return {
    title: words.line("title") ?? words.fail('has no "title"'),
    body: words.body("plain"),
    actionUrl: words.link,
    actionLabel: words.line("action_label"),
    data: words.data(),
  }
}

/** For a notification outside of the inbox whose template has no inbox words: what the channel has of a title. */
export function renderTitle(rendering: Rendering, channel: Channel, recipient: Recipient): NotificationContent {
  const words = new Words(rendering, channel, recipient)
  const title = words.line("title", "subject") ?? rendering.facts.event["type"]
  return {
    title: typeof title === "string" ? title : "",
    body: "",
    actionUrl: words.link,
    actionLabel: words.line("action_label"),
    data: words.data(),
  }
}

/** The message for one address of the channel; `to` is null for Slack's default webhook. Throws TemplateFailed. */
export function renderMessage(
  rendering: Rendering,
  channel: PersonalChannel,
  recipient: Recipient,
  to: AddressTo,
): PersonalMessage {
  const words = new Words(rendering, channel, recipient)
  const linked = { actionUrl: words.absoluteLink, actionLabel: words.line("action_label") }
  const { address: named, device } = splitAddress(to)
  const address = named ?? ""
  switch (channel) {
    case "email":
      return { channel, to: address, ...linked, ...advertised(rendering, words, emailWords(words, linked)) }
    case "sms": {
      const text = cutText(words.filled(words.body("plain")), MAX_SMS)
      const { commercial } = rendering.action
      return { channel, to: address, ...linked, text: commercial ? withStop(text, words.language, MAX_SMS) : text }
    }
    case "voice": {
      const text = cutText(words.filled(words.body("plain")), MAX_VOICE)
      return { channel, to: address, ...linked, text, language: words.language }
    }
    case "telegram": {
      const html = words.own ? words.body("html") : escapeHtml(words.body("plain"))
      return { channel, chatId: address, ...linked, html: cutHtml(words.filled(words.safe(html)), MAX_TELEGRAM) }
    }
    case "slack": {
      const text = words.own ? words.body("slack") : escapeSlack(words.body("plain"))
      return { channel, ...slackAddress(to), ...linked, text: cutMrkdwn(words.filled(text), MAX_SLACK) }
    }
    case "push": {
      const title = words.line("title") ?? words.fail('has no "title"')
      const text = cutText(words.body("plain"), MAX_PUSH)
      const { priority } = rendering.action
      return { channel, device, ...linked, title, text, priority, expiresAt: null, topic: null }
    }
  }
}

function emailWords(
  words: Words,
  { actionUrl, actionLabel }: { readonly actionUrl: string | null; readonly actionLabel: string | null },
): MailWords {
  const subject = words.line("subject", "title") ?? words.fail('has neither "subject" nor "title"')
  if (words.own) {
    const html = words.filled(words.safe(words.body("html")))
    return { subject, html, text: htmlToText(html) }
  }
  const text = words.filled(words.body("plain"))
  if (actionUrl === null) return { subject, html: page(textToHtml(text)), text }
  const label = actionLabel ?? actionUrl
  const link = `<p><a href="${escapeHtml(actionUrl)}">${escapeHtml(label)}</a></p>`
  return { subject, html: page(`${textToHtml(text)}\n${link}`), text: `${text}\n\n${label}: ${actionUrl}` }
}

/** What advertises says how it is stopped, to its reader and to the reader's mail program. */
function advertised(
  { action, links, postalAddress }: Rendering,
  { language }: Words,
  mail: MailWords,
): MailWords & Pick<MessageOf<"email">, "unsubscribeUrl"> {
  const unsubscribe = action.commercial ? links.unsubscribe : null
  if (unsubscribe === null) return mail
  return { ...withFooter(mail, { unsubscribe, postalAddress, language }), unsubscribeUrl: unsubscribe }
}

const page = (body: string): string =>
  `<!doctype html>\n<html>\n<head><meta charset="utf-8"></head>\n<body dir="auto">\n${body}\n</body>\n</html>`

/** One template's words for one reader. */
class Words {
  readonly link: string | null
  readonly #rendering: Rendering
  readonly #channel: Channel
  readonly #template: Template
  /** Where short texts are looked for that the channel's own template does not have. */
  readonly #fallback: Template | null
  readonly #data: { links: { action: string | null } & ReaderLinks } & Record<string, unknown>

  constructor(rendering: Rendering, channel: Channel, recipient: Recipient) {
    const { templates, action, facts, events, links } = rendering
    const template = templates.find(action.template, channel, recipient.locale)
    if (template === null) throw new TemplateFailed(`templates/${action.template} has no words for ${channel}`)
    this.#rendering = rendering
    this.#channel = channel
    this.#template = template
    this.#fallback =
      template.use.channel === "default" ? null : templates.findDefault(action.template, recipient.locale)
    const { id, name, locale, timezone } = recipient
    this.#data = {
      event: facts.event,
      payload: facts.payload,
      events,
      recipient: { id, name, locale, timezone },
      // Handed on as they are asked for: a link that nobody shows is not made.
      links: {
        action: null,
        get preferences() {
          return links.preferences
        },
        get unsubscribe() {
          return links.unsubscribe
        },
        get acknowledge() {
          return links.acknowledge
        },
      },
    }
    this.link = this.#readLink()
    this.#data.links.action = this.absoluteLink
  }

  /** The channel has a template of its own, in its own markup. */
  get own(): boolean {
    return this.#template.use.channel === this.#channel && markupOf(this.#channel) !== "plain"
  }

  /** In which the words are; null: nobody said. */
  get language(): string | null {
    return this.#template.use.locale
  }

  get absoluteLink(): string | null {
    return this.link === null ? null : absoluteLink(this.link, this.#rendering.publicUrl)
  }

  fail(problem: string, unquoted: string = problem): never {
    const { file } = this.#template
    throw new TemplateFailed(`${file}: ${problem}`, `${file}: ${unquoted}`)
  }

  #readLink(): string | null {
    const link = this.#short("action_url")?.trim() ?? null
    // Half a link leads elsewhere, so of one that is too long there is none.
    if (link === null || link === "" || link.length > MAX_URL) return null
    const problem = "action_url is no link that may be given to a person (a path, http, https, mailto, tel)"
    return safeLink(link) ?? this.fail(problem)
  }

  /** A text of one line, by the first key that has one; null: no key has. */
  line(...keys: readonly FrontKey[]): string | null {
    for (const key of keys) {
      const text = this.#short(key)
      if (text === null) continue
      const line = cutText(oneLine(text), MAX_LINE)
      return line === "" ? this.fail(`${key} is empty`) : line
    }
    return null
  }

  /** The rule's own words before the template's, the template's before the default's. */
  #short(key: FrontKey): string | null {
    const { actionUrl, actionLabel } = this.#rendering.action.overrides
    const override = key === "action_url" ? actionUrl : key === "action_label" ? actionLabel : null
    const source = override ?? this.#template.front[key] ?? this.#fallback?.front[key]
    return source === undefined ? null : this.#run(source, key === "action_url" ? "link" : "plain", key)
  }

  data(): NotificationContent["data"] {
    const { data } = this.#rendering.action.overrides
    if (data === null) return null
    return Object.fromEntries(
      Object.entries(data).map(([key, source]) => [key, this.#run(source, "plain", `data.${key}`)]),
    )
  }

  body(markup: Markup): string {
    const text = this.#run(this.#template.body, markup, "body").trimEnd()
    return markup === "plain" ? plainText(text).trimStart() : text.trimStart()
  }

  /** A provider refuses an empty message, so it is refused here, with the template's name. */
  filled(text: string): string {
    return text.trim() === "" ? this.fail("the body is empty") : text
  }

  safe(html: string): string {
    const attribute = unsafeAttribute(html)
    return attribute === null ? html : this.fail(`${attribute} is no link that may be given to a person`)
  }

  #run(source: TemplateFunction, markup: Markup | "link", what: string): string {
    let text: string
    try {
      text = runBounded(this.#rendering.templates.engines, markup, source, this.#template.path, this.#data)
    } catch (error) {
      // Whatever a template throws is the template's fault, or this event's.
      const problem = error instanceof Error ? oneLine(error.message) : "threw something that is no error"
      const unquoted = error instanceof Error && !quotesNothing(error) ? error.name : problem
      return this.fail(`${what}: ${cutText(problem, MAX_LINE)}`, `${what}: ${cutText(unquoted, MAX_LINE)}`)
    }
    const leak = LEAKS.exec(text)
    return leak !== null && !this.#isData(leak[0]) ? this.fail(`${what}: says "${leak[0]}"`) : text
  }

  /** The word came with the event or is the reader's name, so it is meant. */
  #isData(word: string): boolean {
    return JSON.stringify([this.#rendering.events, this.#data["recipient"]]).includes(word)
  }
}

/** What JavaScript makes of values that are not there, where an expression hides them from the check of single values. */
const LEAKS = /\b(?:undefined|NaN|Invalid Date)\b|\[object \w+\]/
