/** Short words to the person: what could not be done (seen and heard), and what arrived (heard; the list shows it). */
import { part } from "../shared/dom.ts"

const SHOWN_MS = 6_000
let hide: ReturnType<typeof setTimeout> | undefined

/** A sentence at the foot of the page for a few seconds. */
export function notice(sentence: string): void {
  const place = part("notice", HTMLParagraphElement)
  place.textContent = sentence
  place.hidden = false
  clearTimeout(hide)
  hide = setTimeout(() => {
    place.hidden = true
  }, SHOWN_MS)
}

/** A sentence for those who listen. */
export function say(sentence: string): void {
  const place = part("news", HTMLParagraphElement)
  // The same words twice are no change, and no change is not read out: the space makes one.
  place.textContent = place.textContent === sentence ? `${sentence}\u00a0` : sentence
}
