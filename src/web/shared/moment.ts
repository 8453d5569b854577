/** Times as people say them, kept fresh while the page is open. */
import { el } from "./dom.ts"

const STEPS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number])[] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
]
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" })
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" })
const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" })
const REFRESH_MS = 15_000
const WEEK_S = 7 * 86_400

/** `just now`, `5 min. ago`, `yesterday`; a date when it is more than a week away. Empty for what is no time. */
export function ago(time: string, now: number): string {
  const then = Date.parse(time)
  if (Number.isNaN(then)) return ""
  const seconds = Math.round((then - now) / 1_000)
  if (Math.abs(seconds) < 45) return "just now"
  if (Math.abs(seconds) > WEEK_S) return DATE.format(then)
  const [unit, size] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? ["minute", 60]
  return RELATIVE.format(Math.trunc(seconds / size) || Math.sign(seconds), unit)
}

/** A `<time>` that goes on being true (see `keepMoments`). */
export function moment(time: string): HTMLTimeElement {
  const then = Date.parse(time)
  return el(
    "time",
    { datetime: time, "data-moment": true, title: Number.isNaN(then) ? null : FULL.format(then) },
    ago(time, Date.now()),
  )
}

/** Rewrites every moment on the page from time to time. */
export function keepMoments(): void {
  setInterval(() => {
    if (document.hidden) return
    for (const node of document.querySelectorAll("time[data-moment]")) {
      const said = ago(node.getAttribute("datetime") ?? "", Date.now())
      if (node.textContent !== said) node.textContent = said
    }
  }, REFRESH_MS)
}
