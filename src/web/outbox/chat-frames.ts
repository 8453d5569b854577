/** Telegram and Slack, with the buttons that a message has there and a place to answer. */
import { button, el, words } from "../shared/dom.ts"
import { replyBar, thread } from "./answering.ts"
import { A_READER, type MessageOn } from "./captured.ts"
import { clock } from "./clock.ts"
import type { Hands } from "./hands.ts"
import { draw, outsideLink } from "./marked.ts"
import { readMrkdwn } from "./mrkdwn.ts"
import { readTelegramHtml } from "./telegram-html.ts"

const ACKNOWLEDGE = "Acknowledge"

/** As the channel does it: Telegram takes buttons only to places on the public web. */
const takesButton = (url: string): boolean => {
  const parsed = URL.parse(url)
  return (
    parsed?.protocol === "https:" && parsed.hostname.includes(".") && !/^[\d.]+$|\.local(host)?$/.test(parsed.hostname)
  )
}

/** The button of a message that asks for it; without hands it is only shown. */
const asking = (className: string, hands: Hands | null): HTMLElement =>
  hands === null
    ? el("span", { class: className }, ACKNOWLEDGE)
    : button({ class: className }, ACKNOWLEDGE, () => hands.acknowledge(`Pressed ${ACKNOWLEDGE}`))

export function telegram(message: MessageOn<"telegram">, createdAt: string, hands: Hands | null): HTMLElement {
  const { marked, refusal } = readTelegramHtml(message.html)
  const { actionUrl, asks } = message
  const label = message.actionLabel ?? "Open"
  const asButton = actionUrl !== null && takesButton(actionUrl)
  const text = el("div", { class: "text", dir: "auto" }, ...draw(marked))
  if (actionUrl !== null && !asButton) text.append("\n\n", `${label}: `, outsideLink(actionUrl, actionUrl))
  const link = asButton ? outsideLink(actionUrl, words(label)) : null
  link?.classList.add("telegram-button")
  const chat = message.to === A_READER ? A_READER : `chat ${message.to ?? "?"}`
  const caption = `To ${chat}${actionUrl === null || asButton ? "" : " · the link is text, because Telegram takes buttons to public https addresses only"}`
  return el(
    "figure",
    { class: "frame telegram" },
    el(
      "div",
      { class: "chat" },
      el("div", { class: "bubble" }, text, el("span", { class: "when" }, clock(createdAt))),
      link,
      asks ? asking("telegram-button", hands) : null,
      hands === null ? null : thread(hands),
    ),
    hands === null ? null : replyBar(hands, "Message", ["OK", "/stop", "/start"]),
    refusal === null ? null : el("p", { class: "refusal" }, `Telegram would refuse this message: ${refusal}.`),
    el("figcaption", {}, caption),
  )
}

export function slack(message: MessageOn<"slack">, createdAt: string, hands: Hands | null): HTMLElement {
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
        message.asks ? asking("slack-button", hands) : null,
        hands === null ? null : thread(hands),
        hands === null ? null : replyBar(hands, "Reply in the thread", ["OK"]),
      ),
    ),
    el("figcaption", {}, slackCaption(message.to)),
  )
}

function slackCaption(to: string | null): string {
  if (to === A_READER) return `To ${A_READER}`
  if (to === null) return "To the hub's own Slack webhook"
  const host = URL.parse(to)?.host
  return host === undefined ? `To ${to}, by the bot` : `To a webhook at ${host}`
}
