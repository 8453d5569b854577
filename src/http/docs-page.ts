/** The parts of the page at `/docs`. The script only ever sets text, so nothing in the document can become markup. */

export const DOCS_STYLE = `
:root { color-scheme: light dark; --bg: #fbfaf8; --card: #fff; --ink: #1d1c1a; --dim: #6b6760; --line: #e4e0d9; --accent: #0b6e6e;
  --get: #17693a; --post: #0b5cad; --put: #8a5a00; --patch: #6a3fa0; --delete: #a8261d; --code: #f3f0ea }
@media (prefers-color-scheme: dark) { :root { --bg: #161718; --card: #1d1f20; --ink: #e8e6e1; --dim: #9b978f; --line: #313436;
  --accent: #5cc4c0; --get: #6fcf97; --post: #79b8ff; --put: #e3b341; --patch: #c9a2ff; --delete: #ff8a80; --code: #24272a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.55 system-ui, sans-serif }
header { position: sticky; top: 0; z-index: 1; background: var(--bg); border-bottom: 1px solid var(--line) }
nav, header > div, main { max-width: 62rem; margin: 0 auto; padding: .8rem 1.2rem }
nav { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; padding-bottom: .2rem } nav a { padding-block: .2rem; color: var(--dim); text-decoration: none }
nav a:hover { color: var(--accent); text-decoration: underline } nav a[aria-current] { color: var(--ink); box-shadow: 0 2px var(--accent) }
header > div { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: baseline }
h1 { font-size: 1.15rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .6rem; color: var(--dim); font-weight: 600 }
h3 { font-size: .8rem; margin: 1.1rem 0 .3rem; color: var(--dim); font-weight: 600 }
p { margin: .4rem 0; max-width: 68ch } a { color: var(--accent) } .dim { color: var(--dim) }
input { flex: 1 1 14rem; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .35rem .7rem }
::placeholder { color: var(--dim); opacity: 1 }
input:focus-visible, summary:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px }
#none { max-width: 62rem; margin: 0 auto; padding: 1.2rem 1.2rem 0 } #none:empty { display: none } #none:not(:empty) + main { display: none }
.home { color: inherit; text-decoration: none } .home:hover { color: var(--accent) }
[id] { scroll-margin-top: 4.2rem }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: .45rem 0 }
summary { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; padding: .55rem .9rem; cursor: pointer; list-style: none }
summary::-webkit-details-marker { display: none }
.in { padding: 0 .9rem .9rem; border-top: 1px solid var(--line) }
.method { font: 600 .75rem/1 ui-monospace, monospace; width: 3.8rem } .get { color: var(--get) } .post { color: var(--post) }
.put { color: var(--put) } .patch { color: var(--patch) } .delete { color: var(--delete) }
code, pre { font: .82rem/1.5 ui-monospace, monospace } .path { font-weight: 600 }
pre { background: var(--code); border-radius: 6px; padding: .7rem .8rem; overflow: auto; margin: .3rem 0; max-height: 26rem }
table { border-collapse: collapse; width: 100%; font-size: .88rem } td { padding: .3rem .8rem .3rem 0; vertical-align: top; border-top: 1px solid var(--line) }
td:first-child { white-space: nowrap; font: .82rem/1.6 ui-monospace, monospace }
.tag { font-size: .72rem; color: var(--dim); border: 1px solid var(--line); border-radius: 99px; padding: 0 .5rem }
@media (width <= 40rem) { header { position: static } [id] { scroll-margin-top: .8rem } }
@media print { nav, header input { display: none } }
`

