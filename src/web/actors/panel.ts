/** Everything that is known about one actor, and the button that restarts it. Only what changed is written. */
import { button, el, icon, part } from "../shared/dom.ts"
import { stackStates, wordOf } from "./box-view.ts"
import type { Actor } from "./picture.ts"
import type { Told } from "./restart.ts"
import { mark, say, type View } from "./view.ts"
import {
  counted,
  duration,
  figure,
  folded,
  LOOK_SENTENCES,
  lostBecause,
  type Moment,
  rate,
  why,
  whyNoRestart,
} from "./words.ts"

export interface PanelActs {
  choose(id: string): void
  close(): void
  /** Null: the person thought better of it. */
  restart(actor: Actor): Promise<Told | null>
}

type Fact = "Kind" | "Incarnation" | "Restarts" | "Handled" | "Now" | "Mailbox" | "Dropped" | "Lost" | "Below"
const LABELS: Readonly<Record<Fact, string>> = {
  Kind: "Kind",
  Incarnation: "Incarnation",
  Restarts: "Restarts",
  Handled: "Handled",
  Now: "In hand",
  Mailbox: "Mailbox",
  Dropped: "Dropped",
  Lost: "Dead letters",
  Below: "Below it",
}

export class Panel {
  readonly #place = part("panel", HTMLElement)
  readonly #acts: PanelActs
  #shown: { readonly id: string; show(actor: Actor | undefined, view: View, live: boolean): void } | null = null

  constructor(acts: PanelActs) {
    this.#acts = acts
  }

  draw(id: string | null, view: View, live: boolean): void {
    if (id === null) {
      this.#shown = null
      this.#place.hidden = true
      return
    }
    if (this.#shown?.id !== id) {
      this.#shown = this.#build(id)
      this.#place.hidden = false
      this.#place.scrollTop = 0
    }
    this.#shown.show(view.people.get(id), view, live)
  }

  #build(id: string): { id: string; show(actor: Actor | undefined, view: View, live: boolean): void } {
    let latest: Actor | undefined
    const shape = icon("running")
    const use = shape.querySelector("use")
    const name = el("h2", { id: "panel-name", tabindex: "-1", dir: "auto" })
    const sentence = el("span", {})
    const facts = new Map<string, { row: HTMLElement; value: HTMLElement }>()
    const rows = Object.entries(LABELS).map(([fact, label]) => {
      const value = el("dd", {})
      const row = el("div", {}, el("dt", {}, label), value)
      facts.set(fact, { row, value })
      return row
    })
    const fact = (which: Fact, text: string | null): void => {
      const found = facts.get(which)
      if (found === undefined) return
      found.row.hidden = text === null
      say(found.value, text ?? "")
    }
    const told = el("p", { class: "told", role: "status", hidden: true })
    let asking = false
    const ask = async (actor: Actor): Promise<void> => {
      asking = true
      told.hidden = true
      const answer = await this.#acts.restart(actor)
      asking = false
      again.disabled = false
      if (answer === null) return
      told.textContent = answer.said
      told.dataset["worked"] = String(answer.worked)
      told.hidden = false
    }
    const again = button({ class: "button again" }, icon("again"), () => {
      if (latest !== undefined && !asking) void ask(latest)
    })
    again.append("Restart…")
    const hint = el("p", { class: "hint" })
    const restarts = listPart("Last restarts")
    const lost = listPart("Dead letters for it")
    const children = listPart("Who is below it")
    children.list.addEventListener("click", (event) => {
      const node = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-id]") : null
      if (node?.dataset["id"] !== undefined) this.#acts.choose(node.dataset["id"])
    })
    this.#place.replaceChildren(
      el(
        "div",
        { class: "panel-top" },
        name,
        button({ class: "button quiet close", "aria-label": "Close" }, icon("cross"), () => this.#acts.close()),
      ),
      el("p", { class: "look" }, shape, sentence),
      el("div", { class: "doing" }, again, hint),
      told,
      el("dl", { class: "facts" }, ...rows),
      restarts.node,
      lost.node,
      children.node,
    )
    return {
      id,
      show: (actor, view, live) => {
        latest = actor
        again.disabled = asking || !live || actor === undefined
        mark(this.#place, "data-look", actor === undefined ? "stopped" : view.look(actor))
        if (actor === undefined) {
          if (name.textContent === "") say(name, id)
          say(sentence, "It is gone: nobody of this name is in the tree now.")
          if (use !== null) mark(use, "href", "#icon-stopped")
          return
        }
        const look = view.look(actor)
        const unable = whyNoRestart(actor, view.picture)
        say(name, actor.name)
        if (use !== null) mark(use, "href", `#icon-${look}`)
        say(sentence, LOOK_SENTENCES[look])
        again.hidden = unable !== null
        hint.hidden = unable === null
        say(hint, unable ?? "")
        showFacts(actor, view, fact)
        const letters = view.picture.deadLetters.recent.filter(({ to }) => to === actor.id)
        restarts.show(
          linesOf(
            actor.recentRestarts.map(({ at, reason, detail }) => ({ at, said: why(reason, detail) })),
            view.now,
          ),
        )
        lost.show(
          linesOf(
            letters.map((one) => ({ at: one.at, said: `${one.message ?? "a message"}: ${lostBecause(one.why)}` })),
            view.now,
          ),
        )
        children.show(actor.type === "pool" ? childLines(actor, view) : [])
      },
    }
  }
}

