/**
 * The page behind GET /test: watch topics the way a frontend would, with the stock `phoenix` client, and see every frame.
 * It shows the whole life of a subscription: joining, being refused, losing the line, coming back with what was missed.
 */

import { button, part } from "../shared/dom.ts"
import { linkPages } from "../shared/pages.ts"
import { settled } from "../shared/soon.ts"
import { asking, kick } from "./ask.ts"
import { Card } from "./card.ts"
import { FrameView } from "./frame-view.ts"
import { Line, type LineState } from "./line.ts"
import { placeTopic, readTopic, type Wanted, writeLink } from "./link.ts"
import { fillSettings } from "./settings.ts"
import type { OpenChannel } from "./subscription.ts"

const { settings, linked } = fillSettings()
const [business, place, colon, other] = ["business", "location", "colon", "other-topic"].map(settings.input) as [
  HTMLInputElement,
  HTMLInputElement,
  HTMLInputElement,
  HTMLInputElement,
]
const cards: Card[] = []
const frames = new FrameView()
const ask = asking(settings.key)

const line = new Line({
  state: showLine,
  passed: (way, raw, message) => frames.frame(way, raw, message, settings.secrets()),
  happened: (said) => frames.line(said),
})

function showLine(state: LineState, said: string, problem: string | null): void {
  part("line", HTMLParagraphElement).dataset["state"] = state === "open" ? "live" : state
  part("line-text", HTMLElement).textContent = said
  part("problem", HTMLElement).hidden = problem === null
  part("problem", HTMLElement).textContent = problem ?? ""
  part("connect", HTMLButtonElement).textContent = state === "off" ? "Connect" : "Watch this too"
  part("disconnect", HTMLButtonElement).disabled = state === "off"
  part("break", HTMLButtonElement).disabled = state !== "open"
  showKick()
}

/** Opens the line, or opens it anew, and joins everything. */
function connect(): void {
  for (const card of cards) card.subscription.leave()
  const path = new URL("socket", document.baseURI).pathname
  line.open({ path, token: settings.token(), ...settings.chosen() })
  for (const card of cards) card.subscription.join(open)
}

function disconnect(): void {
  for (const card of cards) card.subscription.leave()
  line.close()
}

const open: OpenChannel = (topic, params) => line.channel(topic, params)

/** Where there is no line yet, everything is joined with it. */
function join(card: Card): void {
  if (line.on) card.subscription.join(open)
  else connect()
}

function add(wanted: Wanted): void {
  const known = cards.find(({ topic }) => topic === wanted.topic)
  if (known !== undefined) {
    known.node.scrollIntoView({ block: "nearest" })
    say(`${wanted.topic} is there already.`)
    return
  }
  const card = new Card(wanted, { join, name: settings.name, ask, remove, say })
  cards.push(card)
  part("cards", HTMLUListElement).append(card.node)
  if (line.on) card.subscription.join(open)
  cardsChanged()
}

function remove(card: Card): void {
  card.subscription.leave()
  cards.splice(cards.indexOf(card), 1)
  card.node.remove()
  part("topics-title", HTMLElement).focus()
  cardsChanged()
}

function cardsChanged(): void {
  part("empty", HTMLElement).hidden = cards.length > 0
  frames.offer(cards.map(({ topic }) => topic))
  keepLink()
}

/** The address says what is watched, so that it can be sent to somebody; nothing else is in it. */
function keepLink(): void {
  const link = writeLink({ wanted: cards.map(({ subscription }) => subscription.wanted), ...settings.chosen() })
  history.replaceState(null, "", `${location.pathname}${location.search}${link}`)
}

const toSay: string[] = []
/** One sentence for what comes together. */
const speak = settled(() => {
  part("news", HTMLParagraphElement).textContent = toSay.splice(0).slice(-5).join(" ")
}, 300)

function say(words: string): void {
  toSay.push(words)
  speak()
}

const typedPlace = (): Wanted | null => {
  const typed = business.value.trim()
  return typed === "" ? null : placeTopic(typed, place.value.trim(), colon.checked)
}

function showTopic(): void {
  part("topic", HTMLElement).textContent = typedPlace()?.topic ?? "resources:…"
}
for (const input of [business, place, colon]) input.addEventListener("input", showTopic)
showTopic()

part("watch", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault()
  const wanted = typedPlace()
  business.setCustomValidity(wanted === null && (cards.length === 0 || line.on) ? "Enter a business." : "")
  const entered = business.reportValidity()
  // The words stay until something is pressed; the field must not keep the next attempt from coming here.
  business.setCustomValidity("")
  if (!entered) return
  if (wanted !== null) add(wanted)
  if (!line.on) connect()
})

part("other", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault()
  const wanted = readTopic(other.value)
  if (wanted === null) return
  add(wanted)
  part("other", HTMLFormElement).reset()
  if (!line.on) connect()
})

part("disconnect", HTMLButtonElement).addEventListener("click", disconnect)
part("break", HTMLButtonElement).addEventListener("click", () => {
  part("kick-said", HTMLParagraphElement).textContent = ""
  line.breakIt(Number(part("away", HTMLSelectElement).value))
})

const kickButton = part("kick", HTMLButtonElement)
kickButton.addEventListener("click", () => {
  const person = settings.person()
  if (person === null) return
  kickButton.disabled = true
  void kick(ask, person).then((said) => {
    part("kick-said", HTMLParagraphElement).textContent = said
    showKick()
  })
})

/** Only who has a name can be kicked. */
function showKick(): void {
  kickButton.disabled = !line.on || settings.person() === null
}

function settingsChanged(): void {
  const { transport } = settings.chosen()
  settings.version.disabled = transport === "longpoll"
  settings.version.title = transport === "longpoll" ? "The stock client polls in version 2.0.0 only" : ""
  if (transport === "longpoll") settings.version.value = "2.0.0"
  keepLink()
  if (line.on) connect()
}
settings.transport.addEventListener("change", settingsChanged)
settings.version.addEventListener("change", settingsChanged)
settings.input("token").addEventListener("change", () => {
  offerTopics()
  if (line.on) connect()
})
settings.input("name").addEventListener("change", () => {
  for (const { subscription } of cards) subscription.rename(open)
})
part("settings", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault())

/** What this token may join beside places. */
function offerTopics(): void {
  const person = settings.person()
  const known = [...(person === null ? [] : [`notifications:${person}`]), "dashboard", "events", "deliveries"]
  part("topics-known", HTMLDataListElement).replaceChildren(
    ...known.map((value) => Object.assign(document.createElement("option"), { value })),
  )
  part("quick", HTMLParagraphElement).replaceChildren(
    ...known.map((topic) =>
      button({ class: "link", "aria-label": `Add ${topic}` }, `+ ${topic}`, () => {
        const wanted = readTopic(topic)
        if (wanted !== null) add(wanted)
        if (!line.on) connect()
      }),
    ),
  )
}

// Where there is one column, the topics come before the settings that few change.
part("settings-panel", HTMLDetailsElement).open = !matchMedia("(width <= 60rem)").matches
linkPages("test")
offerTopics()
for (const wanted of linked.wanted) add(wanted)
settingsChanged()
// The fragment is what is watched, and no place on the page.
part("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault()
  part("topics-title", HTMLElement).focus()
})
// Somebody pasted another link into this tab.
addEventListener("hashchange", () => location.reload())
