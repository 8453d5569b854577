/** What the inbox shows, as values: which items, in which order, after each piece of news. No DOM in here. */
import type { Change, Item, Page } from "./shapes.ts"

export type Filter = "all" | "unread" | "archived"

export interface InboxList {
  readonly filter: Filter
  /** Newest first. */
  readonly items: readonly Item[]
  /** Where the next page starts; null: everything is here. */
  readonly after: string | null
}

export const emptyList = (filter: Filter): InboxList => ({ filter, items: [], after: null })

/** A page from the hub: the first one replaces, a later one goes below. */
export function withPage(list: InboxList, page: Page<Item>, first: boolean): InboxList {
  if (first) return { ...list, items: page.items, after: page.after }
  const here = new Set(list.items.map((item) => item.id))
  return { ...list, items: [...list.items, ...page.items.filter((item) => !here.has(item.id))], after: page.after }
}

/** A new notification. It stands at its place even when news came out of order, and once however often it comes. */
export const withArrival = (list: InboxList, item: Item): InboxList => withItem(list, item)

/** News of an item. `reload` changes nothing here: the list must be asked for again. */
export function withChange(list: InboxList, change: Change): InboxList {
  switch (change.kind) {
    case "item":
      return withItem(list, change.item)
    case "deleted":
      return { ...list, items: list.items.filter((item) => item.id !== change.id) }
    case "reload":
      return list
  }
}

function withItem(list: InboxList, item: Item): InboxList {
  const others = list.items.filter((other) => other.id !== item.id)
  const known = others.length < list.items.length
  if (!fits(list.filter, item, known)) return known ? { ...list, items: others } : list
  // Older than all that is loaded, with more to load: it comes with its page.
  const last = others.at(-1)
  if (!known && list.after !== null && last !== undefined && item.id < last.id) return list
  const at = others.findIndex((other) => other.id < item.id)
  const place = at === -1 ? others.length : at
  return { ...list, items: [...others.slice(0, place), item, ...others.slice(place)] }
}

/** Among the unread, an item that is being read stays where it is: it must not vanish under its reader's eyes. */
function fits(filter: Filter, item: Item, known: boolean): boolean {
  switch (filter) {
    case "all":
      return item.archivedAt === null
    case "unread":
      return item.archivedAt === null && (known || item.readAt === null)
    case "archived":
      return item.archivedAt !== null
  }
}
