/** The page `/outbox`: a list of captured messages beside the one that is looked at; what changes is pushed. */

import { type Api, createApi } from "../shared/api.ts"
import { LINE_WORDS, type LineState, watchDeliveries } from "../shared/changes.ts"
import { el, icon, part } from "../shared/dom.ts"
import { keepMoments } from "../shared/moment.ts"
import { linkPages } from "../shared/pages.ts"
import { forgetToken, keepToken, keptToken } from "../shared/session.ts"
import { atMostEvery, settled } from "../shared/soon.ts"
import { type Captured, matches } from "./captured.ts"
import { type Detail, detailOf } from "./detail.ts"
import { entryOf } from "./entry.ts"
import { createFeed, type Feed, FeedTrouble } from "./feed.ts"
import { type Hands, rememberedHands } from "./hands.ts"
import { createProviders, type Providers } from "./providers.ts"

const SOON_MS = 200
/** A push may be lost: somebody who looks is not left with old news for longer. */
const LOOK_MS = 15_000
const DOUBT_MS = 5_000

const list = part("list", HTMLUListElement)
const detail = part("detail", HTMLElement)
const search = part("search", HTMLInputElement)
const count = part("count", HTMLElement)
const live = part("live", HTMLElement)
const older = part("older", HTMLButtonElement)
const empty = part("empty", HTMLElement)
const door = part("door", HTMLFormElement)
const doorWhy = part("door-why", HTMLElement)
const tokenField = part("token", HTMLInputElement)
const main = part("main", HTMLElement)
const narrow = matchMedia("(max-width: 52rem)")

let api: Api | null = null
let feed: Feed | null = null
let providers: Providers | null = null
let over = new AbortController()
let chosen: string | null = null
let shown: string | null = null
let stage: Detail | null = null
let asked = 0
let loaded = false
/** Where answers are taken: null until that is known. */
let captured: ReadonlySet<string> | null = null
const handsOf = rememberedHands()

function enter(token: string): void {
  over = new AbortController()
  api = createApi(token, () => {})
  feed = createFeed(api)
  providers = createProviders(api, over.signal)
  loaded = false
  door.hidden = true
  main.hidden = false
  const { signal } = over
  void refresh().then(() => {
    if (signal.aborted) return
    watchDeliveries(
      token,
      { state: showLine, joined: soon, changed: soon, broken: atMostEvery(soon, DOUBT_MS) },
      signal,
    )
  })
}

function leave(why: string): void {
  over.abort()
  forgetToken()
  api = null
  feed = null
  captured = null
  main.hidden = true
  door.hidden = false
  doorWhy.textContent = why
  setLive("idle", "")
  tokenField.focus()
}

/** Asks for the newest. */
async function refresh(): Promise<void> {
  const current = feed
  if (current === null || document.hidden) return
  const turn = ++asked
  try {
    const [changed, switches] = await Promise.all([current.refresh(), providers?.load() ?? null])
    if (current !== feed || turn !== asked) return
    const first = !loaded
    captured = switches
    if (changed || first) {
      loaded = true
      draw()
    }
  } catch (error) {
    if (current !== feed || turn !== asked) return
    if (!(error instanceof FeedTrouble)) throw error
    if (error.kind === "refused")
      return leave(`${error.message}. The outbox is for operators: role admin, or an admin key.`)
    setLive("away", error.message)
  }
}

const soon = settled(() => void refresh(), SOON_MS)
setInterval(soon, LOOK_MS)

const showLine = (state: LineState): void => setLive(state === "live" ? "live" : "away", LINE_WORDS[state])

function setLive(state: "idle" | "live" | "away", text: string): void {
  const said = part("live-text", HTMLElement)
  if (said.textContent === text) return
  live.dataset["state"] = state === "away" ? "lost" : state
  live.hidden = text === ""
  said.textContent = text
}

const found = (): readonly Captured[] => {
  const wanted = search.value.trim()
  const items = feed?.items ?? []
  return wanted === "" ? items : items.filter((item) => matches(item, wanted))
}

function draw(): void {
  const items = found()
  const total = feed?.items.length ?? 0
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["id"] : undefined
  const asking = `${items.length}${feed?.hasMore === true && items.length === total ? "+" : ""}`
  count.textContent = items.length === total ? asking : `${items.length} of ${total}`
  const box = list.parentElement
  const top = list.querySelector<HTMLElement>(".entry")
  const before = top?.offsetTop ?? 0
  const scrolled = box?.scrollTop ?? 0
  list.replaceChildren(...items.map((item) => entryOf(item, item.id === shown)))
  // Whoever reads further down is not moved by what comes on top.
  const same = top?.dataset["id"] === undefined ? null : buttonOf(top.dataset["id"])
  if (box !== null && scrolled > 0 && same !== null) box.scrollTop = scrolled + same.offsetTop - before
  older.hidden = feed?.hasMore !== true
  empty.hidden = items.length > 0
  empty.dataset["kind"] = total === 0 && chosen === null ? "nothing" : "filtered"
  if (focused !== undefined) buttonOf(focused)?.focus({ preventScroll: true })
  if (shown === null && !narrow.matches && items[0] !== undefined) show(items[0].id)
  else if (shown !== null && detail.dataset["id"] !== shown) show(shown)
  else if (shown !== null) {
    const item = feed?.items.find(({ id }) => id === shown)
    if (item !== undefined && stage?.stands(item) === false) show(shown)
  }
}

