/** The inbox on the page: loads it, follows the news, and does what the person asks. The hub's word is what is shown. */
import type { Answer, Api } from "../shared/api.ts"
import { el, part } from "../shared/dom.ts"
import { emptyList, type Filter, withArrival, withChange, withPage } from "./inbox-list.ts"
import { type ItemMark, inboxRow } from "./inbox-row.ts"
import { notice, say } from "./notice.ts"
import { type Change, type Item, readItem, readPage, readUnread } from "./shapes.ts"

const PAGE = 30
const MOST = 200
const FILTERS: readonly Filter[] = ["all", "unread", "archived"]

export interface Inbox {
  /** Asks the hub for the list and the counts; news that comes meanwhile is not lost. */
  load(): Promise<void>
  arrived(item: Item): void
  changed(change: Change): void
  unread(count: number): void
}

export interface InboxOptions {
  readonly api: Api
  /** What to show and do where nothing has ever arrived. */
  readonly firstEvent: HTMLElement
  readonly explain: (eventId: string) => void
}

export function createInbox({ api, firstEvent, explain }: InboxOptions): Inbox {
  const rows = part("inbox", HTMLOListElement)
  const empty = part("inbox-empty", HTMLDivElement)
  const again = part("again", HTMLDetailsElement)
  const more = part("more", HTMLButtonElement)
  const readAll = part("read-all", HTMLButtonElement)
  const badge = part("unread", HTMLSpanElement)
  const problem = part("inbox-problem", HTMLParagraphElement)

  let list = emptyList("all")
  let loaded = false
  /** Changes heard while a page was under way: it may be older than they are. */
  let meanwhile: Change[] = []
  let asked = 0
  const open = new Set<string>()
  const fresh = new Set<string>()
  /** What each row was drawn from, so that only what changed is drawn again. */
  const drawn = new Map<string, { readonly from: string; readonly row: HTMLLIElement }>()

  const take = (change: Change): void => {
    meanwhile.push(change)
    list = withChange(list, change)
    draw()
  }

  const load = async (first = true): Promise<void> => {
    asked += 1
    const mine = asked
    meanwhile = []
    rows.setAttribute("aria-busy", "true")
    const after = first || list.after === null ? "" : `&after=${encodeURIComponent(list.after)}`
    // Loading again keeps as many as somebody had scrolled down to.
    const limit = first ? Math.min(Math.max(PAGE, list.items.length), MOST) : PAGE
    const answer = await api.call("GET", `v1/notifications?status=${list.filter}&limit=${limit}${after}`)
    if (mine !== asked) return
    rows.setAttribute("aria-busy", "false")
    if (answer.kind !== "ok") {
      if (answer.kind === "failed") complain(`The inbox could not be loaded: ${answer.detail}.`)
      return
    }
    complain(null)
    loaded = true
    list = withPage(list, readPage(answer.body, readItem), first)
    for (const change of meanwhile) list = withChange(list, change)
    const count = readUnread(answer.body)
    if (count !== null) unread(count)
    draw()
  }

  const mark = async (item: Item, how: ItemMark): Promise<void> => {
    const answer = await api.call("PATCH", `v1/notifications/${encodeURIComponent(item.id)}/${how}`)
    takeAnswer(answer, item.title)
  }

  const takeAnswer = (answer: Answer, title: string): void => {
    if (answer.kind === "failed") notice(`“${title}” was not changed: ${answer.detail}.`)
    const item = answer.kind === "ok" ? readItem(answer.body) : null
    if (item !== null) take({ kind: "item", item })
  }

  const actions = {
    toggle(item: Item): void {
      if (!open.delete(item.id)) open.add(item.id)
      draw()
      if (open.has(item.id) && item.readAt === null) void mark(item, "read")
    },
    mark,
    explain: (item: Item): void => explain(item.eventId),
  }

  const rowOf = (item: Item): HTMLLIElement => {
    const isOpen = open.has(item.id)
    const from = JSON.stringify([item, isOpen])
    const known = drawn.get(item.id)
    if (known?.from === from) return known.row
    const row = inboxRow(item, isOpen, fresh.delete(item.id), actions)
    drawn.set(item.id, { from, row })
    return row
  }

  const draw = (): void => {
    const focused = focusIn(rows)
    const wanted = list.items.map(rowOf)
    const wantedRows = new Set<Element>(wanted)
    for (const row of [...rows.children]) if (!wantedRows.has(row)) row.remove()
    wanted.forEach((row, at) => {
      const here = rows.children[at]
      if (here !== row) rows.insertBefore(row, here ?? null)
    })
    const ids = new Set(list.items.map((item) => item.id))
    for (const id of drawn.keys()) if (!ids.has(id)) drawn.delete(id)
    giveFocus(rows, focused)
    drawAround()
  }

  /** Never an empty box: either what to do first, or a sentence; and the way to do it again stays at hand. */
  const drawAround = (): void => {
    const nothing = loaded && list.items.length === 0
    empty.hidden = !nothing
    more.hidden = list.after === null
    again.hidden = nothing || list.filter !== "all" || !loaded
    if (nothing && list.filter === "all") {
      empty.replaceChildren(
        el("h3", {}, "Nothing here yet"),
        el("p", {}, "Send the hub an event that a rule listens to, and the notification appears here at once:"),
        firstEvent,
      )
    } else if (nothing) {
      empty.replaceChildren(
        el("p", {}, list.filter === "unread" ? "You have read everything." : "Nothing is archived."),
      )
    }
    if (!nothing && firstEvent.parentElement !== again) again.append(firstEvent)
  }

  const unread = (count: number): void => {
    badge.hidden = count === 0
    badge.textContent = `${count} unread`
    readAll.disabled = count === 0
    document.title = count === 0 ? "Hubbub" : `(${count}) Hubbub`
  }

  const complain = (sentence: string | null): void => {
    problem.textContent = sentence ?? ""
    problem.hidden = sentence === null
  }

  more.addEventListener("click", () => void load(false))
  readAll.addEventListener("click", () => {
    void (async () => {
      const answer = await api.call("POST", "v1/notifications/mark-all-read")
      if (answer.kind === "failed") notice(`They were not marked: ${answer.detail}.`)
      if (answer.kind === "ok") await load()
    })()
  })
  for (const filter of FILTERS) {
    const choice = document.querySelector(`[data-filter="${filter}"]`)
    choice?.addEventListener("click", () => {
      list = emptyList(filter)
      loaded = false
      for (const other of document.querySelectorAll("[data-filter]")) {
        other.setAttribute("aria-pressed", String(other === choice))
      }
      void load()
    })
  }

  return {
    load,
    arrived(item) {
      meanwhile.push({ kind: "item", item })
      if (!list.items.some((known) => known.id === item.id)) {
        fresh.add(item.id)
        say(`New notification: ${item.title}`)
      }
      list = withArrival(list, item)
      loaded = true
      draw()
      fresh.delete(item.id)
    },
    changed(change) {
      if (change.kind === "reload") void load()
      else take(change)
    },
    unread,
  }
}

/** Which control of which row has the focus. */
function focusIn(rows: HTMLElement): { readonly id: string; readonly control: string } | null {
  const { activeElement } = document
  if (activeElement === null || !rows.contains(activeElement)) return null
  const id = activeElement.closest("[data-id]")?.getAttribute("data-id")
  const control = activeElement.getAttribute("data-do")
  return id && control ? { id, control } : null
}

/** Back to where it was; to the row's title where that control is gone; to the first row where the row is. */
function giveFocus(rows: HTMLElement, was: ReturnType<typeof focusIn>): void {
  if (was === null || rows.contains(document.activeElement)) return
  const row = [...rows.children].find((child) => child.getAttribute("data-id") === was.id) ?? rows.firstElementChild
  const control = row?.querySelector(`[data-do="${was.control}"]`) ?? row?.querySelector('[data-do="open"]')
  if (control instanceof HTMLElement) control.focus({ preventScroll: true })
}
