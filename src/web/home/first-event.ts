/** What to do with an empty inbox: the line that makes a notification appear, to copy, or a button that does the same. */
import type { Api } from "../shared/api.ts"
import { button, el } from "../shared/dom.ts"
import { sampleInvoice } from "../shared/sample-invoice.ts"
import type { Session } from "../shared/session.ts"
import { notice } from "./notice.ts"

/** Roles whose token may itself send events. */
const SENDERS = new Set(["admin", "service", "system"])

/** The command for a terminal. `events` is the address that takes events; nothing in it can end the quotes. */
export const curlLine = (events: string, person: string): string =>
  [
    `curl -X POST ${events}`,
    `-H "Authorization: Bearer YOUR_KEY"`,
    `-H "Content-Type: application/json"`,
    `-d '${JSON.stringify(sampleInvoice(person)).replaceAll("'", "\\u0027")}'`,
  ].join(" ")

/** The line, its copy button, where the key is, and where the token allows it a button that sends from here. */
export function firstEvent(session: Session, api: Api): HTMLElement {
  const line = curlLine(new URL("v1/events", document.baseURI).href, session.person)
  const code = el("code", {}, line)
  const copy = button({ class: "button" }, "Copy", () => copyText(line, code, copy))
  const send = async (): Promise<void> => {
    const answer = await api.call("POST", "v1/events", sampleInvoice(session.person))
    if (answer.kind === "failed") notice(`The event was not taken: ${answer.detail}.`)
  }
  const maySend = session.roles.some((role) => SENDERS.has(role))
  return el(
    "div",
    { class: "first-event" },
    el("pre", { class: "command", tabindex: "0", "aria-label": "The command" }, code),
    el(
      "p",
      { class: "hint" },
      "Put your key in the place of ",
      el("code", {}, "YOUR_KEY"),
      ": the terminal where ",
      el("code", {}, "npm start"),
      " runs has printed this line with the key already in it.",
    ),
    el("div", { class: "row" }, copy, maySend ? button({ class: "button primary" }, "Send it from here", send) : null),
  )
}

async function copyText(text: string, shown: HTMLElement, from: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    from.textContent = "Copied"
    setTimeout(() => {
      from.textContent = "Copy"
    }, 2_000)
  } catch {
    // No clipboard without https, except on localhost: select it, so that one key copies it.
    getSelection()?.selectAllChildren(shown)
    notice("Selected: press Ctrl+C (⌘C) to copy.")
  }
}
