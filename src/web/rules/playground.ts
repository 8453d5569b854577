/** An event that is written or picked, and at once what the running rules make of it. Stores nothing, sends nothing. */
import type { Api, Mistake } from "../shared/api.ts"
import { el, part } from "../shared/dom.ts"
import { each, type Fields, fields, text, textOrNull } from "../shared/fields.ts"
import { ago } from "../shared/moment.ts"
import { readExplanation } from "./explained.ts"
import { jsonMistake } from "./json-mistake.ts"
import { outcomeView, summaryOf } from "./outcome.ts"
import type { Running } from "./running.ts"
import { draftOf, sampleFor } from "./sample-event.ts"
import type { Address } from "./views.ts"

const TYPING_MS = 250
const BUSY_MS = 700
const RECORDED = 50

export interface Playground {
  /** The view is shown: with what its address names. */
  open(address: Address): void
  /** `changed`: what was explained may be explained otherwise now. */
  rules(running: Running, changed: boolean): void
}

export function createPlayground(api: Api): Playground {
  const recorded = part("recorded", HTMLSelectElement)
  const event = part("event", HTMLTextAreaElement)
  const recipient = part("recipient", HTMLInputElement)
  const only = part("only", HTMLInputElement)
  const outcome = part("outcome", HTMLDivElement)
  const summary = part("outcome-summary", HTMLParagraphElement)
  const problem = part("event-problem", HTMLDivElement)
  const bodies = new Map<string, Fields>()
  /** The recorded event that stands in the editor unchanged: it is explained as of when it was accepted. */
  let picked: { readonly id: string; readonly text: string } | null = null
  let running: Running | null = null
  let waiting: ReturnType<typeof setTimeout> | undefined
  let turn = 0
  let wished: Address | null = null

  const complain = (mistakes: readonly Mistake[]): void => {
    problem.hidden = mistakes.length === 0
    event.setAttribute("aria-invalid", String(mistakes.length > 0))
    outcome.dataset["stale"] = String(mistakes.length > 0)
    problem.replaceChildren(
      el(
        "ul",
        { class: "list" },
        ...mistakes.map(({ pointer, detail }) =>
          el("li", {}, pointer === "" ? null : el("code", {}, pointer), pointer === "" ? null : " ", detail),
        ),
      ),
    )
    if (mistakes.length > 0)
      say(outcome.children.length === 0 ? "" : "What is shown is of the last event that could be read.")
  }
  const say = (sentence: string): void => {
    if (summary.textContent !== sentence) summary.textContent = sentence
  }

  const evaluate = async (): Promise<void> => {
    clearTimeout(waiting)
    const mine = ++turn
    const given = event.value
    if (given.trim() === "") {
      complain([])
      say("")
      outcome.replaceChildren()
      return
    }
    const unreadable = jsonMistake(given)
    if (unreadable !== null) return complain([{ pointer: "", detail: unreadable }])
    const asked = recipient.value.trim()
    const rule = only.value.trim()
    const answer = await api.call("POST", "v1/rules/explain", {
      event: picked?.text === given ? picked.id : JSON.parse(given),
      ...(asked === "" ? {} : { recipient: asked }),
      ...(rule === "" ? {} : { rule }),
    })
    if (mine !== turn || answer.kind === "refused") return
    if (answer.kind === "failed" && answer.status === 503) {
      waiting = setTimeout(() => void evaluate(), BUSY_MS)
      return
    }
    if (answer.kind === "failed") {
      const { mistakes = [], detail } = answer
      return complain(mistakes.length > 0 ? mistakes.map(inEvent) : [{ pointer: "", detail }])
    }
    const explanation = readExplanation(answer.body)
    complain([])
    if (explanation === null) return say("The hub’s answer could not be read.")
    const focused = keyOfFocus()
    outcome.replaceChildren(...outcomeView(explanation, asked))
    if (focused !== null) outcome.querySelector<HTMLElement>(focused)?.focus({ preventScroll: true })
    say(summaryOf(explanation, rule))
  }

  const soon = (): void => {
    clearTimeout(waiting)
    waiting = setTimeout(() => void evaluate(), TYPING_MS)
  }

  const loadRecorded = async (): Promise<void> => {
    const answer = await api.call("GET", `v1/events?limit=${RECORDED}`)
    const items = answer.kind === "ok" ? each(fields(answer.body)?.["data"], fields) : []
    bodies.clear()
    for (const item of items) bodies.set(text(item["id"]), item)
    offer(items)
  }

  const offer = (items: readonly Fields[]): void => {
    const types = [...new Set((running?.rules ?? []).flatMap((rule) => rule.eventTypes))].sort()
    const options = items.map((item) =>
      el(
        "option",
        { value: text(item["id"]) },
        `${text(item["type"])} from ${text(item["source"])}, ${ago(text(item["accepted_at"]), Date.now())}`,
      ),
    )
    recorded.replaceChildren(
      el("option", { value: "" }, items.length === 0 ? "No event is recorded yet" : "Choose…"),
      el("optgroup", { label: "Recorded lately" }, ...options),
      el(
        "optgroup",
        { label: "Made up, for a rule of this type" },
        ...types.map((type) => el("option", { value: `type ${type}` }, type)),
      ),
    )
  }

  const write = (value: Fields, id: string | null): void => {
    event.value = JSON.stringify(value, null, 2)
    picked = id === null ? null : { id, text: event.value }
    void evaluate()
  }

  const pick = async (id: string): Promise<void> => {
    let body = bodies.get(id) ?? null
    if (body === null) {
      const answer = await api.call("GET", `v1/events/${encodeURIComponent(id)}`)
      if (answer.kind === "failed") return complain([{ pointer: "", detail: answer.detail }])
      body = answer.kind === "ok" ? fields(answer.body) : null
    }
    if (body !== null) write(draftOf(body), id)
  }

  /** The newest recorded event that the rule listens to; without one, an event of its fields. */
  const tryRule = async (name: string): Promise<void> => {
    const rule = running?.rules.find((one) => one.name === name)
    if (rule === undefined) return
    only.value = name
    const type = rule.eventTypes.find((one) => !one.includes("*"))
    const answer =
      type === undefined ? null : await api.call("GET", `v1/events?limit=1&type=${encodeURIComponent(type)}`)
    const [body] = answer?.kind === "ok" ? each(fields(answer.body)?.["data"], fields) : []
    const id = textOrNull(body?.["id"])
    if (body !== undefined && id !== null) write(draftOf(body), id)
    else write(sampleFor(rule), null)
  }

  const begin = async (): Promise<void> => {
    const address = wished
    if (address === null || running === null) return
    wished = null
    await loadRecorded()
    if (address.event !== null) return pick(address.event)
    if (address.rule !== null) return tryRule(address.rule)
    // Whoever stands in the editor has begun to write: an event put under their hands would be mixed with theirs.
    if (event.value !== "" || document.activeElement === event) return
    const [newest] = bodies.keys()
    if (newest !== undefined) await pick(newest)
    else if (running.rules[0] !== undefined) write(sampleFor(running.rules[0]), null)
  }

  function keyOfFocus(): string | null {
    const focused = document.activeElement
    if (!(focused instanceof HTMLElement) || !outcome.contains(focused)) return null
    const rule = focused.closest<HTMLElement>("[data-rule]")?.dataset["rule"]
    if (rule === undefined) return null
    const key = focused.dataset["key"]
    const within = key === undefined ? focused.localName : `[data-key="${CSS.escape(key)}"]`
    return `[data-rule="${CSS.escape(rule)}"] ${within}`
  }

  for (const control of [event, recipient, only]) control.addEventListener("input", soon)
  recorded.addEventListener("change", () => {
    const chosen = recorded.value
    recorded.value = ""
    const type = /^type (.*)$/.exec(chosen)?.[1]
    const listening = running?.rules.find((rule) => type !== undefined && rule.eventTypes.includes(type))
    if (listening !== undefined) write(sampleFor(listening, type), null)
    else if (chosen !== "") void pick(chosen)
  })

  return {
    open(address) {
      wished = address
      void begin()
    },
    rules(now, changed) {
      running = now
      if (wished !== null) void begin()
      else if (changed && event.value !== "") void evaluate()
    },
  }
}

/** The page's editor holds the event alone. */
const inEvent = ({ pointer, detail }: Mistake): Mistake => ({
  pointer: pointer.replace(/^\/event(?=\/|$)/, ""),
  detail,
})
