/** The page `/deliveries`: the latest ones, or with `?id=` the timeline of one. What changes is pushed. */

import { type Answer, createApi } from "../shared/api.ts"
import { type ChangeListener, LINE_WORDS, type LineState, watchDeliveries } from "../shared/changes.ts"
import { part } from "../shared/dom.ts"
import { keepMoments } from "../shared/moment.ts"
import { linkPages } from "../shared/pages.ts"
import { forgetToken, keptToken, tokenInFragment } from "../shared/session.ts"
import { atMostEvery } from "../shared/soon.ts"
import type { View } from "./desk.ts"
import { askForToken, watchDoor } from "./door.ts"
import { createList } from "./list.ts"
import { createTimeline } from "./timeline.ts"

const DOUBT_MS = 5_000

function open(token: string): void {
  const over = new AbortController()
  const leave = (why: string | null): void => {
    if (over.signal.aborted) return
    over.abort()
    forgetToken()
    askForToken(why)
  }
  const api = createApi(token, (detail) => leave(`The hub does not take this token: ${detail}. Paste a new one.`))
  /** True where the answer shuts the page. */
  const refused = (answer: Answer): boolean => {
    if (answer.kind === "failed" && answer.status === 403)
      leave(`The hub does not show deliveries to this token: ${answer.detail}. Use one with the role admin, or a key.`)
    return over.signal.aborted
  }
  const desk = part("desk", HTMLDivElement)
  const asked = new URLSearchParams(location.search)
  const id = asked.get("id")
  const deps = { api, desk, refused, signal: over.signal }
  const view: View = id === null ? createList(deps, asked) : createTimeline(deps, id)

  for (const name of ["desk", "who", "line"]) part(name, HTMLElement).hidden = false
  part("leave", HTMLButtonElement).addEventListener("click", () => leave(null), { signal: over.signal })
  const load = (): void => void view.load()
  document.addEventListener("visibilitychange", () => document.hidden || load(), { signal: over.signal })
  const listener: ChangeListener = {
    state: showLine,
    joined: load,
    changed: (ids) => view.changed(ids),
    broken: atMostEvery(load, DOUBT_MS),
  }
  // Whoever is not let in needs no line.
  void view.load().then(() => over.signal.aborted || watchDeliveries(token, listener, over.signal))
}

function showLine(state: LineState): void {
  part("line", HTMLParagraphElement).dataset["state"] = state === "closed" ? "lost" : state
  part("line-text", HTMLSpanElement).textContent = LINE_WORDS[state]
}

linkPages("deliveries")
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
