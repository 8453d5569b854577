/** The latest events that the hub accepted, whatever followed from them. */
import type { Api } from "../shared/api.ts"
import { button, el, part } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import { type EventRow, readEvent } from "../shared/trace.ts"
import { severityMark, severityWord } from "./severity.ts"
import { readPage } from "./shapes.ts"

const SHOWN = 20

export interface RecentEvents {
  load(): Promise<void>
}

export function createRecentEvents(api: Api, explain: (eventId: string) => void): RecentEvents {
  const rows = part("events", HTMLOListElement)
  const empty = part("events-empty", HTMLParagraphElement)
  const problem = part("events-problem", HTMLParagraphElement)
  const drawn = new Map<string, HTMLLIElement>()

  return {
    async load() {
      const answer = await api.call("GET", `v1/events?limit=${SHOWN}`)
      rows.setAttribute("aria-busy", "false")
      problem.hidden = answer.kind !== "failed"
      if (answer.kind === "failed") problem.textContent = `The events could not be loaded: ${answer.detail}.`
      if (answer.kind !== "ok") return
      const { items } = readPage(answer.body, readEvent)
      const ids = new Set(items.map((event) => event.id))
      for (const [id, row] of drawn) {
        if (ids.has(id)) continue
        row.remove()
        drawn.delete(id)
      }
      items.forEach((event, at) => {
        const row = drawn.get(event.id) ?? eventRow(event, explain)
        drawn.set(event.id, row)
        if (rows.children[at] !== row) rows.insertBefore(row, rows.children[at] ?? null)
      })
      empty.hidden = items.length > 0
    },
  }
}

function eventRow(event: EventRow, explain: (eventId: string) => void): HTMLLIElement {
  const line = el(
    "span",
    { class: "event-line" },
    severityMark(event.severity),
    el("span", { class: "event-type", dir: "auto" }, event.type),
    moment(event.acceptedAt || event.occurredAt),
    el(
      "span",
      { class: "meta" },
      severityWord(event.severity),
      el("span", { dir: "auto" }, `from ${event.source}`),
      el("span", { dir: "auto" }, event.place),
    ),
  )
  return el(
    "li",
    {},
    button({ class: "event-open", "aria-haspopup": "dialog" }, line, () => explain(event.id)),
  )
}
