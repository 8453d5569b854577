/** What of this page gives way to the form that asks for a token. */
import { openDoor } from "../shared/door.ts"

export { watchDoor } from "../shared/door.ts"

export const askForToken = (why: string | null): void => openDoor(["desk", "who", "line"], why)
