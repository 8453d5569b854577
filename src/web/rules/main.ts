/** The page `/rules`: what runs, what it would make of an event, and what a change would have done. For rule authors. */

import { createApi } from "../shared/api.ts"
import { part } from "../shared/dom.ts"
import { keepMoments } from "../shared/moment.ts"
import { linkPages } from "../shared/pages.ts"
import { forgetToken, keptToken, tokenInFragment } from "../shared/session.ts"
import { createBacktest } from "./backtest.ts"
import { askForToken, watchDoor } from "./door.ts"
import { createPlayground } from "./playground.ts"
import { showRefused } from "./refused.ts"
import { createRuleList } from "./rule-list.ts"
import { readRulesHealth, readRunning } from "./running.ts"
import { createViews } from "./views.ts"

/** A saved file is looked for often, the whole set seldom: it may be large. */
const FILES_MS = 1_500
const COUNTERS_MS = 3_000

function open(token: string): void {
  const over = new AbortController()
  const leave = (why: string | null): void => {
    if (over.signal.aborted) return
    over.abort()
    forgetToken()
    askForToken(why)
  }
  const api = createApi(token, (detail) => leave(`The hub does not take this token: ${detail}. Paste a new one.`))
  const list = createRuleList()
  const playground = createPlayground(api)
  const backtest = createBacktest(api)
  let revision = ""
  let loaded = false

  const views = createViews(over.signal, (address) => {
    if (address.view === "try") playground.open(address)
    if (address.view === "backtest") void backtest.load()
    if (address.view === "rules" && address.rule !== null && loaded) list.goTo(address.rule)
  })

  const load = async (): Promise<void> => {
    const answer = await api.call("GET", "v1/rules")
    if (over.signal.aborted) return
    if (answer.kind === "failed" && answer.status === 403)
      return leave(
        `The hub does not show its rules to this token: ${answer.detail}. Use one with the role admin, or an admin key.`,
      )
    const running = answer.kind === "ok" ? readRunning(answer.body) : null
    if (running === null) return
    const first = !loaded
    const changed = revision !== running.revision
    loaded = true
    revision = running.revision
    list.show(running)
    playground.rules(running, changed)
    part("revision", HTMLParagraphElement).replaceChildren("Revision ", codeOf(running.revision))
    if (!first && changed) part("news", HTMLParagraphElement).textContent = "A change of the rules is live."
    if (first && views.now().view === "rules") {
      const { rule } = views.now()
      if (rule !== null) list.goTo(rule)
    }
  }

  const look = async (): Promise<void> => {
    const answer = await api.call("GET", "health/detailed")
    if (over.signal.aborted) return
    showLine(answer.kind === "ok")
    const health = answer.kind === "ok" ? readRulesHealth(answer.body) : null
    if (health === null) return
    showRefused(health)
    if (!loaded || health.revision !== revision) await load()
  }

  for (const id of ["desk", "who", "views", "line"]) part(id, HTMLElement).hidden = false
  part("leave", HTMLButtonElement).addEventListener("click", () => leave(null), { signal: over.signal })
  whileVisible(look, FILES_MS, over.signal)
  whileVisible(
    async () => {
      // A change is noticed by `look`; the counters stand in the list alone.
      if (loaded && views.now().view === "rules") await load()
    },
    COUNTERS_MS,
    over.signal,
  )
  views.begin()
}

function codeOf(revision: string): HTMLElement {
  const node = document.createElement("code")
  node.textContent = revision.replace(/^([0-9a-f]{12})[0-9a-f]{28}/, "$1")
  node.title = revision
  return node
}

function showLine(live: boolean): void {
  part("line", HTMLParagraphElement).dataset["state"] = live ? "live" : "lost"
  const said = live ? "Live" : "The hub does not answer"
  const place = part("line-text", HTMLSpanElement)
  if (place.textContent !== said) place.textContent = said
}

/** One round after the other, `ms` apart, while somebody can see the page, and at once when they come back to it. */
function whileVisible(act: () => Promise<void>, ms: number, signal: AbortSignal): void {
  let next: ReturnType<typeof setTimeout> | undefined
  let under = false
  const round = async (): Promise<void> => {
    clearTimeout(next)
    if (signal.aborted || under) return
    under = true
    try {
      if (!document.hidden) await act()
    } finally {
      under = false
      if (!signal.aborted) next = setTimeout(() => void round(), ms)
    }
  }
  document.addEventListener("visibilitychange", () => void round(), { signal })
  void round()
}

linkPages("rules")
watchDoor()
keepMoments()
// The address opened in a tab that shows this page already changes only the fragment.
addEventListener("hashchange", () => {
  if (tokenInFragment(location.hash) === null) return
  keptToken()
  location.reload()
})

const token = keptToken()
if (token === null) askForToken(null)
else open(token)
