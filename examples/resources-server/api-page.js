// Draws /api/json as a page on which every operation can be tried; nothing is loaded from elsewhere.
const EXAMPLE = { guest_name: "Zainab Al-Rubaie", guests: 4, at: "2026-03-02T20:30:00+03:00" }
const COMMON = [
  ["authorization", "Token (JWT)", ""],
  ["x-business-id", "X-Business-ID", "business-123"],
  ["x-location-id", "X-Location-ID", "location-456"],
  ["x-resource-type", "X-Resource-Type", "reservation"],
]

/** An element with attributes and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

const common = new Map(
  COMMON.map(([header, label, fallback]) => {
    const input = make("input", { value: sessionStorage.getItem(header) ?? fallback, spellcheck: "false" })
    input.addEventListener("change", () => sessionStorage.setItem(header, input.value))
    document.getElementById("common").append(make("label", {}, label, input))
    return [header, input]
  }),
)

function operation(path, method, described) {
  const id = path.includes("{id}") ? make("input", { required: "", placeholder: "resource id" }) : null
  const body = described.requestBody ? make("textarea", { rows: "5", spellcheck: "false" }) : null
  if (body) body.value = JSON.stringify(EXAMPLE, null, 2)
  const answer = make("pre", { "aria-live": "polite" })
  const form = make("form", {})
  if (id) form.append(make("label", {}, "id", id))
  if (body) form.append(make("label", {}, "body", body))
  form.append(make("button", {}, "Send"), answer)
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const value = (header) => common.get(header).value.trim()
    const place = `${value("x-business-id")}-${value("x-location-id")}`
    const url = path.replace("{place}", encodeURIComponent(place)).replace("{id}", encodeURIComponent(id?.value ?? ""))
    const headers = Object.fromEntries(COMMON.map(([header]) => [header, value(header)]))
    headers["authorization"] = `Bearer ${headers["authorization"]}`
    if (body) headers["content-type"] = "application/json"
    try {
      const response = await fetch(url, { method: method.toUpperCase(), headers, body: body?.value })
      const text = await response.text()
      answer.textContent = `${response.status} ${response.statusText}\n${text && JSON.stringify(JSON.parse(text), null, 2)}`
    } catch (error) {
      answer.textContent = String(error)
    }
  })
  const summary = make("summary", {}, make("b", {}, method.toUpperCase()), make("code", {}, path))
  summary.append(make("span", {}, described.summary ?? ""))
  return make("details", {}, summary, form)
}

const description = await fetch("/api/json").then((response) => response.json())
for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, described] of Object.entries(methods))
    document.getElementById("operations").append(operation(path, method, described))
}
