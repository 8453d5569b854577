/** The frames as they pass: newest first, each a line that opens to its five parts. Drawn at most once a frame of the screen. */
import { el, part } from "../shared/dom.ts"
import { type Filter, FrameLog, fits, MOST_KEPT, type Passed } from "./frame-log.ts"
import { openTo, pretty } from "./message-list.ts"
import { inBytes, type Message } from "./wire.ts"

const WAYS = { in: ["↓", "received"], out: ["↑", "sent"], line: ["•", "the line"] } as const
const MOST_EXCERPT = 240

export class FrameView {
  readonly #log = new FrameLog()
  readonly #list = part("frames", HTMLOListElement)
  readonly #topics = part("frame-topic", HTMLSelectElement)
  readonly #words = part("frame-words", HTMLInputElement)
  readonly #heartbeats = part("frame-heartbeats", HTMLInputElement)
  readonly #pause = part("frame-pause", HTMLButtonElement)
  /** The last one that is shown, and the last one before the pause. */
  #drawn = 0
  #pausedAt: number | null = null
  #due = false
  /** What is shown no longer fits what is chosen. */
  #anew = false

  constructor() {
    const again = (): void => this.#redraw()
    this.#topics.addEventListener("change", again)
    this.#words.addEventListener("input", again)
    this.#heartbeats.addEventListener("change", again)
    this.#pause.addEventListener("click", () => this.#togglePause())
    part("frame-clear", HTMLButtonElement).addEventListener("click", () => {
      this.#log.clear()
      if (this.#pausedAt !== null) this.#pausedAt = 0
      this.#redraw()
    })
    this.#redraw()
  }

  frame(way: "in" | "out", raw: string, message: Message, secrets: readonly string[]): void {
    this.#log.frame(way, raw, message, secrets)
    this.#soon()
  }

  line(said: string): void {
    this.#log.line(said)
    this.#soon()
  }

  /** Which topics there are to choose from. */
  offer(topics: readonly string[]): void {
    const chosen = this.#topics.value
    const options = [el("option", { value: "" }, "All topics"), ...topics.map((topic) => el("option", {}, topic))]
    this.#topics.replaceChildren(...options)
    if (topics.includes(chosen)) this.#topics.value = chosen
    else this.#redraw()
  }

  #filter(): Filter {
    const topic = this.#topics.value
    return {
      topic: topic === "" ? null : topic,
      words: this.#words.value.trim(),
      heartbeats: this.#heartbeats.checked,
    }
  }

  #togglePause(): void {
    const paused = this.#pausedAt === null
    this.#pausedAt = paused ? this.#log.total : null
    this.#pause.setAttribute("aria-pressed", String(paused))
    this.#soon()
  }

  #redraw(): void {
    this.#drawn = 0
    this.#anew = true
    this.#soon()
  }

  #soon(): void {
    if (this.#due) return
    this.#due = true
    requestAnimationFrame(() => {
      this.#due = false
      this.#draw()
    })
  }

  #draw(): void {
    const filter = this.#filter()
    const { kept, total } = this.#log
    const upTo = this.#pausedAt ?? total
    const fresh = kept.filter((passed) => passed.id > this.#drawn && passed.id <= upTo && fits(passed, filter))
    this.#drawn = upTo
    const rows = fresh.map(row).reverse()
    if (this.#anew) this.#list.replaceChildren(...rows)
    else this.#list.prepend(...rows)
    this.#anew = false
    while (this.#list.childElementCount > MOST_KEPT) this.#list.lastElementChild?.remove()
    const waiting = total - upTo
    const shown = this.#list.childElementCount
    part("frame-count", HTMLElement).textContent =
      total === 0
        ? ""
        : `${shown} shown of ${total}${total > MOST_KEPT ? `, the last ${MOST_KEPT} kept` : ""}${waiting > 0 ? ` · paused, ${waiting} more` : ""}`
    this.#pause.textContent = this.#pausedAt === null ? "Pause" : "Go on"
    part("frames-empty", HTMLElement).hidden = shown > 0
    part("frames-empty", HTMLElement).textContent =
      total === 0
        ? "Every frame of the connection is listed here, with its five parts."
        : "No frame fits what is chosen."
  }
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" })
const clock = (at: Date): string => `${CLOCK.format(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`

function row({ at, way, bytes, raw, message }: Passed): HTMLLIElement {
  const [sign, word] = WAYS[way]
  const direction = el(
    "span",
    { class: "way", title: word },
    sign,
    el("span", { class: "visually-hidden" }, ` ${word}`),
  )
  const time = el("time", { datetime: at.toISOString() }, clock(at))
  if (message === null) return el("li", { "data-way": way }, el("p", { class: "row-line" }, time, direction, raw))
  const details = el(
    "details",
    {},
    el(
      "summary",
      { class: "row-frame" },
      time,
      direction,
      el("span", { class: "size" }, inBytes(bytes)),
      el("span", { class: "refs", title: "join_ref · ref" }, `${ref(message.join_ref)} · ${ref(message.ref)}`),
      el("span", { class: "topic", title: message.topic }, message.topic),
      el("span", { class: "event" }, message.event),
      el("span", { class: "payload" }, excerpt(message.payload)),
    ),
  )
  openTo(details, () => parts(message, raw))
  return el("li", { "data-way": way, "data-event": message.event }, details)
}

function parts({ join_ref, ref: own, topic, event, payload }: Message, raw: string): HTMLElement {
  const line = (name: string, value: unknown): readonly Node[] => [
    el("dt", {}, name),
    el("dd", {}, el("code", {}, JSON.stringify(value))),
  ]
  return el(
    "div",
    { class: "parts" },
    el(
      "dl",
      {},
      ...line("join_ref", join_ref),
      ...line("ref", own),
      ...line("topic", topic),
      ...line("event", event),
      el("dt", {}, "payload"),
      el("dd", {}, pretty(payload)),
      el("dt", {}, "on the wire"),
      el("dd", {}, el("pre", { tabindex: "0", class: "json wire" }, raw)),
    ),
  )
}

const ref = (value: unknown): string =>
  value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value)

function excerpt(payload: unknown): string {
  const whole = JSON.stringify(payload) ?? ""
  return whole.length > MOST_EXCERPT ? `${whole.slice(0, MOST_EXCERPT)}…` : whole
}
