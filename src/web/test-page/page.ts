// The page behind GET /test: watch one place the way a frontend would, with the stock `phoenix` client, and see every
// frame. It shows the whole life of a subscription: joining, being refused, losing the line, coming back with what was missed.
import { isResourceUpdate, type ResourceUpdate, UpdateList } from "./update-list.ts"
import { type Facts, Watch } from "./watch.ts"
import { inWords } from "./words.ts"

function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`the page has no ${kind.name} #${id}`)
}

const field = (id: string) => element(id, HTMLInputElement)
const button = (id: string) => element(id, HTMLButtonElement)
const [business, location_, token, key, colon] = ["business", "location", "token", "key", "colon"].map(field) as [
  HTMLInputElement,
  HTMLInputElement,
  HTMLInputElement,
  HTMLInputElement,
  HTMLInputElement,
]
const status = element("status", HTMLElement)
const problem = element("problem", HTMLElement)
const sent = element("sent", HTMLElement)
const updates = new UpdateList(element("updates", HTMLElement), element("empty", HTMLElement))

/** Relative to the page, so that a hub behind a path prefix works too. */
const nearby = (path: string): URL => new URL(path, window.location.href)

function topicName(): string {
  const [place, branch] = [business.value.trim(), location_.value.trim()]
  if (place === "") return "resources:…"
  return branch === "" ? `resources:${place}` : `resources:${place}${colon.checked ? ":" : "-"}${branch}`
}

function show(facts: Facts): void {
  status.dataset["state"] = facts.state
  element("status-text", HTMLElement).textContent = facts.text
  element("offset", HTMLElement).textContent = facts.offset === null ? "–" : String(facts.offset)
  const epoch = element("epoch", HTMLElement)
  epoch.textContent = facts.epoch === null ? "–" : facts.epoch.slice(0, 8)
  epoch.title = facts.epoch ?? ""
  element("recovery", HTMLElement).textContent = facts.recovery ?? "–"
  problem.hidden = facts.problem === null
  problem.textContent = facts.problem ?? ""
  button("connect").textContent = facts.watching ? "Reconnect" : "Connect"
  button("disconnect").disabled = !facts.watching
  button("drop").disabled = facts.state !== "joined"
}

const watch = new Watch({
  changed: show,
  update(payload, raw, missed) {
    updates.add(payload, raw, missed)
    element("count", HTMLElement).textContent = String(updates.total)
  },
})

// Secrets stay in this tab; what is no secret may come with the link: /test?business=b1&location=l1
const link = new URLSearchParams(window.location.search)
for (const input of [business, location_, token, key]) {
  const fromLink = input.type === "password" ? null : link.get(input.id)
  input.value = fromLink ?? sessionStorage.getItem(`hub-test:${input.id}`) ?? ""
  input.addEventListener("input", () => {
    sessionStorage.setItem(`hub-test:${input.id}`, input.value)
  })
}
const showTopic = (): void => {
  element("topic", HTMLElement).textContent = topicName()
}
for (const input of [business, location_, colon]) input.addEventListener("input", showTopic)
showTopic()

element("watch", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault()
  watch.start(nearby("socket").pathname, topicName(), token.value.trim())
})
button("disconnect").addEventListener("click", () => watch.stop())
button("drop").addEventListener("click", () => watch.dropLine())
button("clear").addEventListener("click", () => {
  updates.clear()
  element("count", HTMLElement).textContent = "0"
})

element("sample", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault()
  if (!business.reportValidity()) return
  void send()
})

async function send(): Promise<void> {
  sent.textContent = "Sending…"
  button("send").disabled = true
  try {
    const answer = await fetch(nearby("api/notifications"), {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key.value.trim()}` },
      body: JSON.stringify(sample()),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await answer.text()
    sent.textContent = answer.ok ? `Accepted (${answer.status}).` : inWords.refusedSample(answer.status, text)
  } catch {
    sent.textContent = "The hub did not answer. Is it running?"
  } finally {
    button("send").disabled = false
  }
}

function sample(): ResourceUpdate {
  const branch = location_.value.trim()
  const made = {
    type: element("type", HTMLSelectElement).value,
    resourceType: field("resource-type").value.trim(),
    businessId: business.value.trim(),
    ...(branch === "" ? {} : { locationId: branch }),
    resourceId: field("resource-id").value.trim(),
    shardId: "shard-001",
    timestamp: new Date().toISOString(),
  }
  if (!isResourceUpdate(made)) throw new Error("the form makes no resource message")
  return made
}
