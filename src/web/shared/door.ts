/** The form that asks for a token, for whoever came without one or with one that opens nothing here. */
import { part } from "./dom.ts"
import { keepToken } from "./session.ts"

/** Shows the form instead of the parts of the page with these ids; `why` says what was wrong with the token so far. */
export function openDoor(instead: readonly string[], why: string | null): void {
  for (const id of instead) part(id, HTMLElement).hidden = true
  part("door", HTMLElement).hidden = false
  complain(why)
  part("token", HTMLInputElement).focus()
}

/** Says beside the form what is wrong with the token. */
export function complain(why: string | null): void {
  const place = part("door-problem", HTMLParagraphElement)
  place.textContent = why ?? ""
  place.hidden = why === null
  part("token", HTMLInputElement).setAttribute("aria-invalid", String(why !== null))
}

/** Makes the form work: what is given is kept and the page begins again with it. */
export function watchDoor(): void {
  part("door-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault()
    const token = part("token", HTMLInputElement)
      .value.trim()
      .replace(/^bearer +/i, "")
    if (token === "") return
    keepToken(token)
    location.reload()
  })
}
