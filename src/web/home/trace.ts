/** The panel that answers "why?": what the rules made of an event, and what became of each message. */
import type { Api } from "../shared/api.ts"
import { el, part } from "../shared/dom.ts"
import { fields } from "../shared/fields.ts"
import { readTrace } from "../shared/trace.ts"
import { traceView } from "./trace-view.ts"

const FOLLOW_MS = 2_000
const FOLLOWED_TIMES = 60

export interface TracePanel {
  /** Opens the panel on this event, and keeps it true while messages are under way. */
  show(eventId: string): void
}

export function createTracePanel(api: Api): TracePanel {
  const dialog = part("trace", HTMLDialogElement)
  const body = part("trace-body", HTMLDivElement)
  let showing = ""
  let next: ReturnType<typeof setTimeout> | undefined

  const refresh = async (eventId: string, left: number): Promise<void> => {
    const [answer, whole] = await Promise.all([
      api.call("GET", `v1/events/${encodeURIComponent(eventId)}/trace`),
      api.call("GET", `v1/events/${encodeURIComponent(eventId)}`),
    ])
    if (showing !== eventId) return
    if (answer.kind === "refused") return dialog.close()
    const trace = answer.kind === "ok" ? readTrace(answer.body) : null
    if (trace === null) {
      const detail = answer.kind === "failed" ? answer.detail : "the answer could not be read"
      const sentence =
        answer.kind === "failed" && answer.status === 403
          ? "Your token may not look behind the scenes: that needs the role admin or service."
          : `The explanation could not be loaded: ${detail}.`
      body.replaceChildren(el("p", { class: "problem", role: "alert" }, sentence))
      return
    }
    const payload = whole.kind === "ok" ? (fields(whole.body)?.["payload"] ?? null) : null
    const wasOpen = body.querySelector("details")?.open ?? false
    body.replaceChildren(...traceView(trace, payload, wasOpen))
    const moving =
      trace.status === "waiting" ||
      trace.notifications.some((told) => told.deliveries.some((delivery) => UNDER_WAY.has(delivery.status)))
    if (moving && left > 0) next = setTimeout(() => void refresh(eventId, left - 1), FOLLOW_MS)
  }

  dialog.addEventListener("close", () => {
    showing = ""
    clearTimeout(next)
  })
  // A click beside the panel closes it: the dialog itself is only hit outside of what it holds.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close()
  })

  return {
    show(eventId) {
      showing = eventId
      clearTimeout(next)
      body.replaceChildren(el("p", { class: "hint" }, "Looking…"))
      if (!dialog.open) dialog.showModal()
      void refresh(eventId, FOLLOWED_TIMES)
    },
  }
}

const UNDER_WAY: ReadonlySet<string> = new Set(["queued", "sending", "retrying", "scheduled"])
