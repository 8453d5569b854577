/** One delivery: asked for when it changed, when its next try is due, and now and then while something is to come. */
import { el, part } from "../shared/dom.ts"
import { readTrace, type Trace } from "../shared/trace.ts"
import type { Desk, View } from "./desk.ts"
import { type Delivery, isUnderWay, readDelivery } from "./shapes.ts"
import { deliveryView } from "./timeline-view.ts"
import { countdown, headline } from "./words.ts"

/** A push may be lost: what is under way is looked at so often at least. */
const LOOK_MS = 10_000
const TICK_MS = 250

export function createTimeline({ api, desk, refused, signal }: Desk, id: string): View {
  let drawn = ""
  let said = ""
  let trace: Trace | null = null
  let next: ReturnType<typeof setTimeout> | undefined
  let turn = 0

  const draw = (delivery: Delivery): void => {
    const state = JSON.stringify([delivery, trace])
    if (state === drawn) return
    drawn = state
    const open = new Set([...desk.querySelectorAll("details[open]")].map((node) => node.id))
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.id : ""
    desk.replaceChildren(deliveryView(delivery, trace, replay))
    for (const node of desk.querySelectorAll("details")) node.open = open.has(node.id)
    if (focused !== "") document.getElementById(focused)?.focus({ preventScroll: true })
    count()
    const { title } = headline(delivery)
    document.title = `Hubbub · ${title}`
    if (said !== "" && said !== title) part("news", HTMLParagraphElement).textContent = title
    said = title
  }

  const nothing = (title: string, detail: string): void => {
    drawn = ""
    desk.replaceChildren(
      el(
        "div",
        { class: "nothing" },
        el("h2", {}, title),
        el("p", {}, detail),
        el("p", {}, el("a", { href: "./deliveries" }, "The latest deliveries")),
      ),
    )
  }

  const again = (delivery: Delivery): void => {
    clearTimeout(next)
    if (!isUnderWay(delivery) || signal.aborted) return
    const due = Date.parse(delivery.next?.at ?? "") - Date.now() + 1_000
    next = setTimeout(() => void load(), due > 0 && due < LOOK_MS ? due : LOOK_MS)
  }

  const load = async (): Promise<void> => {
    const mine = ++turn
    const answer = await api.call("GET", `v1/deliveries/${encodeURIComponent(id)}`)
    if (mine !== turn || refused(answer)) return
    if (answer.kind === "failed" && answer.status === 404)
      return nothing(
        "No such delivery",
        "There is none of this id that this token may see. It may belong to another business, or be older than deliveries are kept.",
      )
    const delivery = answer.kind === "ok" ? readDelivery(answer.body) : null
    if (delivery === null) {
      // What is shown stays: the line says that it is old.
      if (drawn === "")
        nothing("Not now", answer.kind === "failed" ? `${answer.detail}.` : "The answer is no delivery.")
      return
    }
    draw(delivery)
    again(delivery)
    if (trace === null && delivery.eventId !== "") await loadTrace(delivery)
  }

  /** Whom it told, and of what; without it the ids say the same. */
  const loadTrace = async (delivery: Delivery): Promise<void> => {
    const answer = await api.call("GET", `v1/events/${encodeURIComponent(delivery.eventId)}/trace`)
    const found = answer.kind === "ok" ? readTrace(answer.body) : null
    if (found === null || signal.aborted || trace !== null) return
    trace = found
    draw(delivery)
  }

  /** Sends a dead letter again; answers what is wrong, or null. */
  const replay = async (): Promise<string | null> => {
    const answer = await api.call("POST", "admin/dlq/replay", { job_id: id })
    await load()
    // The button is gone with what it was for: the headline says what came of it.
    if (document.activeElement === document.body) document.getElementById("how")?.focus({ preventScroll: true })
    return answer.kind === "ok" ? null : answer.detail
  }

  const count = (): void => {
    for (const node of desk.querySelectorAll<HTMLElement>("[data-until]")) {
      const words = countdown(node.dataset["until"] ?? "", Date.now())
      if (node.textContent !== words) node.textContent = words
    }
  }
  const ticking = setInterval(count, TICK_MS)
  signal.addEventListener("abort", () => {
    clearInterval(ticking)
    clearTimeout(next)
  })
  desk.replaceChildren(el("p", { class: "hint" }, "Looking…"))
  return {
    load,
    changed(ids) {
      if (ids.includes(id)) void load()
    },
  }
}
