/** The list of what happened: a line for each episode, which stays in its place while its words change. */
import { el, icon, part } from "../shared/dom.ts"
import type { Episode } from "./episodes.ts"
import { mark, say, type View } from "./view.ts"
import { clock, episodeEnd, episodeWords, type Look, why } from "./words.ts"

interface Line {
  readonly node: HTMLLIElement
  show(episode: Episode, view: View): void
}

export class Happened {
  readonly #list = part("happened", HTMLOListElement)
  readonly #empty = part("happened-empty", HTMLParagraphElement)
  readonly #news = part("news", HTMLParagraphElement)
  readonly #lines = new Map<string, Line>()
  #began = false

  constructor(choose: (id: string) => void) {
    this.#list.addEventListener("click", (event) => {
      const node = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-id]") : null
      if (node?.dataset["id"] !== undefined) choose(node.dataset["id"])
    })
  }

  draw(episodes: readonly Episode[], view: View): void {
    const keys = new Set(episodes.map(({ key }) => key))
    for (const [key, line] of this.#lines) {
      if (keys.has(key)) continue
      line.node.remove()
      this.#lines.delete(key)
    }
    let before: Element | null = null
    for (const episode of episodes) {
      const known = this.#lines.get(episode.key)
      const line = known ?? newLine(episode)
      this.#lines.set(episode.key, line)
      line.show(episode, view)
      if (before === null && this.#list.firstElementChild !== line.node) this.#list.prepend(line.node)
      else if (before !== null && before.nextElementSibling !== line.node) before.after(line.node)
      before = line.node
      // Heard once for each episode, not for each of its crashes; and not for what was there before.
      if (known === undefined && this.#began) say(this.#news, `${episode.name} ${episodeWords(episode)}`)
    }
    this.#began = true
    this.#empty.hidden = episodes.length > 0
  }
}

function newLine({ id, name, from }: Episode): Line {
  const time = el("time", { datetime: new Date(from).toISOString() })
  const shape = icon("crashing")
  const use = shape.querySelector("use")
  const words = el("span", { class: "words" })
  const cause = el("span", { class: "cause", dir: "auto" })
  const end = el("span", { class: "end-word" })
  const who = el("button", { type: "button", class: "link who-button", "data-id": id, dir: "auto" }, name)
  const node = el(
    "li",
    { class: "episode" },
    el("p", { class: "gist" }, who, " ", words),
    cause,
    el("p", { class: "end" }, shape, end, time),
  )
  return {
    node,
    show(episode, view) {
      const actor = view.people.get(episode.id)
      const look: Look | undefined = actor === undefined ? undefined : view.look(actor)
      say(time, clock(episode.from, view.now))
      say(words, episodeWords(episode))
      const reason = episode.reason === "" && episode.detail === null ? "" : why(episode.reason, episode.detail)
      say(cause, reason)
      mark(cause, "title", reason)
      mark(node, "data-what", episode.what)
      mark(node, "data-over", episode.over ? "" : null)
      mark(node, "data-look", look ?? "ignored")
      if (use !== null) mark(use, "href", `#icon-${look ?? "ignored"}`)
      say(end, episodeEnd(episode, look))
    },
  }
}
