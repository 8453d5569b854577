/** The page `/actors`: the hub's supervision tree as it lives, for operators. */

import { createApi } from "../shared/api.ts"
import { part } from "../shared/dom.ts"
import { linkPages } from "../shared/pages.ts"
import { forgetToken, keptToken, tokenInFragment } from "../shared/session.ts"
import { atMostEvery } from "../shared/soon.ts"
import { Desk } from "./desk.ts"
import { askForToken, watchDoor } from "./door.ts"
import { openLine } from "./live.ts"
import { confirmed, restart } from "./restart.ts"

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
  const desk = new Desk(async (actor) => ((await confirmed(actor)) ? await restart(api, actor.id) : null), over.signal)
  part("desk", HTMLDivElement).hidden = false
  part("who", HTMLParagraphElement).hidden = false
  part("leave", HTMLButtonElement).addEventListener("click", () => leave(null), { signal: over.signal })

  // A socket says only that it was refused: whether the token is the reason, a call tells.
  const ask = async (): Promise<void> => {
    const answer = await api.call("GET", "admin/actors")
    if (answer.kind === "failed" && answer.status !== 403)
      part("waiting", HTMLParagraphElement).textContent = `Not yet: ${answer.detail}. The page tries again by itself.`
    if (answer.kind === "failed" && answer.status === 403)
      leave(
        `The hub does not show its actors to this token: ${answer.detail}. Use one with the role admin, or an admin key.`,
      )
  }
  const doubt = atMostEvery(() => void ask(), DOUBT_MS)
  openLine(
    token,
    {
      state: (state) => desk.line(state),
      picture: (picture) => desk.picture(picture),
      broken: doubt,
      forbidden: () => leave("This token may not see the actors. Use one with the role admin, or an admin key."),
    },
    over.signal,
  )
}

linkPages("actors")
watchDoor()
// The address opened in a tab that shows this page already changes only the fragment.
addEventListener("hashchange", () => {
  if (tokenInFragment(location.hash) === null) return
  keptToken()
  location.reload()
})

const token = keptToken()
if (token === null) askForToken(null)
else open(token)
