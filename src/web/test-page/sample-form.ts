/** A small form on each card that makes something happen there, by the same doors as a producer's. */
import { createApi } from "../shared/api.ts"
import { button, el } from "../shared/dom.ts"
import type { Wanted } from "./link.ts"
import { refusedCall } from "./words.ts"

/** What the hub said, in words. */
export type SendSample = (path: string, body: object) => Promise<string>

/** Sends with this key, which is asked for each time. */
export const sampleSender =
  (key: () => string): SendSample =>
  async (path, body) => {
    const answer = await createApi(key(), () => {}).call("POST", path, body)
    if (answer.kind === "ok") return "Accepted."
    return answer.kind === "refused" ? refusedCall(401, answer.detail) : refusedCall(answer.status, answer.detail)
  }

/** Null where nothing that one can send would show up. */
export function sampleForm({ topic, place }: Wanted, number: number, send: SendSample): HTMLElement | null {
  const person = topic.startsWith("notifications:") ? topic.slice("notifications:".length) : ""
  const form =
    place !== null ? resourceForm(place, number, send) : person === "" ? null : notificationForm(person, send)
  return form === null ? null : el("details", { class: "tool" }, el("summary", {}, "Send a sample"), form)
}

const TYPES = ["resource_created", "resource_updated", "resource_patched", "resource_deleted"]

function resourceForm(place: NonNullable<Wanted["place"]>, number: number, send: SendSample): HTMLElement {
  const type = el(
    "select",
    { id: `type-${number}` },
    ...TYPES.map((name) => el("option", { selected: name === "resource_updated" }, name)),
  )
  const field = (id: string, value: string): HTMLInputElement =>
    el("input", { id: `${id}-${number}`, required: true, value, autocomplete: "off", spellcheck: "false" })
  const kind = field("resource-type", "reservation")
  const id = field("resource", "resource-789")
  const said = el("p", { class: "hint", role: "status" })
  const submit = el("button", { type: "submit", class: "button" }, "Send to this place")
  const form = el(
    "form",
    { class: "tool-form" },
    el(
      "div",
      { class: "pair" },
      el("div", {}, el("label", { for: type.id }, "Type"), type),
      el("div", {}, el("label", { for: kind.id }, "Resource type"), kind),
    ),
    el("label", { for: id.id }, "Resource"),
    id,
    el("div", { class: "row" }, submit),
    said,
  )
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    submit.disabled = true
    said.textContent = "Sending…"
    void send("api/notifications", {
      type: type.value,
      resourceType: kind.value.trim(),
      businessId: place.business,
      ...(place.location === null ? {} : { locationId: place.location }),
      resourceId: id.value.trim(),
      shardId: "shard-001",
      timestamp: new Date().toISOString(),
    }).then((answer) => {
      said.textContent = answer
      submit.disabled = false
    })
  })
  return form
}

function notificationForm(person: string, send: SendSample): HTMLElement {
  const said = el("p", { class: "hint", role: "status" })
  // An event that a shipped rule tells its owner of.
  const sample = {
    type: "invoice.overdue",
    source: "invoicing",
    payload: {
      invoice_id: "inv-1",
      invoice_number: "INV-1",
      customer_name: "Al Noor Trading",
      days_overdue: 9,
      amount_due: 1_250_000,
      currency: "IQD",
      owner_id: person,
    },
  }
  return el(
    "div",
    { class: "tool-form" },
    el("p", { class: "hint" }, "An overdue invoice of theirs, which a shipped rule tells them of."),
    el(
      "div",
      { class: "row" },
      button({ class: "button" }, "Send an overdue invoice", async () => {
        said.textContent = "Sending…"
        said.textContent = await send("v1/events", sample)
      }),
    ),
    said,
  )
}
