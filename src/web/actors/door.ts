/** What of this page gives way to the form that asks for a token. */
import { part } from "../shared/dom.ts"
import { openDoor } from "../shared/door.ts"

export { watchDoor } from "../shared/door.ts"

export function askForToken(why: string | null): void {
  part("confirm", HTMLDialogElement).close()
  openDoor(["desk", "who", "line", "node", "stale"], why)
}
