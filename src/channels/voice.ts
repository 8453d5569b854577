/** Calls by Twilio: whoever picks up hears the words, twice. */
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { VoiceMessage } from "../domain/message.ts"
import type { ChannelWorker } from "./channel.ts"
import { askTwilio, reportedTo, type TwilioAccount } from "./twilio.ts"

export interface VoiceOptions extends TwilioAccount {
  /** The number that calls, in E.164. */
  readonly from: string
  /**
   * Where Twilio tells of a key that was pressed during a delivery's call: `…/v1/inbound/twilio?delivery=…`. Null: no key
   * is asked for, because Twilio says "an application error" to whoever presses one that nobody answers.
   */
  readonly keyPressed: ((id: DeliveryId) => string) | null
  /** Where Twilio reports how a delivery's call ended. Default: nowhere. */
  readonly reportTo?: ((id: DeliveryId) => string) | null
}

/** Long enough to find the phone, and shorter than most mailboxes wait. */
const RING_SECONDS = 30
/** Twilio's limit for TwiML in a request; what is around the words takes less than the rest. */
const MAX_TWIML = 4_000
const MAX_WORDS = 3_000

/** One call a try. It is `delivered` when Twilio has taken it: who picked up is for its receipt to say. */
export function voiceChannel(options: VoiceOptions): ChannelWorker<"voice"> {
  return {
    channel: "voice",
    async send({ id, message, signal }): Promise<Outcome> {
      const twiml = callScript(message, options.keyPressed?.(id) ?? null)
      if (twiml.length > MAX_TWIML)
        return { kind: "rejected", reason: "bad_request", detail: `${twiml.length} characters of TwiML` }
      const reported = reportedTo(options.reportTo?.(id))
      const call = { to: message.to, from: options.from, twiml, timeout: RING_SECONDS, ...reported }
      return askTwilio(options, { channel: "voice", to: message.to, signal }, (client) => client.calls.create(call))
    },
  }
}

/** The call as TwiML. `keyPressed`: where a pressed key is told; null: none is asked for. */
export function callScript(
  { text, language }: Pick<VoiceMessage, "text" | "language">,
  keyPressed: string | null,
): string {
  const spoken = spokenLanguage(language)
  const attributes = `${spoken === null ? "" : ` language="${spoken}"`} loop="2"`
  const say = `<Say${attributes}>${escapedWithin(text, MAX_WORDS)}</Say>`
  if (keyPressed === null) return `<Response>${say}</Response>`
  const action = escapedWithin(keyPressed, MAX_WORDS)
  return `<Response><Gather input="dtmf" numDigits="1" action="${action}" method="POST">${say}${prompt(language)}</Gather></Response>`
}

/** How one acknowledges, where it can be said in the language of the words; Twilio's own default is English. */
function prompt(language: string | null): string {
  const [spoken = "en"] = language?.split("-") ?? []
  if (spoken === "ar") return '<Say language="arb">اضغط أي زر للتأكيد.</Say>'
  return spoken === "en" ? "<Say>Press any key to acknowledge.</Say>" : ""
}

/** Where Twilio has voices of several countries, or names the language in a way of its own, the one that is meant. */
const VOICES: Readonly<Record<string, string>> = {
  ar: "arb",
  cmn: "cmn-CN",
  da: "da-DK",
  de: "de-DE",
  en: "en-US",
  es: "es-ES",
  fi: "fi-FI",
  fr: "fr-FR",
  he: "he-IL",
  hi: "hi-IN",
  it: "it-IT",
  ja: "ja-JP",
  ko: "ko-KR",
  nb: "nb-NO",
  nl: "nl-NL",
  no: "nb-NO",
  pl: "pl-PL",
  pt: "pt-PT",
  ro: "ro-RO",
  ru: "ru-RU",
  sv: "sv-SE",
  tr: "tr-TR",
  zh: "cmn-CN",
}
const REGIONAL: ReadonlySet<string> = new Set(["en-AU", "en-GB", "en-IN", "es-MX", "es-US", "fr-CA", "pt-BR"])

/** As Twilio names a template's locale; null: it has no voice for it, or nobody said, and its own default reads. */
export function spokenLanguage(locale: string | null): string | null {
  if (locale === null) return null
  const [language = "", region = ""] = locale.split("-")
  const whole = `${language}-${region.toUpperCase()}`
  return REGIONAL.has(whole) ? whole : (VOICES[language] ?? null)
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
}

/** As XML, without what XML cannot hold, and no longer than `max` characters: cut between two of the text's. */
function escapedWithin(text: string, max: number): string {
  let escaped = ""
  for (const character of text.toWellFormed()) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 cannot hold
    const next = ESCAPES[character] ?? character.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/, "")
    if (escaped.length + next.length > max) break
    escaped += next
  }
  return escaped
}
