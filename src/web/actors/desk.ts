/** The page at work: takes pictures in, and draws at most once a frame, whatever comes. */
import { part } from "../shared/dom.ts"
import { Absent } from "./absent.ts"
import { Episodes, STORM } from "./episodes.ts"
import { Happened } from "./happened.ts"
import type { LineState } from "./live.ts"
import { Panel, type PanelActs } from "./panel.ts"
import { everybody, type Picture } from "./picture.ts"
import { Rates } from "./rates.ts"
import { Shown } from "./shown.ts"
import { Summary } from "./summary.ts"
import { TreeView } from "./tree-view.ts"
import { say, View } from "./view.ts"
import { clock } from "./words.ts"

/** Ages and rates go on while no picture comes. */
const TICK_MS = 1_000

const LINE_WORDS: Readonly<Record<LineState, string>> = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Connection lost",
}

export class Desk {
  readonly #absent = new Absent()
  readonly #episodes = new Episodes()
  readonly #rates = new Rates()
  readonly #shown = new Shown()
  readonly #summary = new Summary()
  readonly #tree = new TreeView(part("tree", HTMLElement), (id) => this.#choose(id))
  readonly #happened = new Happened((id) => this.#choose(id))
  readonly #panel: Panel
  #picture: Picture | null = null
  /** The hub's clock minus ours. */
  #ahead = 0
  #line: LineState = "connecting"
  #chosen: string | null = null
  #crashed = new Set<string>()
  #frame: number | null = null

  constructor(restart: PanelActs["restart"], signal: AbortSignal) {
    this.#panel = new Panel({ choose: (id) => this.#choose(id), close: () => this.#close(), restart })
    const soon = (): void => this.#soon()
    const timer = setInterval(soon, TICK_MS)
    signal.addEventListener("abort", () => clearInterval(timer), { once: true })
    addEventListener("resize", soon, { signal })
    addEventListener("keydown", (event) => this.#pressed(event), { signal })
    this.line("connecting")
  }

  picture(picture: Picture): void {
    const whole = this.#absent.fill(picture)
    this.#picture = whole
    this.#ahead = picture.at - Date.now()
    this.#rates.took(whole)
    for (const id of this.#episodes.took(whole)) this.#crashed.add(id)
    this.#soon()
  }

  line(state: LineState): void {
    this.#line = state
    const line = part("line", HTMLParagraphElement)
    line.hidden = false
    line.dataset["state"] = state
    say(part("line-text", HTMLSpanElement), LINE_WORDS[state])
    part("desk", HTMLDivElement).dataset["line"] = state
    const stale = part("stale", HTMLParagraphElement)
    stale.hidden = state !== "lost"
    if (state === "lost" && this.#picture !== null) {
      const seen = clock(this.#picture.at, Date.now() + this.#ahead)
      say(stale, `The hub cannot be reached. This is how it was at ${seen}; the page tries again by itself.`)
    }
    this.#soon()
  }

  /** Frames do not come while nobody sees the page: nothing is drawn then, and nothing piles up. */
  #soon(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null
      this.#draw()
    })
  }

  #draw(): void {
    const picture = this.#picture
    if (picture === null) return
    // While the line is lost, time stands still: nobody knows how things went on.
    const now = this.#line === "live" ? Math.max(picture.at, Date.now() + this.#ahead) : picture.at
    const [episodes, rates] = [this.#episodes, this.#rates]
    episodes.pass(now)
    const view = new View({ picture, people: everybody(picture.tree), now, episodes, rates })
    const box = this.#shown.boxes(picture.tree, now, (id) => episodes.lately(id) >= STORM)
    part("waiting", HTMLParagraphElement).hidden = true
    const node = part("node", HTMLParagraphElement)
    node.hidden = false
    say(node, `on ${picture.node}`)
    this.#summary.draw(view)
    this.#tree.draw(box, view, this.#chosen)
    this.#panel.draw(this.#chosen, view, this.#line === "live")
    this.#happened.draw(episodes.list(), view)
    this.#tree.flash([...this.#crashed])
    this.#crashed.clear()
  }

  #choose(id: string): void {
    this.#chosen = id
    this.#draw()
    this.#tree.reveal(id)
    part("panel", HTMLElement).querySelector<HTMLElement>("#panel-name")?.focus({ preventScroll: true })
  }

  #close(): void {
    const was = this.#chosen
    this.#chosen = null
    this.#draw()
    if (was !== null) this.#tree.focus(was)
  }

  #pressed(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.#chosen !== null && !part("confirm", HTMLDialogElement).open) this.#close()
  }
}
