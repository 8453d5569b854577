/** A text message, a call and a push, on the phone or the desk of whoever has them. */
import { button, el } from "../shared/dom.ts"
import { receiptBar, replyBar, thread } from "./answering.ts"
import { deviceName, type MessageOn } from "./captured.ts"
import { clock, when } from "./clock.ts"
import type { Hands } from "./hands.ts"
import { segmentsOf } from "./sms-segments.ts"

const top = (name: string): HTMLElement =>
  el("div", { class: "phone-top" }, el("span", { class: "avatar", "aria-hidden": "true" }, "H"), name)

export function sms(message: MessageOn<"sms">, createdAt: string, hands: Hands | null): HTMLElement {
  const { encoding, count, length } = segmentsOf(message.text)
  const parts = `${count} ${count === 1 ? "segment" : "segments"}`
  return el(
    "figure",
    { class: "frame sms" },
    el(
      "div",
      { class: "phone" },
      top("Your sender"),
      el(
        "div",
        { class: "phone-screen" },
        el("p", { class: "phone-when" }, when(createdAt)),
        el("p", { class: "bubble", dir: "auto" }, message.text),
        hands === null ? null : thread(hands),
      ),
      hands === null ? null : replyBar(hands, "Text message", ["OK", "STOP", "START", "HELP"]),
    ),
    hands === null
      ? null
      : receiptBar(hands, "Twilio reports", [
          ["delivered", "It arrived"],
          ["undelivered", "It did not arrive"],
        ]),
    el(
      "figcaption",
      {},
      `To ${message.to ?? "?"} · ${parts}, ${length} characters in ${encoding}${hands === null ? "" : " · answers are to the last message of the number"}`,
    ),
  )
}

/** What is heard, as a transcript: twice, as the call reads it. */
export function call(message: MessageOn<"voice">, createdAt: string, hands: Hands | null): HTMLElement {
  const lang = message.language === null ? {} : { lang: message.language }
  const said = (): HTMLElement => el("blockquote", { dir: "auto", ...lang }, message.text)
  const keys =
    hands === null
      ? null
      : el(
          "div",
          { class: "keypad" },
          button({ class: "key", "aria-label": "Press key 1: acknowledge" }, "1", () => hands.acknowledge("Key 1")),
          el("span", { class: "keypad-label" }, "Any key acknowledges"),
        )
  return el(
    "figure",
    { class: "frame voice" },
    el(
      "div",
      { class: "phone" },
      top("Your number calls"),
      el(
        "div",
        { class: "phone-screen" },
        el("p", { class: "phone-when" }, when(createdAt)),
        said(),
        said(),
        hands === null ? null : thread(hands),
      ),
      keys,
    ),
    hands === null
      ? null
      : receiptBar(hands, "Twilio reports", [
          ["delivered", "Somebody picked up"],
          ["undelivered", "Nobody picked up"],
        ]),
    el(
      "figcaption",
      {},
      `Call to ${message.to ?? "?"} · read twice${message.language === null ? "" : ` · ${message.language}`}`,
    ),
  )
}

/** On a phone's locked screen, in Android's or Apple's manner; of a browser in the corner of a desk's screen. */
export function push(message: MessageOn<"push">, createdAt: string): HTMLElement {
  const { title, text, actionUrl, actionLabel, platform, priority } = message
  const opens = actionUrl === null ? "opens the app" : `opens ${URL.parse(actionUrl)?.pathname ?? actionUrl}`
  const browser = platform === "web"
  const words = [
    el("p", { class: "card-title", dir: "auto" }, title),
    el("p", { class: "card-text", dir: "auto" }, text),
  ]
  const mark = el("span", { class: "app-mark", "aria-hidden": "true" }, "H")
  const card = browser
    ? el(
        "div",
        { class: "card" },
        mark,
        el("div", { class: "card-words" }, ...words, el("p", { class: "card-from" }, `${location.host} · browser`)),
      )
    : el(
        "div",
        { class: "card" },
        el(
          "p",
          { class: "card-top" },
          mark,
          "Hubbub",
          el("span", { class: "when" }, platform === "ios" ? "now" : "• now"),
        ),
        ...words,
        platform === "android" && actionUrl !== null
          ? el("p", { class: "card-actions", dir: "auto" }, actionLabel ?? "Open")
          : null,
      )
  return el(
    "figure",
    { class: `frame push ${browser ? "desktop" : platform}` },
    browser
      ? el("div", { class: "desk-screen" }, card)
      : el("div", { class: "phone" }, el("p", { class: "lock-clock", "aria-hidden": "true" }, clock(createdAt)), card),
    el("figcaption", {}, `To ${deviceName(platform)} · ${opens} · ${priority} priority`),
  )
}
