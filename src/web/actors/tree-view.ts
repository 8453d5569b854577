/** The drawing: boxes joined by lines, one element for each for as long as it stands, moved only when the shape changes. */
import { el } from "../shared/dom.ts"
import { BoxView } from "./box-view.ts"
import { fittingWidths, type Layout, levelWidths, listLayout, type Place, sameLayout, treeLayout } from "./layout.ts"
import type { Box } from "./shown.ts"
import { mark, type View } from "./view.ts"

const SVG = "http://www.w3.org/2000/svg"
/** Names come and go with the topics. */
const MOST_MEASURED = 1_000
const NOTHING: Layout = { places: [], lines: [], width: 0, height: 0 }

export class TreeView {
  readonly #tree = el("div", { class: "tree", role: "tree", "aria-label": "The actors", "aria-describedby": "keys" })
  readonly #lines = document.createElementNS(SVG, "svg")
  readonly #place: HTMLElement
  readonly #choose: (id: string) => void
  readonly #boxes = new Map<string, BoxView>()
  readonly #paths = new Map<string, SVGPathElement>()
  #layout = NOTHING
  #widths: readonly number[] = []
  readonly #measured = new Map<string, number>()
  readonly #pen = document.createElement("canvas").getContext("2d")
  /** The one box that Tab leads to. */
  #entry = ""

  constructor(place: HTMLElement, choose: (id: string) => void) {
    this.#place = place
    this.#choose = choose
    this.#lines.setAttribute("class", "lines")
    this.#lines.setAttribute("aria-hidden", "true")
    this.#tree.append(this.#lines)
    this.#tree.addEventListener("click", (event) => this.#clicked(event))
    this.#tree.addEventListener("keydown", (event) => this.#pressed(event))
    this.#tree.addEventListener("focusin", (event) => {
      const key = keyOf(event.target)
      if (key !== null) this.#enterBy(key)
    })
    place.replaceChildren(this.#tree)
  }

  draw(root: Box, view: View, chosen: string | null): void {
    const room = this.#place.clientWidth
    this.#widths = levelWidths(root, this.#widths, this.#measure)
    const widths = fittingWidths(this.#widths, room)
    const layout = widths === null ? listLayout(root, room) : treeLayout(root, widths)
    if (!sameLayout(layout, this.#layout)) this.#arrange(layout)
    this.#layout = layout
    for (const place of layout.places) {
      const box = this.#boxes.get(place.key)
      if (box === undefined) continue
      box.show(place, view, this.#measure)
      mark(box.node, "aria-selected", String(place.box.kind === "actor" && place.box.actor.id === chosen))
      const path = this.#paths.get(place.key)
      if (path !== undefined) mark(path, "data-look", box.node.getAttribute("data-look"))
    }
  }

  /** Shows that these have crashed just now. */
  flash(ids: readonly string[]): void {
    for (const id of ids) this.#boxes.get(id)?.flash()
  }

  focus(id: string): void {
    this.#boxes.get(id)?.node.focus()
  }

  /** Brings a box where it can be seen, on a phone above the panel. */
  reveal(id: string): void {
    this.#boxes.get(id)?.node.scrollIntoView({ block: "nearest", inline: "nearest" })
  }

  readonly #measure = (name: string): number => {
    const known = this.#measured.get(name)
    if (known !== undefined) return known
    if (this.#measured.size >= MOST_MEASURED) this.#measured.clear()
    const pen = this.#pen
    // As `.name` is written in tree.css.
    if (pen !== null) pen.font = `600 13px ${getComputedStyle(this.#tree).fontFamily}`
    const width = pen?.measureText(name).width ?? name.length * 8
    this.#measured.set(name, width)
    return width
  }

  #arrange({ places, lines, width, height }: Layout): void {
    const { style } = this.#tree
    style.width = `${width}px`
    style.height = `${height}px`
    mark(this.#lines, "width", String(width))
    mark(this.#lines, "height", String(height))
    this.#arrangeBoxes(places)
    for (const [key, path] of this.#paths) {
      if (lines.some((line) => line.key === key)) continue
      path.remove()
      this.#paths.delete(key)
    }
    for (const { key, path } of lines) {
      const known = this.#paths.get(key) ?? document.createElementNS(SVG, "path")
      this.#paths.set(key, known)
      mark(known, "d", path)
      if (known.parentNode === null) this.#lines.append(known)
    }
  }

  #arrangeBoxes(places: readonly Place[]): void {
    const keys = new Set(places.map(({ key }) => key))
    for (const [key, box] of this.#boxes) {
      if (keys.has(key)) continue
      box.node.remove()
      this.#boxes.delete(key)
    }
    let before: Element = this.#lines
    for (const place of places) {
      const box = this.#boxes.get(place.key) ?? new BoxView(place.key, place.box.kind)
      this.#boxes.set(place.key, box)
      box.stand(place)
      // Moved only when it is not there already: what is moved loses the focus and the selection in it.
      if (before.nextElementSibling !== box.node) before.after(box.node)
      before = box.node
    }
    if (!keys.has(this.#entry)) this.#enterBy(places[0]?.key ?? "")
  }

  #enterBy(key: string): void {
    const old = this.#boxes.get(this.#entry)
    if (old !== undefined) mark(old.node, "tabindex", "-1")
    this.#entry = key
    const box = this.#boxes.get(key)
    if (box !== undefined) mark(box.node, "tabindex", "0")
  }

  #clicked(event: Event): void {
    // Whoever has just selected text with the mouse wants the text.
    const place = getSelection()?.isCollapsed === false ? undefined : this.#placeOf(keyOf(event.target))
    if (place !== undefined) this.#choose(place.box.actor.id)
  }

  #pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { places } = this.#layout
    const at = places.findIndex(({ key }) => key === this.#entry)
    const here = places[at]
    if (here === undefined) return
    const to = ((): Place | undefined | null => {
      switch (event.key) {
        case "ArrowDown":
          return places[at + 1]
        case "ArrowUp":
          return places[at - 1]
        case "ArrowLeft":
          return places.find(({ key }) => key === here.parent)
        case "ArrowRight":
          return places.find(({ parent }) => parent === here.key)
        case "Home":
          return places[0]
        case "End":
          return places.at(-1)
        default:
          return null
      }
    })()
    if (event.key === "Enter" || event.key === " ") this.#choose(here.box.actor.id)
    else if (to === null) return
    else if (to !== undefined) this.#boxes.get(to.key)?.node.focus()
    event.preventDefault()
  }

  #placeOf(key: string | null): Place | undefined {
    return this.#layout.places.find((place) => place.key === key)
  }
}

const keyOf = (target: EventTarget | null): string | null =>
  target instanceof Element ? (target.closest<HTMLElement>("[data-key]")?.dataset["key"] ?? null) : null
