/** Every message that rules could send, written once for a sample event on each channel and in each locale. */
import { type Channel, isPersonalChannel } from "../../domain/channel.ts"
import type { HubEvent } from "../../domain/event.ts"
import type { BusinessId, EventId, RecipientId } from "../../domain/ids.ts"
import type { Recipient } from "../../domain/recipient.ts"
import { broadcastOf } from "../broadcast.ts"
import type { Facts } from "../conditions/logic.ts"
import { placeOf, tagsOf } from "../eta-engine.ts"
import { itemOf } from "../facts.ts"
import { sampleLinks } from "../links.ts"
import { renderContent, renderMessage, TemplateFailed } from "../render.ts"
import type { RuleError } from "../rule-error.ts"
import type { LoadedBroadcast, LoadedNotify, LoadedRule, RuleSet } from "../rule-set.ts"
import { type Mentions, madeUpPayload, mentionsIn } from "./made-up.ts"
import { type Sample, type Samples, sampleFacts } from "./samples.ts"
import { type Segments, smsSegments } from "./sms-segments.ts"

const HUB = "https://hub.example"

/** The longest text message that a template made of the samples. */
export interface LongestSms extends Segments {
  readonly file: string
  readonly from: string | null
}

export interface WordsCheck {
  readonly warnings: readonly RuleError[]
  readonly sms: readonly LongestSms[]
  /** Messages that were written. */
  readonly written: number
}

const MAX_SEGMENTS = 3

/** `told`: what its words could tell apart. */
interface Telling {
  readonly rule: LoadedRule
  readonly action: LoadedNotify
  readonly sample: Sample
  readonly told: string
}

/** Writes them; what cannot be written is a warning with its line, and so is a text message of more than three segments. */
export function checkWords(ruleSet: RuleSet, samples: Samples): WordsCheck {
  const check = new Check(ruleSet)
  for (const rule of ruleSet.rules) check.rule(rule, samples.of(rule))
  return check.result()
}

class Check {
  readonly #ruleSet: RuleSet
  readonly #warnings = new Map<string, RuleError>()
  readonly #sms = new Map<string, LongestSms>()
  readonly #done = new Set<string>()
  readonly #mentions = new Map<string, Mentions>()
  readonly #looking = new Map<string, boolean>()
  /** Samples by a number: a payload may be large, and is compared with many. */
  readonly #numbers = new Map<Sample, number>()

  constructor(ruleSet: RuleSet) {
    this.#ruleSet = ruleSet
  }

