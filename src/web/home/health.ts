/** The strip that says how the hub is. It needs no token, so it also tells a visitor at the door that somebody is home. */
import { el, part } from "../shared/dom.ts"
import { partWords } from "./health-words.ts"
import { readHealth } from "./shapes.ts"

const DEADLINE_MS = 5_000

/** Asks once and redraws the strip. */
export async function showHealth(): Promise<void> {
  const place = part("health", HTMLElement)
  const cells = await ask()
  // A strip that says the same is left alone, so that nobody loses their place in it.
  if (place.textContent !== cells.map((cell) => cell.textContent).join("")) place.replaceChildren(...cells)
}

async function ask(): Promise<readonly HTMLElement[]> {
  try {
    const response = await fetch(new URL("health/detailed", document.baseURI), {
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const health = response.ok ? readHealth(await response.json()) : null
    if (health !== null) {
      return health.parts.map((part) => {
        const { name, said } = partWords(part, Date.now())
        return cell(name, part.status, said)
      })
    }
  } catch {
    // Said below, in the same words as an answer that cannot be read.
  }
  return [cell("The hub", "down", "does not answer")]
}

/** Trouble is said in a word that everybody sees; that all is well, the dot's shape and a word for listeners say. */
const cell = (name: string, status: string, said: string): HTMLElement =>
  el(
    "div",
    { class: "cell", "data-status": status },
    el("span", { class: "dot" }),
    el("span", { class: "name" }, name),
    status === "up" ? el("span", { class: "visually-hidden" }, "fine") : el("span", { class: "state" }, status),
    said === "" ? null : el("span", { class: "said" }, said),
  )
