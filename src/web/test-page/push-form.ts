/** A small form on each card: an event of one's own to the topic, and what the hub replies. */
import { el } from "../shared/dom.ts"
import { fields } from "../shared/fields.ts"
import { pretty } from "./message-list.ts"
import type { PushAnswer, Subscription } from "./subscription.ts"
import { seconds } from "./words.ts"

/** What the hub's topics take, and in which words. */
const KNOWN: Readonly<Record<string, { readonly events: readonly string[]; readonly payload: string }>> = {
  notifications: { events: ["read", "seen", "ack"], payload: '{"notification_id": "ntf_…"}' },
  resources: { events: ["presence_update"], payload: '{"name": "…"}' },
}

export interface PushForm {
  readonly node: HTMLElement
  /** A push is only sent while the topic is joined. */
  joined(yes: boolean): void
}

export function pushForm(subscription: Subscription, number: number): PushForm {
  const { topic } = subscription.wanted
  const { events: known, payload: example } = KNOWN[topic.split(":")[0] ?? ""] ?? { events: ["ping"], payload: "{}" }
  const suggestions = el("datalist", { id: `events-${number}` }, ...known.map((value) => el("option", { value })))
  const event = el("input", {
    id: `event-${number}`,
    required: true,
    maxlength: "255",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    list: `events-${number}`,
    placeholder: known[0] ?? null,
  })
  const payload = el("textarea", {
    id: `payload-${number}`,
    rows: "2",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: example,
  })
  const send = el("button", { type: "submit", class: "button" }, "Push")
  const reply = el("div", { class: "reply", role: "status" })
  const form = el(
    "form",
    { class: "tool-form" },
    el("label", { for: `event-${number}` }, "Event"),
    event,
    suggestions,
    el("label", { for: `payload-${number}` }, "Payload (JSON)"),
    payload,
    el("div", { class: "row" }, send),
    reply,
  )
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault()
    const read = readPayload(payload.value)
    payload.setAttribute("aria-invalid", String(read === null))
    if (read === null) {
      reply.replaceChildren(el("p", { class: "problem" }, "The payload is no JSON object."))
      return
    }
    void push(event.value.trim(), read)
  })

  async function push(name: string, body: object): Promise<void> {
    reply.replaceChildren(el("p", { class: "hint" }, "Waiting for the reply…"))
    reply.replaceChildren(...told(await subscription.push(name, body)))
  }

  return {
    node: el("details", { class: "tool" }, el("summary", {}, "Push an event"), form),
    joined(yes) {
      send.disabled = !yes
    },
  }
}

function told(answer: PushAnswer): readonly Node[] {
  if (answer.status === "timeout") return [el("p", { class: "hint" }, "No reply in 10 s.")]
  const { status, response, ms } = answer
  return [
    el("p", { class: "hint" }, el("b", { "data-status": status }, status), ` after ${seconds(ms)}`),
    pretty(response),
  ]
}

function readPayload(text: string): object | null {
  if (text.trim() === "") return {}
  try {
    return fields(JSON.parse(text))
  } catch {
    return null
  }
}
