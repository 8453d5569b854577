/**
 * A mail as a mail program shows it. The HTML goes into a frame that may do nothing at all (`sandbox=""`), on paper of
 * its own. A link in such a frame leads nowhere, so the links stand below, where their addresses can be read too.
 */
import { directionOf } from "../shared/direction.ts"
import { button, el } from "../shared/dom.ts"
import { receiptBar, replyBar, thread } from "./answering.ts"
import type { MessageOn } from "./captured.ts"
import type { Hands } from "./hands.ts"
import { outsideLink } from "./marked.ts"

type Mail = MessageOn<"email">

const SENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" })
const VIEWS = ["Light", "Dark", "Text"] as const
type View = (typeof VIEWS)[number]

/** The frame is a document of its own: what the page's styles cannot say there. */
const frameRules = (view: View): string =>
  `<style>:root{color-scheme:${view.toLowerCase()}!important}a{pointer-events:none!important}</style>`

/** The reader's choice instead of ours: a mail that asks for light or dark gets the answer of the view. */
const asked = (html: string, view: View): string =>
  html.replace(/\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)/gi, (_, scheme: string) =>
    scheme.toLowerCase() === view.toLowerCase() ? "(min-width: 0)" : "(max-width: 0)",
  )

let preferred: View = "Light"

export function mailWindow(mail: Mail, createdAt: string, hands: Hands | null): HTMLElement {
  const dir = directionOf(mail.subject, mail.text)
  const body = el("div", { class: "mail-body" })
  const buttons = VIEWS.map((view) => {
    const node = el("button", { type: "button", class: "tab" }, view)
    node.addEventListener("click", () => show(view))
    return node
  })
  const show = (view: View): void => {
    preferred = view
    for (const node of buttons) node.setAttribute("aria-pressed", String(node.textContent === view))
    body.replaceChildren(view === "Text" ? el("pre", { class: "mail-text", dir }, mail.text) : paper(mail, view))
  }
  show(preferred)
  return el(
    "figure",
    { class: "frame mail" },
    el(
      "div",
      { class: "mail-window" },
      el(
        "header",
        { class: "mail-top" },
        el("h3", { dir }, mail.subject === "" ? "(no subject)" : mail.subject),
        el(
          "dl",
          {},
          ...row("From", "your EMAIL_FROM address"),
          ...row("To", mail.to ?? "?"),
          ...row("Date", Number.isNaN(Date.parse(createdAt)) ? "" : SENT.format(Date.parse(createdAt))),
        ),
        unsubscribing(mail.unsubscribeUrl, hands),
        el("div", { class: "tabs", role: "group", "aria-label": "Show the mail as" }, ...buttons),
      ),
      body,
    ),
    hands === null ? null : answers(hands),
    links(mail),
  )
}

const answers = (hands: Hands): HTMLElement =>
  el(
    "div",
    { class: "mail-answers" },
    receiptBar(hands, "Resend reports", [
      ["delivered", "It arrived"],
      ["opened", "It was opened"],
      ["clicked", "A link was followed"],
      ["bounced", "It bounced"],
      ["complained", "Marked as spam"],
    ]),
    thread(hands),
    replyBar(hands, "Answer the mail", []),
  )

/** What mail programs show beside the sender where the headers of RFC 8058 are there. */
function unsubscribing(url: string | null, hands: Hands | null): HTMLElement | null {
  if (url === null) return null
  return hands === null
    ? el("span", { class: "unsubscribe" }, "Unsubscribe")
    : button({ class: "unsubscribe" }, "Unsubscribe", () => hands.unsubscribe(url))
}

const row = (name: string, value: string): HTMLElement[] => [el("dt", {}, name), el("dd", {}, el("bdi", {}, value))]

function paper(mail: Mail, view: View): HTMLIFrameElement {
  const frame = el("iframe", { class: `paper ${view.toLowerCase()}`, sandbox: "", title: `The mail: ${mail.subject}` })
  const html = asked(mail.html, view)
  const rules = frameRules(view)
  frame.srcdoc = /<\/head>/i.test(html) ? html.replace(/<\/head>/i, (end) => `${rules}${end}`) : `${rules}${html}`
  return frame
}

function links(mail: Mail): HTMLElement | null {
  // Parsed into a document that is never shown: nothing in it is loaded or run.
  const parsed = new DOMParser().parseFromString(mail.html, "text/html")
  const found = new Map(
    [...parsed.querySelectorAll("a[href]")].map((a) => [a.getAttribute("href") ?? "", a.textContent]),
  )
  if (mail.actionUrl !== null && !found.has(mail.actionUrl)) found.set(mail.actionUrl, mail.actionLabel ?? "Open")
  if (found.size === 0) return null
  const items = [...found].map(([href, label]) =>
    el("li", {}, el("bdi", { class: "link-label" }, (label ?? "").trim()), outsideLink(href, href)),
  )
  return el("figcaption", { class: "links" }, el("h4", {}, "Links in this mail"), el("ul", {}, ...items))
}
