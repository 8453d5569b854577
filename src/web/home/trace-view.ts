/** How a trace reads: the event, then who was told and how, then every rule with its reason. */
import { el, icon, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import { reasonSaid } from "../shared/reasons.ts"
import type { Trace, TraceDelivery, TraceRule } from "../shared/trace.ts"
import { severityWord } from "./severity.ts"

export function traceView(trace: Trace, payload: unknown, payloadOpen: boolean): readonly HTMLElement[] {
  const matched = trace.rules.filter((rule) => rule.verdict !== "not_matched")
  const others = trace.rules.filter((rule) => rule.verdict === "not_matched")
  const spoke = new Set(trace.notifications.map((told) => told.rule))
  return [
    eventPart(trace),
    el("section", {}, el("h3", {}, "Who was told"), toldPart(trace)),
    el(
      "section",
      {},
      el("h3", {}, "What the rules said"),
      el("p", { class: "hint" }, sentence(trace.reason)),
      el("ul", { class: "rules list" }, ...[...matched, ...others].map((rule) => ruleRow(rule, spoke.has(rule.rule)))),
    ),
    ...(payload === null ? [] : [payloadPart(payload, payloadOpen)]),
  ]
}

function eventPart({ event, revision }: Trace): HTMLElement {
  const fact = (name: string, value: Node | string): HTMLElement =>
    el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, value))
  return el(
    "section",
    {},
    el("p", { class: "event-name", dir: "auto" }, event.type),
    el(
      "dl",
      { class: "facts" },
      fact("Severity", severityWord(event.severity)),
      fact("Source", event.source),
      fact("Place", event.place || "–"),
      fact("Happened", moment(event.occurredAt)),
      fact("Accepted", moment(event.acceptedAt)),
      revision === null ? null : fact("Rules' revision", el("code", { title: revision }, revision.slice(0, 12))),
      el("div", { class: "wide" }, el("dt", {}, "Event"), el("dd", {}, el("code", {}, event.id))),
    ),
    el(
      "p",
      { class: "hint" },
      el("a", { href: `./rules?event=${encodeURIComponent(event.id)}` }, "Try it with other values"),
    ),
  )
}

function toldPart(trace: Trace): HTMLElement {
  if (trace.notifications.length === 0) {
    return el(
      "p",
      { class: "hint" },
      trace.status === "waiting" ? "The event waits for the rules: a moment." : "Nobody: no rule made a notification.",
    )
  }
  return el(
    "ul",
    { class: "told list" },
    ...trace.notifications.map((told) =>
      el(
        "li",
        {},
        el("p", {}, words(told.recipient, "recipient"), ruleLink(told.rule)),
        el(
          "ul",
          { class: "ways list" },
          told.inbox ? way("inbox", "delivered", "in their inbox", []) : null,
          ...told.deliveries.map(deliveryRow),
        ),
      ),
    ),
  )
}

const ruleLink = (rule: string): HTMLElement =>
  el("a", { class: "rule", href: `./rules#${encodeURIComponent(rule)}`, dir: "auto" }, rule)

/** What each status means for somebody who does not know the word. */
const STATUS: ReadonlyMap<string, string> = new Map([
  ["scheduled", "waits for its time"],
  ["queued", "about to be sent"],
  ["sending", "being sent"],
  ["delivered", "taken by the provider"],
  ["retrying", "not sent yet, will be tried again"],
  ["dead", "given up"],
  ["unknown", "nobody knows whether it was sent"],
  ["suppressed", "held back"],
  ["expired", "too late to be of use"],
  ["captured", "kept in the outbox; nothing left this machine"],
  ["cancelled", "called off"],
])

function deliveryRow(delivery: TraceDelivery): HTMLElement {
  const said = [
    STATUS.get(delivery.status) ?? "",
    delivery.reason === null ? "" : reasonSaid(delivery.reason),
    delivery.maybeDuplicate ? "may have been sent twice" : "",
  ].filter((word) => word !== "")
  const timeline = el("a", { href: `./deliveries?id=${encodeURIComponent(delivery.id)}` }, "Timeline")
  const outbox = delivery.status === "captured" ? el("a", { href: `./outbox#${delivery.id}` }, "Message") : null
  return way(delivery.channel, delivery.status, said.join("; "), [timeline, ...(outbox === null ? [] : [outbox])])
}

const way = (channel: string, status: string, said: string, links: readonly HTMLElement[]): HTMLElement =>
  el(
    "li",
    { class: "way" },
    el("span", { class: "channel" }, channel),
    el("span", { class: "status", "data-status": status }, status),
    el("span", { class: "said" }, said, ...links.flatMap((link) => [" ", link])),
  )

const VERDICTS: Readonly<Record<TraceRule["verdict"], readonly [drawing: string, word: string]>> = {
  matched: ["yes", "Matched"],
  not_matched: ["no", "Not matched"],
  failed: ["cross", "Failed"],
}

function ruleRow({ rule, verdict, reason }: TraceRule, spoke: boolean): HTMLElement {
  const [drawing, plain] = VERDICTS[verdict]
  const word = verdict === "matched" && !spoke ? "Matched, made no notification" : plain
  return el(
    "li",
    { class: "verdict", "data-verdict": verdict },
    icon(drawing),
    el(
      "div",
      {},
      el("p", {}, ruleLink(rule), el("span", { class: "word" }, word)),
      el("p", { class: "reason", dir: "auto" }, sentence(reason)),
    ),
  )
}

function payloadPart(payload: unknown, open: boolean): HTMLElement {
  return el(
    "details",
    { open },
    el("summary", {}, "What the event said"),
    el("pre", { dir: "auto", tabindex: "0" }, JSON.stringify(payload, null, 2)),
  )
}

/** With a full stop, and a capital unless it begins with a name such as `payload.amount`. */
function sentence(text: string): string {
  if (text === "") return ""
  const begun = /^[a-z]+[ ,]/.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text
  return /[.!?]$/.test(begun) ? begun : `${begun}.`
}
