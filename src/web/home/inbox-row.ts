/** One item of the inbox as it looks: a title that opens it, its words, where it comes from, what can be done with it. */
import { directionOf } from "../shared/direction.ts"
import { button, el, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import { severityMark, severityWord } from "./severity.ts"
import type { Item } from "./shapes.ts"

export type ItemMark = "read" | "unread" | "archive" | "unarchive" | "acknowledge"

export interface RowActions {
  /** Opens or closes it. */
  toggle(item: Item): void
  mark(item: Item, how: ItemMark): Promise<void>
  explain(item: Item): void
}

/** The row; `open` shows all of its words. Every control has a `data-do`, so that focus finds it again in a new row. */
export function inboxRow(item: Item, open: boolean, fresh: boolean, actions: RowActions): HTMLLIElement {
  const unread = item.readAt === null
  const dir = directionOf(item.title, item.body, item.actionLabel)
  const title = button(
    { class: "open", "aria-expanded": String(open), "data-do": "open" },
    el("span", { dir }, item.title),
    () => actions.toggle(item),
  )
  const does = (name: string, label: string, how: ItemMark): HTMLButtonElement =>
    button({ class: "link", "data-do": name }, label, () => actions.mark(item, how))
  return el(
    "li",
    { class: `item${unread ? " unread" : ""}${open ? " is-open" : ""}${fresh ? " fresh" : ""}`, "data-id": item.id },
    severityMark(item.severity),
    el(
      "article",
      {},
      el(
        "div",
        { class: "item-head" },
        el("h3", {}, unread ? el("span", { class: "visually-hidden" }, "Unread: ") : null, title),
        item.body === "" ? null : el("p", { class: "body", dir }, item.body),
      ),
      el(
        "p",
        { class: "meta" },
        moment(item.createdAt),
        severityWord(item.severity),
        el("span", { class: "rule", title: "The rule that made this notification" }, item.rule),
        item.place === "" ? null : el("span", {}, item.place),
        item.acknowledgedAt === null ? null : el("span", { class: "acknowledged" }, "Acknowledged"),
      ),
      el(
        "p",
        { class: "actions" },
        outsideLink(item),
        item.acknowledgedAt === null ? does("acknowledge", "Acknowledge", "acknowledge") : null,
        unread ? does("read", "Mark read", "read") : does("read", "Mark unread", "unread"),
        item.archivedAt === null
          ? does("archive", "Archive", "archive")
          : does("archive", "Move to inbox", "unarchive"),
        button({ class: "link why", "data-do": "why" }, "Why?", () => actions.explain(item)),
      ),
    ),
  )
}

/** The notification's own link, where it is a whole one: a path alone belongs to the app that shows the inbox there. */
function outsideLink({ actionUrl, actionLabel }: Item): HTMLElement | null {
  const url = actionUrl === null ? null : URL.parse(actionUrl)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return null
  return el(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer", "data-do": "link" },
    words(actionLabel ?? url.hostname),
  )
}
