/**
 * What the law wants to stand in messages that advertise: how to stop them, and in mail who sends them from where (CAN-SPAM;
 * 47 CFR 64.1200). Added only where the template does not say it itself.
 */
import { cutText, escapeHtml } from "./escape.ts"

interface Lines {
  readonly unsubscribe: string
  readonly stop: string
}

const ENGLISH: Lines = { unsubscribe: "Unsubscribe", stop: "Reply STOP to unsubscribe" }
/** By the language of the template. */
const LINES: Readonly<Record<string, Lines>> = {
  ar: { unsubscribe: "إلغاء الاشتراك", stop: "أرسل STOP لإلغاء الاشتراك" },
}

const linesIn = (language: string | null): Lines => LINES[language?.split("-")[0] ?? ""] ?? ENGLISH

export interface MailWords {
  readonly subject: string
  readonly html: string
  readonly text: string
}

/** With the link and the sender's postal address at the end. `postalAddress` null: nobody has set it. */
export function withFooter(
  mail: MailWords,
  {
    unsubscribe,
    postalAddress,
    language,
  }: {
    readonly unsubscribe: string
    readonly postalAddress: string | null
    readonly language: string | null
  },
): MailWords {
  const { html, text } = mail
  const label = linesIn(language).unsubscribe
  const link = html.includes(escapeHtml(unsubscribe)) ? null : unsubscribe
  const address = postalAddress === null || text.includes(postalAddress) ? null : postalAddress
  if (link === null && address === null) return mail
  const lines = [
    ...(address === null ? [] : [escapeHtml(address)]),
    ...(link === null ? [] : [`<a href="${escapeHtml(link)}">${escapeHtml(label)}</a>`]),
  ]
  const footer = `<p style="margin:16px 0;font-size:12px;text-align:center;color:#6a7772">${lines.join("<br>")}</p>`
  const end = html.search(/<\/body>/i)
  return {
    ...mail,
    html: end === -1 ? `${html}\n${footer}` : `${html.slice(0, end)}${footer}\n${html.slice(end)}`,
    text: [text, [address, link === null ? null : `${label}: ${link}`].filter((line) => line !== null).join("\n")].join(
      "\n\n",
    ),
  }
}

/** With the word that stops them; the rest is cut rather than it. */
export function withStop(text: string, language: string | null, most: number): string {
  if (/\bSTOP\b/i.test(text)) return text
  const { stop } = linesIn(language)
  return `${cutText(text, most - stop.length - 1)}\n${stop}`
}