  result(): WordsCheck {
    const sms = [...this.#sms.values()].toSorted((a, b) => (a.file < b.file ? -1 : 1))
    for (const { file, segments, units, alphabet, from } of sms) {
      if (segments <= MAX_SEGMENTS) continue
      const problem = `a text message of ${segments} segments (${units} units of ${alphabet}) for ${sampleName(from)}`
      this.#warn({ file, line: 1, column: 1, problem, expected: `at most ${MAX_SEGMENTS}`, suggestion: null })
    }
    return { warnings: [...this.#warnings.values()], sms, written: this.#done.size }
  }

  rule(rule: LoadedRule, samples: readonly Sample[]): void {
    for (const action of rule.actions) {
      if (action.type === "broadcast") for (const sample of samples) this.#topic(rule, action, sample)
      if (action.type !== "notify") continue
      const used = samples.length > 0 ? samples : [this.#madeUp(rule, action)]
      for (const sample of used) {
        const told = this.#told(rule, action, sample)
        for (const channel of channelsOf(action)) {
          for (const locale of this.#locales(action.template, channel))
            this.#write({ rule, action, sample, told }, channel, locale)
        }
      }
    }
  }

  #madeUp(rule: LoadedRule, action: LoadedNotify): Sample {
    const type = (rule.eventTypes[0] ?? "").replaceAll(/\*+/g, "sample")
    const source = rule.source === null ? {} : { source: rule.source }
    const payload = madeUpPayload(this.#mentionsOf(action), rule.condition)
    return { facts: sampleFacts(type, source, payload), from: null }
  }

  /** Of the template's files and of the action's own words. */
  #mentionsOf(action: LoadedNotify): Mentions {
    let known = this.#mentions.get(action.template)
    if (known === undefined) {
      const texts = Object.entries(this.#ruleSet.files).filter(([file]) =>
        file.startsWith(`templates/${action.template}/`),
      )
      known = mentionsIn(texts.map(([, text]) => text).join("\n"))
      this.#mentions.set(action.template, known)
    }
    const own = [action.actionUrl, action.actionLabel, ...Object.values(action.data ?? {})].filter(
      (text) => text !== null,
    )
    if (own.length === 0) return known
    const { paths, kinds } = mentionsIn(own.join("\n"))
    return { paths: new Set([...known.paths, ...paths]), kinds: new Map([...known.kinds, ...kinds]) }
  }

  /** Those that have words of their own, and any other. */
  #locales(template: string, channel: Channel): readonly (string | null)[] {
    const locales = this.#ruleSet.templates.variants(template, channel).map(({ use }) => use.locale)
    return [...new Set([null, ...locales])]
  }

  #write({ rule, action, sample, told }: Telling, channel: Channel, locale: string | null): void {
    const { templates } = this.#ruleSet
    const template = templates.find(action.template, channel, locale)
    if (template === null) return
    const key = `${channel} ${template.path} ${templates.findDefault(action.template, locale)?.path} ${told}`
    if (this.#done.has(key)) return
    this.#done.add(key)
    const events = [itemOf(sample.facts)]
    const rendering = {
      templates,
      action,
      facts: sample.facts,
      events,
      publicUrl: HUB,
      links: sampleLinks(HUB),
      postalAddress: null,
    }
    const reader = readerOf(locale)
    try {
      if (channel === "inapp") renderContent(rendering, reader)
      else if (isPersonalChannel(channel)) {
        const message = renderMessage(rendering, channel, reader, "someone")
        if (message.channel === "sms") this.#count(template.file, message.text, sample)
      }
    } catch (error) {
      if (!(error instanceof TemplateFailed)) throw error
      this.#failed(error.message, template.file, rule, channel, sample)
    }
  }

  /** Rules that share a template, and say nothing of their own, are one; so are made-up events that it cannot tell apart. */
  #told(rule: LoadedRule, action: LoadedNotify, sample: Sample): string {
    const { actionUrl, actionLabel, data } = action.overrides
    const own = actionUrl !== null || actionLabel !== null || data !== null
    const words = own ? JSON.stringify([action.actionUrl, action.actionLabel, action.data]) : ""
    if (!this.#numbers.has(sample)) this.#numbers.set(sample, this.#numbers.size)
    if (sample.from !== null) return `${this.#numbers.get(sample)} ${words}`
    const type = own || this.#looksAtTypes(action.template) ? rule.eventTypes[0] : "of any type"
    return `${type} ${shapeOf(sample.facts.payload)} ${words}`
  }

  /** Whether its words, or what they may include, can name more of an event than every made-up one has alike. */
  #looksAtTypes(template: string): boolean {
    let known = this.#looking.get(template)
    if (known === undefined) {
      const texts = Object.entries(this.#ruleSet.files).filter(([file]) =>
        [`templates/${template}/`, "templates/_"].some((start) => file.startsWith(start)),
      )
      known = texts.some(([, text]) => /\bevents?\b(?!\.(?:business_id|location_id|severity|id)\b)/.test(text))
      this.#looking.set(template, known)
    }
    return known
  }

  /** A made-up event would say little of its topic, which is made of ids. */
  #topic(rule: LoadedRule, action: LoadedBroadcast, { facts, from }: Sample): void {
    const made = broadcastOf({ rule, action }, this.#ruleSet, eventOf(facts), facts)
    if ("broadcast" in made) return
    const problem = `no broadcast of ${sampleName(from)} by the rule "${rule.name}": ${made.failure.reason}`
    this.#warn({
      ...placeOfRule(rule),
      problem,
      expected: "resources:<business>, and a location of it",
      suggestion: null,
    })
  }

