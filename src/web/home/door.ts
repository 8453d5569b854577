/** The form that asks for a token: this page is a person's own, so it reads the token before it keeps it. */
import { part } from "../shared/dom.ts"
import { complain, openDoor } from "../shared/door.ts"
import { keepToken, readToken } from "../shared/session.ts"

export const askForToken = (why: string | null): void => openDoor(["desk", "who", "line"], why)

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
