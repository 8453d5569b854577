/** A small form on each card that makes something happen there, by the same doors as a producer's. */
import { button, el } from "../shared/dom.ts"
import { sampleInvoice } from "../shared/sample-invoice.ts"
import type { Ask } from "./ask.ts"
import type { Wanted } from "./link.ts"

/** Null where nothing that one can send would show up. */
export function sampleForm({ topic, place }: Wanted, number: number, ask: Ask): HTMLElement | null {
  const person = topic.startsWith("notifications:") ? topic.slice("notifications:".length) : ""
  const form = place !== null ? resourceForm(place, number, ask) : person === "" ? null : notificationForm(person, ask)
  return form === null ? null : el("details", { class: "tool" }, el("summary", {}, "Send a sample"), form)
}

const TYPES = ["resource_created", "resource_updated", "resource_patched", "resource_deleted"]

function resourceForm(place: NonNullable<Wanted["place"]>, number: number, ask: Ask): HTMLElement {
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
    void ask("api/notifications", {
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

function notificationForm(person: string, ask: Ask): HTMLElement {
  const said = el("p", { class: "hint", role: "status" })
  return el(
    "div",
    { class: "tool-form" },
    el("p", { class: "hint" }, "An overdue invoice of theirs, which a shipped rule tells them of."),
    el(
      "div",
      { class: "row" },
      button({ class: "button" }, "Send an overdue invoice", async () => {
        said.textContent = "Sending…"
        said.textContent = await ask("v1/events", sampleInvoice(person))
      }),
    ),
    said,
  )
}
