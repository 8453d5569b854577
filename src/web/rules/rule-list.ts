/** The list of the rules with its filter. */
import { el, part } from "../shared/dom.ts"
import { ruleCard } from "./rule-card.ts"
import { channelsOf, type Rule, type Running, wantedRules } from "./running.ts"

/** A page of thousands of rules is drawn in pieces. */
const SHOWN = 100

export interface RuleList {
  show(running: Running): void
  /** Brings the rule of this name into view, whatever the filter hides; false: there is none. */
  goTo(name: string): boolean
}

const cardId = (name: string): string => `rule-${encodeURIComponent(name)}`

export function createRuleList(): RuleList {
  const list = part("rules", HTMLOListElement)
  const search = part("search", HTMLInputElement)
  const eventType = part("event-type", HTMLInputElement)
  const channel = part("channel", HTMLSelectElement)
  const shadow = part("shadow", HTMLInputElement)
  const more = part("more", HTMLButtonElement)
  const drawn = new Map<string, { readonly text: string; readonly card: HTMLLIElement }>()
  let rules: readonly Rule[] = []
  let shown = SHOWN

  /** A card that says the same stays the same element: focus and selection live through a refresh. */
  const cardOf = (rule: Rule): HTMLLIElement => {
    const text = JSON.stringify(rule)
    const known = drawn.get(rule.name)
    if (known?.text === text) return known.card
    const card = ruleCard(rule, cardId(rule.name))
    if (known?.card.contains(document.activeElement) === true) known.card.replaceWith(card)
    drawn.set(rule.name, { text, card })
    return card
  }

  const draw = (): void => {
    const wanted = wantedRules(rules, {
      search: search.value,
      eventType: eventType.value.trim(),
      channel: channel.value,
      shadowOnly: shadow.checked,
    })
    const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement : null
    const href = focused !== null && list.contains(focused) ? focused.getAttribute("href") : null
    const cards = wanted.slice(0, shown).map(cardOf)
    cards.forEach((card, at) => {
      if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null)
    })
    while (list.children.length > cards.length) list.lastElementChild?.remove()
    if (href !== null && !list.contains(document.activeElement))
      list.querySelector<HTMLElement>(`a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true })
    list.setAttribute("aria-busy", "false")
    more.hidden = wanted.length <= shown
    part("rules-empty", HTMLParagraphElement).hidden = wanted.length > 0
    const said = wanted.length === rules.length ? `${rules.length} rules` : `${wanted.length} of ${rules.length} rules`
    const found = part("found", HTMLParagraphElement)
    if (found.textContent !== said) found.textContent = said
  }

  const fresh = (): void => {
    shown = SHOWN
    draw()
  }
  for (const control of [search, eventType, channel, shadow]) control.addEventListener("input", fresh)
  part("filter", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault())
  more.addEventListener("click", () => {
    const first = list.children.length
    shown += SHOWN
    draw()
    const next = list.children[first]
    if (next instanceof HTMLElement) next.focus({ preventScroll: true })
  })

  return {
    show(running) {
      rules = running.rules
      const names = new Set(rules.map(({ name }) => name))
      for (const name of drawn.keys()) if (!names.has(name)) drawn.delete(name)
      offer(part("event-types", HTMLDataListElement), [...new Set(rules.flatMap((rule) => rule.eventTypes))].sort())
      offer(part("rule-names", HTMLDataListElement), [...names])
      offerChannels(channel, [...new Set(rules.flatMap(channelsOf))])
      draw()
    },
    goTo(name) {
      const at = rules.findIndex((rule) => rule.name === name)
      if (at === -1) return false
      search.value = ""
      eventType.value = ""
      channel.value = ""
      shadow.checked = false
      shown = Math.max(shown, at + 1)
      draw()
      for (const marked of list.querySelectorAll(".named")) marked.classList.remove("named")
      const card = drawn.get(name)?.card
      card?.classList.add("named")
      card?.scrollIntoView({ block: "start" })
      card?.focus({ preventScroll: true })
      return true
    },
  }
}

function offer(place: HTMLElement, values: readonly string[]): void {
  if (place.dataset["offers"] === values.join("\n")) return
  place.dataset["offers"] = values.join("\n")
  place.replaceChildren(...values.map((value) => el("option", { value })))
}

function offerChannels(select: HTMLSelectElement, channels: readonly string[]): void {
  if (select.dataset["offers"] === channels.join("\n")) return
  select.dataset["offers"] = channels.join("\n")
  const chosen = select.value
  select.replaceChildren(
    el("option", { value: "" }, "Any"),
    ...channels.map((channel) => el("option", { value: channel }, channel)),
  )
  select.value = channels.includes(chosen) ? chosen : ""
}
