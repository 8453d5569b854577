/** Where a message is answered, inside the program that its reader holds: what was said, a line to write on, buttons. */
import { button, el } from "../shared/dom.ts"
import type { Hands } from "./hands.ts"

/** What was said since, oldest first; spoken by screen readers as it comes. */
export function thread(hands: Hands): HTMLElement {
  const log = el("div", { class: "thread", role: "log", "aria-label": "Answers" })
  hands.watch(() => {
    log.replaceChildren(...hands.said.map(({ from, text }) => el("p", { class: `said ${from}`, dir: "auto" }, text)))
    log.lastElementChild?.scrollIntoView({ block: "nearest" })
  })
  return log
}

/** A line to answer on, with words to press instead of writing them. */
export function replyBar(hands: Hands, placeholder: string, suggestions: readonly string[]): HTMLElement {
  const input = el("input", {
    type: "text",
    class: "reply-words",
    placeholder,
    "aria-label": placeholder,
    autocomplete: "off",
    dir: "auto",
    maxlength: "2000",
  })
  const send = el("button", { type: "submit", class: "reply-send", "aria-label": "Send the answer" }, "↑")
  const form = el(
    "form",
    { class: "reply" },
    el(
      "div",
      { class: "chips", role: "group", "aria-label": "Usual answers" },
      ...suggestions.map((words) => button({ class: "chip" }, words, () => hands.reply(words))),
    ),
    el("div", { class: "reply-line" }, input, send),
  )
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const words = input.value.trim()
    if (words === "" || send.disabled) return
    input.value = ""
    send.disabled = true
    void hands.reply(words).finally(() => {
      send.disabled = false
    })
  })
  return form
}

/** What a provider may report of it later. */
export const receiptBar = (
  hands: Hands,
  label: string,
  receipts: readonly (readonly [receipt: string, words: string])[],
): HTMLElement =>
  el(
    "div",
    { class: "receipts", role: "group", "aria-label": label },
    el("span", { class: "receipts-label", "aria-hidden": "true" }, label),
    ...receipts.map(([receipt, words]) => button({ class: "chip" }, words, () => hands.report(receipt))),
  )
