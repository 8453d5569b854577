/** The latest deliveries, by status and channel, as they change. */
import { el, icon, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import { reasonSaid } from "../shared/reasons.ts"
import { settled } from "../shared/soon.ts"
import { type Desk, timelineOf, type View } from "./desk.ts"
import { type Delivery, readDeliveries } from "./shapes.ts"
import { CHANNELS, channelName, code, headline, statusSaid } from "./words.ts"

const SOON_MS = 300
const PAGE = 50

const STATUSES = [
  "dead",
  "unknown",
  "retrying",
  "queued",
  "sending",
  "scheduled",
  "delivered",
  "captured",
  "suppressed",
  "expired",
  "cancelled",
]

export function createList({ api, desk, refused, signal }: Desk, asked: URLSearchParams): View {
  const status = select(
    "Status",
    "status",
    STATUSES.map((one) => [one, `${code(one)}: ${statusSaid(one).title.toLowerCase()}`]),
  )
  const channel = select("Channel", "channel", Object.entries(CHANNELS))
  status.field.value = STATUSES.find((one) => one === asked.get("status")) ?? ""
  channel.field.value = Object.keys(CHANNELS).find((one) => one === asked.get("channel")) ?? ""
  const rows = el("ol", { class: "rows list", "aria-busy": "true" })
  const empty = el("p", { class: "empty", hidden: true })
  const problem = el("p", { class: "problem", role: "alert", hidden: true })
  const older = el("button", { type: "button", class: "button older", hidden: true }, "Older ones")
  desk.replaceChildren(
    el("div", { class: "heading" }, el("h2", {}, "Latest deliveries"), status.label, channel.label),
    problem,
    rows,
    empty,
    older,
  )
  let shown: readonly Delivery[] = []
  let after: string | null = null
  let turn = 0

  const ask = async (from: string | null): Promise<ReturnType<typeof readDeliveries>> => {
    const query = new URLSearchParams({ limit: String(PAGE) })
    for (const { field } of [status, channel]) if (field.value !== "") query.set(field.name, field.value)
    if (from !== null) query.set("after", from)
    const answer = await api.call("GET", `v1/deliveries?${query}`)
    if (refused(answer)) return null
    const page = answer.kind === "ok" ? readDeliveries(answer.body) : null
    problem.hidden = page !== null
    if (page === null)
      problem.textContent = `The list could not be loaded: ${answer.kind === "ok" ? "it could not be read" : answer.detail}.`
    return page
  }
  const draw = (): void => {
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["id"] : undefined
    rows.replaceChildren(...shown.map(row))
    rows.setAttribute("aria-busy", "false")
    if (focused !== undefined)
      rows.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true })
    empty.hidden = shown.length > 0
    empty.textContent =
      status.field.value + channel.field.value === ""
        ? "Nothing was to be sent yet. Every message that a rule makes for a channel other than the inbox is listed here."
        : "No delivery fits."
    older.hidden = after === null
  }
  const load = async (): Promise<void> => {
    const mine = ++turn
    const page = await ask(null)
    if (page === null || mine !== turn || signal.aborted) return
    shown = page.items
    after = page.after
    draw()
  }
  const filter = (): void => {
    const query = new URLSearchParams()
    for (const { field } of [status, channel]) if (field.value !== "") query.set(field.name, field.value)
    history.replaceState(null, "", `${location.pathname}${query.size === 0 ? "" : `?${query}`}`)
    void load()
  }
  status.field.addEventListener("change", filter)
  channel.field.addEventListener("change", filter)
  older.addEventListener("click", () => {
    older.disabled = true
    const mine = turn
    void ask(after)
      .then((page) => {
        if (page === null || mine !== turn) return
        shown = [...shown, ...page.items]
        after = page.after
        draw()
      })
      .finally(() => {
        older.disabled = false
      })
  })
  const soon = settled(() => void load(), SOON_MS)
  return {
    load,
    changed() {
      // Whoever has gone on to older ones is not thrown back to the first page.
      if (shown.length <= PAGE) soon()
    },
  }
}

function row(delivery: Delivery): HTMLElement {
  const { id, channel, rule, status, reason, attempts, createdAt } = delivery
  const { mood } = headline(delivery)
  const tries = attempts.length > 1 ? `${attempts.length} tries` : ""
  const said = [reason === null || reason === status ? "" : reasonSaid(reason), tries, delivery.receipt ?? ""].filter(
    (word) => word !== "",
  )
  return el(
    "li",
    {},
    el(
      "a",
      { class: "entry", href: timelineOf(id), "data-id": id },
      el("span", { class: "status", "data-mood": mood }, icon(mood), code(status)),
      el("span", { class: "entry-channel" }, icon(channel), channelName(channel)),
      words(rule, "entry-rule"),
      el("span", { class: "entry-said" }, said.join(" · ")),
      moment(createdAt),
    ),
  )
}

function select(name: string, field: string, options: readonly (readonly [string, string])[]) {
  const node = el("select", { name: field })
  node.append(el("option", { value: "" }, "All"), ...options.map(([value, label]) => el("option", { value }, label)))
  return { field: node, label: el("label", { class: "choice" }, el("span", {}, name), node) }
}