const handsFor = ({ id, channel }: Captured, through: Api): Hands | null =>
  captured?.has(channel) === true ? handsOf(through, id) : null

const buttonOf = (id: string): HTMLElement | null => list.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)

/** Puts a message on the stage; an id that is not loaded leaves the stage empty. */
function show(id: string | null): void {
  shown = id
  for (const node of list.querySelectorAll(".entry[aria-current]")) node.removeAttribute("aria-current")
  if (id !== null) buttonOf(id)?.setAttribute("aria-current", "true")
  const item = feed?.items.find((one) => one.id === id)
  main.dataset["view"] = item === undefined ? "list" : "message"
  detail.dataset["id"] = item?.id ?? ""
  stage = item === undefined || api === null ? null : detailOf(item, api, handsFor(item, api))
  detail.replaceChildren(...(stage === null ? [] : [back(), stage.node]))
  detail.scrollTop = 0
}

function back(): HTMLElement {
  const node = el("button", { type: "button", class: "button back" }, icon("back"), "All messages")
  node.addEventListener("click", () => close())
  return node
}

/** What a person picks stands in the address, so that it can be shared, and Back leads to the list on a phone. */
function pick(id: string): void {
  const address = `#${id}`
  if (narrow.matches && location.hash !== address) history.pushState(null, "", address)
  else history.replaceState(null, "", address)
  show(id)
}

function close(): void {
  const was = shown
  history.replaceState(null, "", location.pathname + location.search)
  show(null)
  if (was !== null) buttonOf(was)?.focus()
}

/** Moves to the next or previous message of the list. */
function step(by: 1 | -1): void {
  const items = found()
  const next = items[items.findIndex(({ id }) => id === shown) + by]
  if (next === undefined || (shown === null && by < 0)) return
  pick(next.id)
  const node = buttonOf(next.id)
  if (!narrow.matches) node?.focus({ preventScroll: true })
  node?.scrollIntoView({ block: "nearest" })
}

function fromAddress(): void {
  const token = keptToken()
  if (token !== null && api === null) enter(token)
  const id = /^#(dlv_\w+)$/.exec(location.hash)?.[1] ?? null
  if (id !== shown && (id !== null || narrow.matches)) show(id)
}

list.addEventListener("click", (event) => {
  const node = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-id]") : null
  if (node?.dataset["id"] === undefined) return
  pick(node.dataset["id"])
  if (narrow.matches) document.getElementById("detail-title")?.focus()
})

for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=channel]"))
  radio.addEventListener("change", () => {
    chosen = radio.value === "" ? null : radio.value
    feed?.choose(chosen)
    loaded = false
    show(null)
    void refresh()
  })

search.addEventListener("input", draw)

older.addEventListener("click", () => {
  older.disabled = true
  void (feed?.older() ?? Promise.resolve())
    .catch((error: unknown) => setLive("away", error instanceof Error ? error.message : "the hub does not answer"))
    .finally(() => {
      older.disabled = false
      draw()
    })
})

door.addEventListener("submit", (event) => {
  event.preventDefault()
  const token = tokenField.value.trim().replace(/^bearer +/i, "")
  if (token === "") return
  tokenField.value = ""
  keepToken(token)
  enter(token)
})

part("forget", HTMLButtonElement).addEventListener("click", () => leave(""))

document.addEventListener("keydown", (event) => {
  if (main.hidden || document.querySelector("dialog[open]") !== null || event.ctrlKey || event.metaKey || event.altKey)
    return
  const typing = event.target === search
  if (event.key === "Escape") {
    if (typing && search.value !== "") {
      search.value = ""
      draw()
    } else if (typing) search.blur()
    else if (narrow.matches) close()
  } else if (event.target instanceof HTMLInputElement && event.target.type === "text") return
  else if (event.key === "/" && !typing) {
    event.preventDefault()
    search.focus()
  } else if (event.target instanceof HTMLInputElement && !typing) return
  else if (event.key === "ArrowDown" || (event.key === "j" && !typing)) {
    event.preventDefault()
    step(1)
  } else if (event.key === "ArrowUp" || (event.key === "k" && !typing)) {
    event.preventDefault()
    step(-1)
  }
})

document.addEventListener("visibilitychange", soon)
window.addEventListener("popstate", fromAddress)
window.addEventListener("hashchange", fromAddress)
linkPages("outbox")
keepMoments()
fromAddress()
if (api === null) leave("")
