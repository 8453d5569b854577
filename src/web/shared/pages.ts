/** The way from each page to the others: the same words in the same order everywhere, and which of them this one is. */
import { el, part } from "./dom.ts"

const PAGES = [
  ["", "Inbox"],
  ["rules", "Rules"],
  ["outbox", "Outbox"],
  ["deliveries", "Deliveries"],
  ["actors", "Actors"],
  ["test", "Realtime test"],
  ["docs", "API docs"],
] as const

export type PageName = (typeof PAGES)[number][0]

/** Fills `<nav id="pages">`. Addresses are relative, so that a path prefix stays. */
export function linkPages(here: PageName): void {
  part("pages", HTMLElement).replaceChildren(
    ...PAGES.map(([path, name]) => el("a", { href: `./${path}`, "aria-current": path === here ? "page" : null }, name)),
  )
}
