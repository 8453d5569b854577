/** What a delivery belongs to: its event, its people, its rule and the rules' revision. */
import { el, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import type { Trace } from "../shared/trace.ts"
import type { Delivery } from "./shapes.ts"

export function factsOf(delivery: Delivery, trace: Trace | null): HTMLElement {
  const { id, eventId, rule, revision, expiresAt, settledAt, notificationIds } = delivery
  const told = new Map(trace?.notifications.map((one) => [one.id, one.recipient]))
  const people = notificationIds.map((notification) => {
    const recipient = told.get(notification)
    return el(
      "li",
      {},
      recipient === undefined ? null : words(recipient, "recipient"),
      el("code", { title: "The notification" }, notification),
    )
  })
  return el(
    "dl",
    { class: "facts" },
    ...fact(
      "Event",
      trace === null ? null : el("p", { class: "event-type", dir: "auto" }, trace.event.type),
      trace === null || trace.event.place === ""
        ? null
        : el("p", { class: "hint" }, `${trace.event.source} · ${trace.event.place}`),
      el("code", {}, eventId),
      el(
        "p",
        { class: "ways" },
        el("a", { href: `./?event=${encodeURIComponent(eventId)}` }, "What followed from it"),
        el("a", { href: `./rules?event=${encodeURIComponent(eventId)}` }, "Try it again with other values"),
      ),
    ),
    ...fact(
      people.length === 0 ? "For" : people.length === 1 ? "For one person" : `For ${people.length} people, one message`,
      people.length === 0
        ? el("p", { class: "hint" }, "A system, not a person")
        : el("ul", { class: "list people" }, ...people),
    ),
    ...fact(
      "Rule",
      el("a", { href: `./rules#${encodeURIComponent(rule)}` }, words(rule)),
      el("p", { class: "hint" }, "Revision ", el("code", { title: revision }, revision.slice(0, 12))),
    ),
    ...(settledAt === null ? [] : fact("Ended", moment(settledAt))),
    ...(expiresAt === null ? [] : fact("Worth nothing after", moment(expiresAt))),
    ...fact("Delivery", el("code", {}, id)),
  )
}

const fact = (name: string, ...values: readonly (Node | null)[]): readonly HTMLElement[] => [
  el("dt", {}, name),
  el("dd", {}, ...values),
]
