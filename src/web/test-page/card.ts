/** One topic as the page shows it: its state, where it stands, who is there, what came, and what one can do with it. */
import { button, el } from "../shared/dom.ts"
import type { Ask } from "./ask.ts"
import type { Wanted } from "./link.ts"
import { messageList } from "./message-list.ts"
import { pushForm } from "./push-form.ts"
import { sampleForm } from "./sample-form.ts"
import { type Facts, type Present, Subscription } from "./subscription.ts"

export interface CardActs {
  /** Joins it, with the line where that is off. */
  join(card: Card): void
  readonly name: () => string
  readonly ask: Ask
  /** Takes it off the page. */
  remove(card: Card): void
  /** For those who listen to the page instead of looking at it. */
  say(words: string): void
}

let number = 0

export class Card {
  readonly node: HTMLElement
  readonly subscription: Subscription
  readonly #badge = el("span", { class: "state" }, "closed")
  readonly #said = el("p", { class: "said", hidden: true })
  readonly #offset = el("dd", { class: "offset" }, "–")
  readonly #epoch = el("dd", {}, "–")
  readonly #comeback = el("p", { class: "comeback", hidden: true })
  readonly #people = el("ul", { class: "people list" })
  readonly #present: HTMLElement
  readonly #toggle: HTMLButtonElement
  readonly #showPush: (joined: boolean) => void
  readonly #acts: CardActs
  #spoken = ""

  constructor(wanted: Wanted, acts: CardActs) {
    this.#acts = acts
    number += 1
    const messages = messageList(wanted.topic)
    this.subscription = new Subscription(wanted, acts.name, {
      changed: (facts) => this.#show(facts),
      arrived: (message) => messages.add(message),
    })
    this.#toggle = button({ class: "link" }, "Join", () => this.#toggled())
    const push = pushForm(this.subscription, number)
    this.#showPush = push.joined
    push.joined(false)
    const nobody = el("span", { class: "hint" }, "Here now")
    this.#present = el("div", { class: "present", hidden: true }, nobody, this.#people)
    const title = el("h3", { id: `card-${number}` }, el("code", {}, ...breakable(wanted.topic)))
    const remove = button({ class: "link", "aria-label": `Remove ${wanted.topic}` }, "Remove", () => acts.remove(this))
    this.node = el(
      "li",
      { class: "card", "data-topic": wanted.topic },
      el(
        "article",
        { "aria-labelledby": title.id },
        el("header", {}, title, this.#badge, this.#toggle, remove),
        this.#said,
        el(
          "dl",
          { class: "facts" },
          el("div", {}, el("dt", {}, "Offset"), this.#offset),
          el("div", {}, el("dt", {}, "Epoch"), this.#epoch),
        ),
        this.#comeback,
        this.#present,
        el("div", { class: "tools" }, push.node, sampleForm(wanted, number, acts.ask)),
        messages.node,
      ),
    )
    this.#show(this.subscription.facts)
  }

  get topic(): string {
    return this.subscription.wanted.topic
  }

  #toggled(): void {
    const { state } = this.subscription.facts
    if (state === "closed" || state === "refused") this.#acts.join(this)
    else this.subscription.leave("Left by this page.")
  }

  #show(facts: Facts): void {
    const { state, said, epoch, offset, comeback, present } = facts
    this.node.dataset["state"] = state
    this.#badge.textContent = state
    this.#said.hidden = said === ""
    this.#said.textContent = said
    this.#offset.textContent = offset === null ? "–" : String(offset)
    this.#epoch.textContent = epoch === null ? "–" : epoch.slice(0, 8)
    this.#epoch.title = epoch ?? ""
    this.#comeback.hidden = comeback === null
    this.#comeback.textContent = comeback?.said ?? ""
    this.#comeback.dataset["good"] = String(comeback?.good ?? true)
    this.#present.hidden = present === null
    if (present !== null) this.#people.replaceChildren(...people(present))
    this.#toggle.textContent = state === "closed" || state === "refused" ? "Join" : "Leave"
    this.#toggle.setAttribute("aria-label", `${this.#toggle.textContent} ${this.topic}`)
    this.#showPush(state === "joined")
    const spoken = state === "joined" ? `joined. ${comeback?.said ?? ""}` : `${state}. ${said}`
    if (spoken !== this.#spoken) this.#acts.say(`${this.topic}: ${spoken}`)
    this.#spoken = spoken
  }
}

function people(present: readonly Present[]): readonly HTMLElement[] {
  if (present.length === 0) return [el("li", { class: "hint" }, "nobody is listed")]
  return present.map(({ key, names, screens }) =>
    el(
      "li",
      { title: key },
      el("bdi", {}, names.length === 0 ? key : names.join(", ")),
      screens > 1
        ? el("span", { class: "screens" }, ` ×${screens}`, el("span", { class: "visually-hidden" }, " screens"))
        : null,
    ),
  )
}

/** A long name may break after its punctuation, not within a word. */
function breakable(topic: string): readonly (Node | string)[] {
  return topic.split(/(?<=[:-])/).flatMap((part, at) => (at === 0 ? [part] : [document.createElement("wbr"), part]))
}
