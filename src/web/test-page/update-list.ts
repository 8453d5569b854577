// The list of updates: newest first, each a line that opens to the frame as it came.

export interface ResourceUpdate {
  readonly type: string
  readonly businessId: string
  readonly locationId?: string
  readonly resourceType?: string
  readonly resourceId?: string
  readonly _offset?: number
}

export const isResourceUpdate = (value: unknown): value is ResourceUpdate =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** Older ones leave: a page that stays open for a week must not grow. */
const MOST_SHOWN = 200

export class UpdateList {
  total = 0
  readonly #list: HTMLElement
  readonly #empty: HTMLElement

  constructor(list: HTMLElement, empty: HTMLElement) {
    this.#list = list
    this.#empty = empty
  }

  /** `missed`: it came with the recovery, not as it happened. */
  add(update: ResourceUpdate, raw: string, missed: boolean): void {
    this.total += 1
    this.#empty.hidden = true
    this.#list.prepend(line(update, raw, missed))
    while (this.#list.children.length > MOST_SHOWN) this.#list.lastElementChild?.remove()
  }

  clear(): void {
    this.total = 0
    this.#list.replaceChildren()
    this.#empty.hidden = false
  }
}

function line(update: ResourceUpdate, raw: string, missed: boolean): HTMLLIElement {
  const item = document.createElement("li")
  if (missed) item.className = "missed"
  const details = document.createElement("details")
  const summary = document.createElement("summary")
  const now = new Date()
  const time = text("time", now.toLocaleTimeString(undefined, { hour12: false }), "")
  time.setAttribute("datetime", now.toISOString())
  const change = update.type.replace("resource_", "")
  const what = text("span", `${update.resourceType ?? "resource"} ${update.resourceId ?? ""}`, "what")
  const place = update.locationId === undefined ? update.businessId : `${update.businessId} / ${update.locationId}`
  const where = [place, update._offset === undefined ? null : `offset ${update._offset}`, missed ? "missed" : null]
  summary.append(
    time,
    text("span", change, `change ${change}`),
    what,
    text("span", where.filter((part) => part !== null).join(" · "), "where"),
  )
  details.append(summary, text("pre", raw, ""))
  item.append(details)
  return item
}

function text(tag: string, content: string, className: string): HTMLElement {
  const made = document.createElement(tag)
  made.textContent = content
  if (className !== "") made.className = className
  return made
}
