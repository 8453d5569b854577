/** One box of the drawing. Made once, then only what changed is written. */
import { el, icon } from "../shared/dom.ts"
import { fitted, type Measure, type Place } from "./layout.ts"
import type { Actor } from "./picture.ts"
import { mark, say, type View } from "./view.ts"
import { counted, duration, figure, LOOK_WORDS, type Look, rate, shortFigure } from "./words.ts"

/** A handler that takes this long is worth a word. */
const LONG_MS = 1_000
const FULL = 0.95
const FILLING = 0.7
const FLASH: KeyframeAnimationOptions = { duration: 1_200, easing: "ease-out" }

export class BoxView {
  readonly node: HTMLElement
  readonly #use: SVGUseElement | null
  readonly #name = el("span", { class: "name", dir: "auto" })
  readonly #restarts = el("span", { class: "restarts" })
  readonly #state = el("span", { class: "state" })
  readonly #figure = el("span", { class: "figure" })
  readonly #fill = el("span", { class: "fill" })
  readonly #depth = el("span", { class: "depth" })
  readonly #mail = el("span", { class: "mail" }, this.#depth, el("span", { class: "bar-of" }, this.#fill))
  #flash: Animation | null = null

  constructor(key: string, kind: "actor" | "stack") {
    const shape = icon("running")
    this.#use = shape.querySelector("use")
    const first = el("span", { class: "first" }, shape, this.#name)
    const second = el("span", { class: "second" }, this.#state, this.#figure, this.#restarts, this.#mail)
    this.node = el("div", { class: `box ${kind}`, role: "treeitem", tabindex: "-1", "data-key": key }, first, second)
  }

  /** Puts it where it belongs. Through the object model: the page's policy allows no style attributes. */
  stand(place: Place): void {
    const { style } = this.node
    style.left = `${place.x}px`
    style.top = `${place.y}px`
    style.width = `${place.width}px`
    style.height = `${place.height}px`
    mark(this.node, "aria-level", String(place.level))
    mark(this.node, "aria-posinset", String(place.position))
    mark(this.node, "aria-setsize", String(place.siblings))
  }

  show(place: Place, view: View, measure: Measure): void {
    const { actor, kind, more } = place.box
    if (kind === "stack") this.#showStack(actor, more)
    else this.#showActor(actor, view, fitted(actor.name, place.width, measure))
  }

  /** Who crashes all the time looks so all the time: flashing says nothing more then. */
  flash(): void {
    if (
      this.node.dataset["look"] === "crashing" ||
      this.#flash?.playState === "running" ||
      matchMedia("(prefers-reduced-motion: reduce)").matches
    )
      return
    const bad = getComputedStyle(this.node).getPropertyValue("--bad")
    const from = { boxShadow: `0 0 0 3px ${bad}`, borderColor: bad }
    this.#flash = this.node.animate([from, { ...from, offset: 0.3 }, {}], FLASH)
  }

  #showActor(actor: Actor, view: View, name: string): void {
    const look = view.look(actor)
    const { mailbox, restarts } = actor
    this.#look(look)
    say(this.#name, name)
    mark(this.#name, "title", actor.name)
    say(this.#restarts, restarts === 0 ? "" : `↻ ${shortFigure(restarts)}`)
    mark(this.#restarts, "title", restarts === 0 ? null : `started anew ${counted(restarts, "time")}`)
    // What runs and handles messages says how many: that it runs, its shape says.
    const runs = look === "running" && actor.handled !== null
    const age = view.handlerAge(actor)
    const long = runs && age !== null && age >= LONG_MS
    say(this.#state, runs ? "" : LOOK_WORDS[look])
    say(this.#figure, long ? `busy ${duration(age)}` : runs ? rate(view.rate(actor)) : "")
    mark(this.#figure, "data-long", long ? "" : null)
    this.#mail.hidden = mailbox === null
    const words = [actor.name, LOOK_WORDS[look], counted(restarts, "restart")]
    if (mailbox !== null) {
      const share = mailbox.bound > 0 ? Math.min(1, mailbox.depth / mailbox.bound) : 0
      say(this.#depth, figure(mailbox.depth))
      this.#fill.style.transform = `scaleX(${share})`
      mark(this.#mail, "data-level", share >= FULL ? "full" : share >= FILLING ? "filling" : null)
      const said = `mailbox ${figure(mailbox.depth)} of ${figure(mailbox.bound)}`
      mark(this.#mail, "title", said)
      words.push(said)
    }
    mark(this.node, "aria-label", words.join(", "))
  }

  #showStack(pool: Actor, more: number): void {
    const states = stackStates(pool)
    // A few of hundreds are no alarm; they stand beside it.
    this.#look("running")
    const name = counted(pool.childrenCount, "actor")
    const said = [
      ...states.map(([state, count]) => `${figure(count)} ${wordOf(state)}`),
      ...(more > 0 ? [`${figure(more)} unwell not drawn`] : []),
    ].join(", ")
    say(this.#name, name)
    say(this.#state, said)
    mark(this.#state, "title", said)
    this.#mail.hidden = true
    mark(this.node, "aria-label", `${name} in ${pool.name}: ${said}`)
  }

  #look(look: Look): void {
    mark(this.node, "data-look", look)
    if (this.#use !== null) mark(this.#use, "href", `#icon-${look}`)
  }
}

const ORDER = ["stopped", "backoff", "starting", "stopping", "running", "ignored"]

/** Counts by state, the worst first. */
export const stackStates = (pool: Actor): readonly (readonly [string, number])[] =>
  Object.entries(pool.childrenStates)
    .filter(([, count]) => count > 0)
    .toSorted(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b))

const WORDS: Readonly<Record<string, string>> = LOOK_WORDS
export const wordOf = (state: string): string => WORDS[state] ?? state
