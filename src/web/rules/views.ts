/** Which of the page's three views is shown. It stands in the address, so that it can be shared and Back goes back. */
import { part } from "../shared/dom.ts"

const VIEWS = ["rules", "try", "backtest"] as const
type View = (typeof VIEWS)[number]

export interface Address {
  readonly view: View
  /** The rule that is meant: of the list its fragment, of the playground a parameter. */
  readonly rule: string | null
  /** A recorded event to try. */
  readonly event: string | null
}

export interface Views {
  now(): Address
  /** Shows what the address says. */
  begin(): void
}

export function readAddress(search: string, hash: string): Address {
  const parameters = new URLSearchParams(search)
  const event = parameters.get("event")
  const asked = VIEWS.find((view) => view === parameters.get("view"))
  const view = asked ?? (event === null ? "rules" : "try")
  const named = decoded(hash.replace(/^#/, ""))
  const rule = view === "rules" ? named : parameters.get("rule")
  return { view, rule: rule === "" || rule === "content" ? null : rule, event }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** `shown` is called with every address that the page comes to. */
export function createViews(signal: AbortSignal, shown: (address: Address) => void): Views {
  const now = (): Address => readAddress(location.search, location.hash)

  const show = (): void => {
    const address = now()
    for (const view of VIEWS) part(`view-${view}`, HTMLElement).hidden = view !== address.view
    for (const link of document.querySelectorAll<HTMLElement>("#views a")) {
      if (link.dataset["view"] === address.view) link.setAttribute("aria-current", "page")
      else link.removeAttribute("aria-current")
    }
    shown(address)
  }

  document.addEventListener(
    "click",
    (event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null
      if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || link.target !== "") return
      const to = new URL(link.href)
      if (to.origin !== location.origin || to.pathname !== location.pathname || to.hash === "#content") return
      event.preventDefault()
      if (to.href !== location.href) history.pushState(null, "", to)
      show()
      const { view, rule } = now()
      // Who came by keyboard goes on where the new view begins.
      if (view !== "rules" || rule === null) part(`${view}-title`, HTMLElement).focus()
    },
    { signal },
  )
  addEventListener("popstate", show, { signal })
  return { now, begin: show }
}
