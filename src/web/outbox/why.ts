/** Why a message was sent: its event and what each rule said of it, for whoever wants to know. */
import type { Api } from "../shared/api.ts"
import { el } from "../shared/dom.ts"
import { readTrace, type Trace } from "../shared/trace.ts"

/** The event's trace, fetched when somebody wants to know. */
export function traceOf(eventId: string, api: Api): HTMLElement {
  const inside = el("div", { class: "trace", "aria-live": "polite" }, "…")
  const box = el(
    "details",
    {},
    el("summary", {}, "Why was this sent? ", el("code", { title: "The event" }, eventId)),
    inside,
  )
  box.addEventListener("toggle", () => {
    if (!box.open || box.dataset["asked"] !== undefined) return
    box.dataset["asked"] = "yes"
    void api.call("GET", `v1/events/${encodeURIComponent(eventId)}/trace`).then((answer) => {
      if (answer.kind !== "ok") {
        delete box.dataset["asked"] // the next opening asks again
        inside.replaceChildren(el("p", { class: "refusal" }, answer.detail))
        return
      }
      const trace = readTrace(answer.body)
      const json = el(
        "details",
        {},
        el("summary", {}, "The trace as JSON"),
        el("pre", {}, JSON.stringify(answer.body, null, 2)),
      )
      inside.replaceChildren(...(trace === null ? [] : summary(trace)), json)
    })
  })
  return box
}

function summary({ event, reason, rules }: Trace): HTMLElement[] {
  const listened = rules.map(({ rule, verdict, reason: why }) =>
    el(
      "li",
      { class: verdict },
      el("b", {}, el("a", { href: `./rules#${encodeURIComponent(rule)}`, dir: "auto" }, rule)),
      ` ${verdict === "matched" ? "matched" : verdict === "failed" ? "failed" : "did not match"}`,
      why === "" ? null : el("span", { dir: "auto" }, `: ${why}`),
    ),
  )
  const from = [event.type, `from ${event.source}`, event.place].filter((part) => part !== "").join(" · ")
  return [el("p", {}, el("code", {}, from)), el("p", {}, reason), el("ul", {}, ...listened)]
}