export const DOCS_SCRIPT = `
"use strict"
const el = (tag, className, ...children) => {
  const node = document.createElement(tag)
  if (className) node.className = className
  node.append(...children.filter((child) => child !== null))
  return node
}
const pretty = (value) => el("pre", "", JSON.stringify(value, null, 2))
const prose = (text) => {
  const node = document.createDocumentFragment()
  text.split("\`").forEach((part, index) => node.append(index % 2 === 1 ? el("code", "", part) : part))
  return node
}
const row = (...cells) => el("tr", "", ...cells.map((cell) => el("td", "", cell)))
const schemaName = (schema) => {
  if (!schema) return ""
  if (schema.$ref) return schema.$ref.split("/").pop()
  if (schema.oneOf) return schema.oneOf.map(schemaName).join(" | ")
  if (schema.type === "array") return "list of " + schemaName(schema.items)
  return [].concat(schema.type ?? (schema.enum ? schema.enum.join(" | ") : "")).join(" | ")
}
const link = (schema) => {
  const name = schemaName(schema)
  if (schema?.oneOf) return el("span", "", ...schema.oneOf.flatMap((one, index) => [index > 0 ? " or " : "", link(one)]))
  if (schema?.type === "array") return el("span", "", "list of ", link(schema.items))
  if (!schema?.$ref) return document.createTextNode(name)
  const anchor = el("a", "", name)
  anchor.href = "#schema-" + name
  return anchor
}
const content = (types) => Object.entries(types ?? {}).flatMap(([type, media]) => [
  el("p", "dim", el("code", "", type), " ", link(media.schema)),
  media.example === undefined ? null : pretty(media.example),
])
const resolve = (doc, value) => value.$ref ? value.$ref.slice(2).split("/").reduce((at, step) => at[step], doc) : value

const operation = (doc, path, method, op) => {
  const open = op.security?.length === 0
  const inside = el("div", "in")
  if (op.description) inside.append(el("p", "", prose(op.description)))
  if (op.parameters) inside.append(el("h3", "", "Parameters"), el("table", "", ...op.parameters.map((parameter) =>
    row(parameter.name, el("span", "dim", parameter.in), prose(parameter.description ?? schemaName(parameter.schema))))))
  if (op.requestBody) inside.append(el("h3", "", "Body"), ...content(op.requestBody.content).filter(Boolean))
  const answers = Object.entries(op.responses)
  inside.append(el("h3", "", "Answers"), ...answers.filter(([, answer]) => !answer.$ref).flatMap(([status, answer]) => [
    el("p", "", el("code", "", status), " ", prose(answer.description)), ...content(answer.content).filter(Boolean)]))
  const refusals = answers.filter(([, answer]) => answer.$ref)
  if (refusals.length) inside.append(el("h3", "", "Refusals"), el("table", "", ...refusals.map(([status, answer]) => row(status, prose(resolve(doc, answer).description)))))
  const node = el("details", "op", el("summary", "", el("span", "method " + method, method.toUpperCase()), el("code", "path", path),
    el("span", "dim", op.summary), open ? el("span", "tag", "open") : null), inside)
  node.id = op.operationId
  node.dataset.words = [method, path, op.summary, op.description ?? "", op.tags.join(" ")].join(" ").toLowerCase()
  return node
}

const render = (doc) => {
  document.getElementById("version").textContent = doc.info.version
  const main = document.querySelector("main")
  main.replaceChildren(el("p", "", doc.info.summary), el("p", "dim", "Send ", el("code", "", "Authorization: Bearer <key or token>"), " or ", el("code", "", "X-API-Key: <key>"), "."))
  const operations = Object.entries(doc.paths).flatMap(([path, item]) => Object.entries(item).map(([method, op]) => ({ path, method, op })))
  for (const { name } of doc.tags) main.append(el("section", "", el("h2", "", name),
    ...operations.filter(({ op }) => op.tags.includes(name)).map(({ path, method, op }) => operation(doc, path, method, op))))
  main.append(el("section", "", el("h2", "", "Problems"), el("p", "", "Every refusal is application/problem+json. Its code is one of these."),
    el("table", "", ...Object.entries(doc.components.responses).flatMap(([status, response]) => response.description.split("; ").map((line) => {
      const [, code, title] = line.match(/^\`(\\w+)\`: (.*)$/)
      const anchor = row(code, status, title)
      anchor.id = "problem-" + code
      return anchor
    })))))
  main.append(el("section", "", el("h2", "", "Schemas"), ...Object.entries(doc.components.schemas).map(([name, schema]) => {
    const node = el("details", "op", el("summary", "", el("code", "path", name)), el("div", "in", pretty(schema)))
    node.id = "schema-" + name
    node.dataset.words = name.toLowerCase()
    return node
  })))
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
    if (!target) return
    if (target.tagName === "DETAILS") target.open = true
    target.scrollIntoView()
  }
  addEventListener("hashchange", reveal)
  reveal()
}

const search = document.querySelector("input")
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean)
  for (const node of document.querySelectorAll("details.op")) node.hidden = !words.every((word) => node.dataset.words.includes(word))
  for (const section of document.querySelectorAll("section")) section.hidden = words.length > 0 && !section.querySelector("details.op:not([hidden])")
  document.getElementById("none").textContent = document.querySelector("section:not([hidden])") ? "" : "Nothing in the API fits."
})
addEventListener("keydown", (event) => {
  if (event.key !== "/" || document.activeElement === search) return
  event.preventDefault()
  search.focus()
})
fetch("openapi.json").then((response) => response.json()).then(render).catch(() => {
  document.querySelector("main").textContent = "The document could not be read. Reload the page to try again."
})
`

export const DOCS_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hubbub: the API</title>
<link rel="icon" href="data:,">
<style>{{style}}</style>
</head>
<body>
<nav aria-label="Pages"><a href="./">Inbox</a><a href="./rules">Rules</a><a href="./outbox">Outbox</a><a href="./deliveries">Deliveries</a>
<a href="./actors">Actors</a><a href="./test">Realtime test</a><a href="./docs" aria-current="page">API docs</a></nav>
<header><div>
<h1><a class="home" href="./">Hubbub</a> <span class="dim">/</span> API</h1><span class="dim" id="version"></span>
<input type="search" placeholder="Search (press /)" aria-label="Search the API">
<a href="openapi.json">openapi.json</a>
</div></header>
<p id="none" class="dim" role="status"></p>
<main><p class="dim">Loading…</p><noscript>This page needs JavaScript; the document itself is at openapi.json.</noscript></main>
<script>{{script}}</script>
</body>
</html>
`
