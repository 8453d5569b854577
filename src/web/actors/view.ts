/** What every part of the page draws from: the last picture and what was made of it. */
import type { Episodes } from "./episodes.ts"
import type { Actor, Picture } from "./picture.ts"
import type { Rates } from "./rates.ts"
import { type Look, lookOf } from "./words.ts"

export class View {
  readonly picture: Picture
  readonly people: ReadonlyMap<string, Actor>
  /** By the hub's clock. */
  readonly now: number
  readonly #episodes: Episodes
  readonly #rates: Rates

  constructor(made: {
    picture: Picture
    people: ReadonlyMap<string, Actor>
    now: number
    episodes: Episodes
    rates: Rates
  }) {
    this.picture = made.picture
    this.people = made.people
    this.now = made.now
    this.#episodes = made.episodes
    this.#rates = made.rates
  }

  look(actor: Actor): Look {
    return lookOf(actor, this.#episodes.lately(actor.id))
  }

  /** Messages handled per second. */
  rate(actor: Actor): number {
    return this.#rates.of(actor.id, this.now)
  }

  /** For how long the message in hand has been handled by now, or null. */
  handlerAge(actor: Actor): number | null {
    return actor.handlerAgeMs === null ? null : actor.handlerAgeMs + Math.max(0, this.now - this.picture.at)
  }
}

/** Sets a text only where it changed, so that a selection in what did not change stays. */
export function say(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

/** Sets or removes an attribute, only where it changed. */
export function mark(node: Element, name: string, value: string | null): void {
  if (node.getAttribute(name) === value) return
  if (value === null) node.removeAttribute(name)
  else node.setAttribute(name, value)
}
