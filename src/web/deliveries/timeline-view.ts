/** How a delivery reads: how it stands, then everything that happened with the waiting between, and what it belongs to. */
import { button, el, icon, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import type { Trace } from "../shared/trace.ts"
import { factsOf } from "./facts.ts"
import { happenings } from "./rail.ts"
import type { Delivery } from "./shapes.ts"
import { channelName, headline } from "./words.ts"

/** `replay` sends it again, and answers what is wrong, or null. */
export function deliveryView(
  delivery: Delivery,
  trace: Trace | null,
  replay: () => Promise<string | null>,
): HTMLElement {
  return el(
    "article",
    { "aria-labelledby": "how" },
    el("p", { class: "up" }, el("a", { href: "./deliveries" }, icon("back"), "All deliveries")),
    hero(delivery, replay),
    el(
      "div",
      { class: "columns" },
      el(
        "section",
        { "aria-labelledby": "happened" },
        el("h3", { id: "happened" }, "What happened"),
        el("ol", { class: "rail list" }, ...happenings(delivery, trace)),
      ),
      el(
        "section",
        { class: "about", "aria-labelledby": "about" },
        el("h3", { id: "about" }, "What it belongs to"),
        factsOf(delivery, trace),
      ),
    ),
  )
}

function hero(delivery: Delivery, replay: () => Promise<string | null>): HTMLElement {
  const { channel, rule, next, maybeDuplicate, createdAt, attempts, status } = delivery
  const { mood, title } = headline(delivery)
  const tries = `${attempts.length} ${attempts.length === 1 ? "try" : "tries"}`
  return el(
    "header",
    { class: "hero", "data-mood": mood },
    el("span", { class: "sign" }, icon(mood)),
    el(
      "div",
      { class: "hero-words" },
      el(
        "h2",
        { id: "how", tabindex: "-1" },
        title,
        next?.at == null
          ? null
          : el("span", { class: "next-at" }, " · next try ", el("span", { "data-until": next.at })),
      ),
      next === null ? null : el("p", { class: "why" }, next.sentence),
      el(
        "p",
        { class: "tags" },
        el("span", { class: "tag" }, icon(channel), channelName(channel)),
        el("a", { class: "tag", href: `./rules#${encodeURIComponent(rule)}` }, words(rule)),
        attempts.length === 0 ? null : el("span", { class: "tag" }, tries),
        maybeDuplicate ? el("span", { class: "tag warn" }, "may arrive twice") : null,
        moment(createdAt),
      ),
    ),
    actions(delivery, status === "dead" || status === "unknown" ? replay : null),
  )
}

function actions({ id, status }: Delivery, replay: (() => Promise<string | null>) | null): HTMLElement {
  const problem = el("p", { class: "problem", role: "alert", hidden: true })
  const send =
    replay === null
      ? null
      : button({ class: "button primary", id: "replay" }, "Send again", async () => {
          const wrong = await replay()
          problem.hidden = wrong === null
          problem.textContent = wrong === null ? "" : `Not sent again: ${wrong}.`
        })
  const captured = status === "captured"
  return el(
    "div",
    { class: "actions" },
    send,
    captured ? el("a", { class: "button", id: "message", href: `./outbox#${id}` }, "See the message") : null,
    problem,
  )
}
