/** The three sentences at the top: how everybody is, what was lost, what is stuck. */
import { el, icon, part } from "../shared/dom.ts"
import { mark, say, type View } from "./view.ts"
import { actorsSaying, lettersSaying, type Saying, stuckSaying } from "./words.ts"

const TONES: Readonly<Record<Saying["tone"], string>> = { good: "fine", warn: "look at this", bad: "trouble" }

export class Summary {
  readonly #cells = [newCell(), newCell(), newCell()]

  constructor() {
    part("summary", HTMLElement).replaceChildren(...this.#cells.map(({ node }) => node))
  }

  draw(view: View): void {
    const { picture, now } = view
    const crashing = [...view.people.values()].filter((actor) => view.look(actor) === "crashing")
    const sayings = [actorsSaying(picture, crashing), lettersSaying(picture, now), stuckSaying(picture)]
    for (const [n, saying] of sayings.entries()) this.#cells[n]?.show(saying)
  }
}

function newCell(): { readonly node: HTMLElement; show(saying: Saying): void } {
  const shape = icon("good")
  const use = shape.querySelector("use")
  const [tone, head, said] = [
    el("span", { class: "visually-hidden" }),
    el("b", { class: "head" }),
    el("span", { class: "said" }),
  ]
  return {
    node: el("p", { class: "saying" }, shape, tone, head, said),
    show(saying) {
      const node = head.parentElement
      if (node !== null) mark(node, "data-tone", saying.tone)
      if (use !== null) mark(use, "href", `#icon-${saying.tone}`)
      say(tone, `${TONES[saying.tone]}: `)
      say(head, saying.head)
      say(said, saying.said)
      mark(said, "title", saying.said)
      mark(head, "title", saying.head)
    },
  }
}
