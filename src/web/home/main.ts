/** The page at `/`: what a newcomer sees first. One line in a terminal, and the notification is here. */

import { createApi } from "../shared/api.ts"
import { part } from "../shared/dom.ts"
import { keepMoments } from "../shared/moment.ts"
import { linkPages } from "../shared/pages.ts"
import { forgetToken, keptToken, readToken, type Session, tokenInFragment } from "../shared/session.ts"
import { atMostEvery, settled } from "../shared/soon.ts"
import { askForToken, watchDoor } from "./door.ts"
import { createRecentEvents } from "./events.ts"
import { firstEvent } from "./first-event.ts"
import { showHealth } from "./health.ts"
import { createInbox } from "./inbox.ts"
import { type LineState, openLine } from "./live.ts"
import { showPush } from "./push.ts"
import { createTracePanel } from "./trace.ts"

const EVENTS_MS = 5_000
const HEALTH_MS = 10_000
const SOON_MS = 250
const DOUBT_MS = 5_000

const LINE_WORDS: Readonly<Record<LineState, string>> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
}

function open(session: Session): void {
  const over = new AbortController()
  const api = createApi(session.token, (detail) => {
    if (over.signal.aborted) return
    over.abort()
    forgetToken()
    part("trace", HTMLDialogElement).close()
    askForToken(`The hub does not take this token: ${detail}. Paste a new one.`)
  })
  const trace = createTracePanel(api)
  const events = createRecentEvents(api, trace.show)
  const inbox = createInbox({
    api,
    firstEvent: firstEvent(session, api),
    explain: trace.show,
  })
  const eventsSoon = settled(() => void events.load(), SOON_MS)
  // A socket says only that it was refused: whether the token is the reason, a call tells.
  const doubt = atMostEvery(() => void api.call("GET", "v1/notifications/counts"), DOUBT_MS)

  part("person", HTMLSpanElement).textContent = session.person
  part("who", HTMLParagraphElement).hidden = false
  part("desk", HTMLDivElement).hidden = false
  part("leave", HTMLButtonElement).addEventListener("click", () => {
    over.abort()
    forgetToken()
    askForToken(null)
  })

  // As other pages link to it.
  const event = new URLSearchParams(location.search).get("event")
  if (event !== null) trace.show(event)
  void inbox.load()
  void showPush(api)
  openLine(
    session,
    {
      state: showLine,
      joined() {
        void inbox.load()
        void events.load()
        void showHealth()
      },
      broken: doubt,
      arrived(item) {
        inbox.arrived(item)
        eventsSoon()
      },
      changed: inbox.changed,
      unread: inbox.unread,
    },
    over.signal,
  )
  whileVisible(() => void events.load(), EVENTS_MS, over.signal)
}

function showLine(state: LineState): void {
  const line = part("line", HTMLParagraphElement)
  line.hidden = false
  line.dataset["state"] = state
  part("line-text", HTMLSpanElement).textContent = LINE_WORDS[state]
}

/** Now, then every `ms` while somebody can see the page, and at once when they come back to it. */
function whileVisible(act: () => void, ms: number, signal?: AbortSignal): void {
  const look = (): void => {
    if (!document.hidden) act()
  }
  const timer = setInterval(look, ms)
  signal?.addEventListener("abort", () => clearInterval(timer), { once: true })
  document.addEventListener("visibilitychange", look, signal === undefined ? {} : { signal })
  look()
}

linkPages("")
watchDoor()
keepMoments()
whileVisible(() => void showHealth(), HEALTH_MS)
// The printed address opened in a tab that shows this page already changes only the fragment.
addEventListener("hashchange", () => {
  if (tokenInFragment(location.hash) === null) return
  keptToken()
  location.reload()
})

const token = keptToken()
const reading = token === null ? null : readToken(token)
if (reading?.kind === "session") open(reading.session)
else askForToken(reading?.why ?? null)
