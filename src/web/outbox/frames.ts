/** Each message in the frame that its reader would see it in: a phone, a mail program, Telegram, Slack, a system's log. */
import { el, words } from "../shared/dom.ts"
import { A_READER, type Captured, deviceName, type Message, parsed } from "./captured.ts"
import { mailWindow } from "./mail-window.ts"
import { draw, outsideLink } from "./marked.ts"
import { readMrkdwn } from "./mrkdwn.ts"
import { segmentsOf } from "./sms-segments.ts"
import { readTelegramHtml } from "./telegram-html.ts"

type Of<C extends Message["channel"]> = Extract<Message, { channel: C }>

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" })
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" })
const clock = (time: string): string => (Number.isNaN(Date.parse(time)) ? "" : CLOCK.format(Date.parse(time)))

function when(time: string): string {
  const then = Date.parse(time)
  if (Number.isNaN(then)) return ""
  const day = DAY.format(then)
  return `${day === DAY.format(Date.now()) ? "Today" : day} ${CLOCK.format(then)}`
}

/** The message in its frame, with a line below it that a developer wants to know. */
export function frameOf({ message, createdAt }: Pick<Captured, "message" | "createdAt">): HTMLElement {
  if (message === null) return el("p", { class: "gone" }, "The text of this message is no longer kept.")
  switch (message.channel) {
    case "sms":
      return phone(message, createdAt)
    case "email":
      return mailWindow(message, createdAt)
    case "voice":
      return call(message, createdAt)
    case "push":
      return push(message, createdAt)
    case "telegram":
      return telegram(message, createdAt)
    case "slack":
      return slack(message, createdAt)
    case "webhook":
      return post(message)
  }
}

function post({ to, body, signed }: Of<"webhook">): HTMLElement {
  const json = parsed(body)
  const host = URL.parse(to ?? "")?.host ?? "a system"
  return el(
    "figure",
    { class: "frame webhook" },
    el("pre", { dir: "ltr", tabindex: "0" }, json === null ? body : JSON.stringify(json, null, 2)),
    el("figcaption", {}, `POST to ${host} · ${signed ? "signed as a Standard Webhook" : "not signed"}`),
  )
}

function phone(message: Of<"sms">, createdAt: string): HTMLElement {
  const { encoding, count, length } = segmentsOf(message.text)
  const parts = `${count} ${count === 1 ? "segment" : "segments"}`
  return el(
    "figure",
    { class: "frame sms" },
    el(
      "div",
      { class: "phone" },
      el("div", { class: "phone-top" }, el("span", { class: "avatar", "aria-hidden": "true" }, "H"), "Your sender"),
      el(
        "div",
        { class: "phone-screen" },
        el("p", { class: "phone-when" }, when(createdAt)),
        el("p", { class: "bubble", dir: "auto" }, message.text),
      ),
    ),
    el("figcaption", {}, `To ${message.to ?? "?"} · ${parts}, ${length} characters in ${encoding}`),
  )
}

/** What is heard, as a transcript: twice, as the call reads it. */
function call(message: Of<"voice">, createdAt: string): HTMLElement {
  const lang = message.language === null ? {} : { lang: message.language }
  const said = (): HTMLElement => el("blockquote", { dir: "auto", ...lang }, message.text)
  return el(
    "figure",
    { class: "frame voice" },
    el(
      "div",
      { class: "phone" },
      el(
        "div",
        { class: "phone-top" },
        el("span", { class: "avatar", "aria-hidden": "true" }, "H"),
        "Your number calls",
      ),
      el("div", { class: "phone-screen" }, el("p", { class: "phone-when" }, when(createdAt)), said(), said()),
    ),
    el(
      "figcaption",
      {},
      `Call to ${message.to ?? "?"} · read twice${message.language === null ? "" : ` · ${message.language}`}`,
    ),
  )
}

/** A locked screen with one card on it. */
function push(message: Of<"push">, createdAt: string): HTMLElement {
  const { title, text, actionUrl, platform, priority } = message
  const opens = actionUrl === null ? "opens the app" : `opens ${URL.parse(actionUrl)?.pathname ?? actionUrl}`
  return el(
    "figure",
    { class: "frame push" },
    el(
      "div",
      { class: "phone" },
      el("p", { class: "lock-clock", "aria-hidden": "true" }, clock(createdAt)),
      el(
        "div",
        { class: "card" },
        el("p", { class: "card-top" }, "Hubbub", el("span", { class: "when" }, clock(createdAt))),
        el("p", { class: "card-title", dir: "auto" }, title),
        el("p", { class: "card-text", dir: "auto" }, text),
      ),
    ),
    el("figcaption", {}, `To ${deviceName(platform)} · ${opens} · ${priority} priority`),
  )
}

/** As the channel does it: Telegram takes buttons only to places on the public web. */
const takesButton = (url: string): boolean => {
  const parsed = URL.parse(url)
  return (
    parsed?.protocol === "https:" && parsed.hostname.includes(".") && !/^[\d.]+$|\.local(host)?$/.test(parsed.hostname)
  )
}

function telegram(message: Of<"telegram">, createdAt: string): HTMLElement {
  const { marked, refusal } = readTelegramHtml(message.html)
  const { actionUrl } = message
  const label = message.actionLabel ?? "Open"
  const asButton = actionUrl !== null && takesButton(actionUrl)
  const text = el("div", { class: "text", dir: "auto" }, ...draw(marked))
  if (actionUrl !== null && !asButton) text.append("\n\n", `${label}: `, outsideLink(actionUrl, actionUrl))
  const button = asButton ? outsideLink(actionUrl, words(label)) : null
  button?.classList.add("telegram-button")
  const chat = message.to === A_READER ? A_READER : `chat ${message.to ?? "?"}`
  const caption = `To ${chat}${actionUrl === null || asButton ? "" : " · the link is text, because Telegram takes buttons to public https addresses only"}`
  return el(
    "figure",
    { class: "frame telegram" },
    el(
      "div",
      { class: "chat" },
      el("div", { class: "bubble" }, text, el("span", { class: "when" }, clock(createdAt))),
      button,
    ),
    refusal === null ? null : el("p", { class: "refusal" }, `Telegram would refuse this message: ${refusal}.`),
    el("figcaption", {}, caption),
  )
}

function slack(message: Of<"slack">, createdAt: string): HTMLElement {
  const text = el("div", { class: "text", dir: "auto" }, ...draw(readMrkdwn(message.text)))
  if (message.actionUrl !== null)
    text.append("\n", outsideLink(message.actionUrl, words(message.actionLabel ?? "Open")))
  return el(
    "figure",
    { class: "frame slack" },
    el(
      "div",
      { class: "post" },
      el("span", { class: "app", "aria-hidden": "true" }, "H"),
      el(
        "div",
        { class: "post-body" },
        el(
          "p",
          { class: "post-top" },
          el("b", {}, "Hubbub"),
          el("span", { class: "badge" }, "APP"),
          el("span", { class: "when" }, clock(createdAt)),
        ),
        text,
      ),
    ),
    el("figcaption", {}, slackCaption(message.to)),
  )
}

function slackCaption(to: string | null): string {
  if (to === A_READER) return `To ${A_READER}`
  const host = to === null ? undefined : URL.parse(to)?.host
  return host === undefined ? "To the hub's own Slack webhook" : `To a webhook at ${host}`
}
