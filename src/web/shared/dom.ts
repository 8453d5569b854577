/** The page's elements, made and found. Text is only ever set as text, so nothing from outside can become markup. */

type Child = Node | string | null

/** An element with attributes (`false` and null leave one out) and children (null is skipped). */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | boolean | null>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value)
  }
  node.append(...children.filter((child) => child !== null))
  return node
}

/** The element of the page with this id and kind. Throws where the page and its script do not fit together. */
export function part<T extends HTMLElement>(id: string, kind: new () => T): T {
  const node = document.getElementById(id)
  if (!(node instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`)
  return node
}

/** One of the drawings in the page's `<symbol>`s. Decoration: a word beside it says the same. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  svg.setAttribute("class", "icon")
  svg.setAttribute("aria-hidden", "true")
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use")
  use.setAttribute("href", `#icon-${name}`)
  svg.append(use)
  return svg
}

/** Text from outside, which may be written from right to left. */
export const words = (text: string, className = ""): HTMLElement =>
  el("span", { dir: "auto", class: className === "" ? null : className }, text)

/** A button that does `act` and cannot be pressed twice meanwhile; whoever pressed it by keyboard is still there after. */
export function button(
  attributes: Readonly<Record<string, string | boolean | null>>,
  label: string | Node,
  act: () => Promise<void> | void,
): HTMLButtonElement {
  const node = el("button", { type: "button", ...attributes }, label)
  node.addEventListener("click", () => {
    const doing = act()
    if (doing === undefined) return
    node.disabled = true
    void doing.finally(() => {
      node.disabled = false
      if (document.activeElement === document.body) node.focus({ preventScroll: true })
    })
  })
  return node
}