function showFacts(actor: Actor, view: View, fact: (which: Fact, text: string | null) => void): void {
  const { mailbox, handled } = actor
  fact("Kind", actor.kind === actor.type ? actor.kind : `${actor.kind} (${actor.type})`)
  fact("Incarnation", figure(actor.incarnation))
  fact("Restarts", figure(actor.restarts))
  fact("Handled", handled === null ? null : `${figure(handled)} (${rate(view.rate(actor))})`)
  const age = view.handlerAge(actor)
  fact("Now", handled === null ? null : age === null ? "nothing" : `a message, for ${duration(age)}`)
  fact("Mailbox", mailbox === null ? null : `${figure(mailbox.depth)} of ${figure(mailbox.bound)}`)
  fact("Dropped", mailbox === null ? null : mailbox.dropped === 0 ? "none" : counted(mailbox.dropped, "message"))
  const letters = view.picture.deadLetters.recent
  const own = letters.filter(({ to }) => to === actor.id).length
  fact("Lost", mailbox === null ? null : own === 0 ? "none lately" : `${own} of the hub’s last ${letters.length}`)
  const states = stackStates(actor).map(([state, count]) => `${figure(count)} ${wordOf(state)}`)
  fact("Below", actor.children === null ? null : states.join(", ") || "nobody")
}

interface LineOf {
  readonly key: string
  make(): HTMLElement
}

const line = (time: string, said: string): LineOf => ({
  key: `${time} ${said}`,
  make: () => el("li", {}, el("span", { class: "when" }, time), el("span", { class: "what", dir: "auto" }, said)),
})

const linesOf = (moments: readonly Moment[], now: number): readonly LineOf[] =>
  folded(moments, now).map(({ times, said }) => line(times, said))

function childLines(pool: Actor, view: View): readonly LineOf[] {
  const children = pool.children ?? []
  const unseen = pool.childrenCount - children.length
  return [
    ...children.map((child): LineOf => {
      const look = view.look(child)
      return {
        key: `${child.id} ${look}`,
        make: () =>
          el(
            "li",
            { class: "child", "data-look": look },
            icon(look),
            el("button", { type: "button", class: "link", "data-id": child.id, dir: "auto" }, child.name),
            el("span", { class: "when" }, wordOf(look)),
          ),
      }
    }),
    ...(unseen > 0
      ? [
          {
            key: `unseen ${unseen}`,
            make: () => el("li", { class: "hint" }, `and ${figure(unseen)} more, not listed here`),
          },
        ]
      : []),
  ]
}

/** A heading and a list that is written anew only when a line of it changed. */
function listPart(title: string): { node: HTMLElement; list: HTMLElement; show(lines: readonly LineOf[]): void } {
  const list = el("ol", { class: "list" })
  const node = el("section", { class: "more", hidden: true }, el("h3", {}, title), list)
  let shown = ""
  return {
    node,
    list,
    show(lines) {
      const key = lines.map((one) => one.key).join("\n")
      if (key === shown) return
      shown = key
      const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["id"] : undefined
      const held = list.contains(document.activeElement)
      list.replaceChildren(...lines.map((one) => one.make()))
      node.hidden = lines.length === 0
      if (held && focused !== undefined) list.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus()
    },
  }
}
