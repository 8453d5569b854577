/** The form that asks for a token, for whoever came without one or with one that is no longer good. */
import { part } from "../shared/dom.ts"
import { keepToken, readToken } from "../shared/session.ts"

/** Shows the form instead of the desk; `why` says what was wrong with the token so far. */
export function askForToken(why: string | null): void {
  part("desk", HTMLDivElement).hidden = true
  part("who", HTMLParagraphElement).hidden = true
  part("line", HTMLParagraphElement).hidden = true
  part("door", HTMLElement).hidden = false
  complain(why)
  part("token", HTMLInputElement).focus()
}

/** Makes the form work. A good-looking token is kept and the page begins again with it. */
export function watchDoor(): void {
  const input = part("token", HTMLInputElement)
  part("door-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault()
    const reading = readToken(input.value)
    if (reading.kind === "unreadable") {
      complain(reading.why)
      input.focus()
      return
    }
    keepToken(reading.session.token)
    location.reload()
  })
}

function complain(why: string | null): void {
  const place = part("door-problem", HTMLParagraphElement)
  place.textContent = why ?? ""
  place.hidden = why === null
  part("token", HTMLInputElement).setAttribute("aria-invalid", String(why !== null))
}