  #count(file: string, text: string, { from }: Sample): void {
    const counted = smsSegments(text)
    const longest = this.#sms.get(file)
    if (longest === undefined || longest.units < counted.units) this.#sms.set(file, { file, from, ...counted })
  }

  #failed(message: string, file: string, rule: LoadedRule, channel: Channel, { from }: Sample): void {
    const said = message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message
    const missing = /: (it\b.*) is missing$/.exec(said)?.[1] ?? null
    const place = this.#placeOf(missing, file, rule)
    const problem = `no words for ${channel} of ${sampleName(from)} by the rule "${rule.name}": ${said}`
    const expected = missing === null ? null : "a value in every event, or one instead of it: ?? and a text"
    this.#warn({ ...place, problem, expected, suggestion: null })
  }

  /** Where the expression stands: in the template, in what it includes, or in the rule. */
  #placeOf(expression: string | null, file: string, rule: LoadedRule): Pick<RuleError, "file" | "line" | "column"> {
    const { files } = this.#ruleSet
    const partials = Object.keys(files).filter((path) => path.startsWith("templates/_"))
    for (const path of expression === null ? [] : [file, ...partials]) {
      const text = files[path] ?? ""
      const tag = tagsOf(text).find(({ code }) => code.includes(expression ?? ""))
      if (tag !== undefined) return { file: path, ...placeOf(text, text.indexOf(expression ?? "", tag.at)) }
    }
    return expression !== null ? placeOfRule(rule) : { file, line: 1, column: 1 }
  }

  #warn(warning: RuleError): void {
    const key = `${warning.file}:${warning.line}:${warning.column} ${warning.problem.replace(/^.*?": /, "")}`
    if (!this.#warnings.has(key)) this.#warnings.set(key, warning)
  }
}

/** Which fields there are and of what kind, whatever their values. */
const shapeOf = (payload: Facts["payload"]): string =>
  JSON.stringify(payload, (_, value: unknown) => (typeof value === "object" ? value : typeof value))

const sampleName = (from: string | null): string => (from === null ? "a made-up event" : `the event in ${from}`)

/** `rules/a.yaml:3:5` in its parts. */
export function placeOfRule({ at }: LoadedRule): Pick<RuleError, "file" | "line" | "column"> {
  const [column, line, ...file] = at.split(":").reverse()
  return { file: file.reverse().join(":"), line: Number(line), column: Number(column) }
}

const channelsOf = ({ channels, failover, escalate }: LoadedNotify): ReadonlySet<Channel> =>
  new Set([...channels, ...failover.filter(isPersonalChannel), ...escalate.flatMap((step) => step.channels)])

/** As much of the event as a topic needs. */
const eventOf = ({ event, payload }: Facts): HubEvent => ({
  id: "evt_sample" as EventId, // goes nowhere
  type: String(event["type"]),
  source: String(event["source"]),
  severity: "info",
  business: String(event["business_id"]) as BusinessId, // compared with the topic alone
  location: null,
  occurredAt: 0,
  acceptedAt: 0,
  idempotencyKey: null,
  correlationId: null,
  payload,
  extensions: {},
})

const readerOf = (locale: string | null): Recipient => ({
  id: "sample-person" as RecipientId, // goes nowhere
  name: "Sample Person",
  memberships: [],
  email: "sample@example.com",
  phone: "+9647700000000",
  telegramChatId: "1",
  slackWebhookUrl: null,
  slackUserId: null,
  deviceTokens: [],
  locale,
  timezone: "Asia/Baghdad",
})
