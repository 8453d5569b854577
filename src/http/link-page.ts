/**
 * The small pages behind links in messages. No script and nothing loaded: what acts is a form's button, so that whoever
 * only looks at a link, as scanners of mail do, changes nothing.
 */
import type { LinkWords } from "./link-words.ts"
import { type Reply, text } from "./route.ts"

const STYLE = `:root{color-scheme:light dark}body{margin:0;font:16px/1.6 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:34rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem}
form{margin:1.25rem 0 0}button{font:inherit;font-weight:600;padding:.6rem 1.1rem;border-radius:.5rem;border:1px solid #0f766e;background:#0f766e;color:#fff;cursor:pointer}
button.second{background:none;color:inherit;border-color:currentColor}button:focus-visible,input:focus-visible{outline:3px solid #0f766e;outline-offset:2px}
fieldset{border:0;padding:0;margin:0 0 1rem}legend{font-weight:600;padding:0}label{display:block;padding:.35rem 0;cursor:pointer}
input{width:1.2em;height:1.2em;margin:0;margin-inline-end:.5em;vertical-align:-.2em;accent-color:#0f766e}`

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${new Bun.CryptoHasher("sha256").update(STYLE).digest("base64")}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ")

const escaped = (value: string): string =>
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

export interface LinkPage {
  /** In whose language the rest is. */
  readonly words: Pick<LinkWords, "lang" | "dir">
  readonly title: string
  readonly says: string
  readonly forms?: readonly LinkForm[]
}

export interface LinkForm {
  readonly button: string
  /** Behind the page's own address: `?scope=all`. Default: the address itself. */
  readonly query?: string
  readonly choices?: readonly LinkChoice[]
}

export interface LinkChoice {
  readonly name: string
  readonly label: string
  readonly on: boolean
  /** It cannot be chosen here. */
  readonly fixed?: boolean
}

/** The whole page. Its forms post to its own address, so a path prefix in front of the hub changes nothing. */
export function linkPage(status: number, { words, title, says, forms = [] }: LinkPage): Reply {
  const body = `<!doctype html>
<html lang="${words.lang}" dir="${words.dir}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escaped(title)}</h1><p>${escaped(says)}</p>${forms.map(formOf).join("")}</main></body></html>
`
  const page = text("text/html; charset=utf-8", body, {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
  })
  return { ...page, status }
}

function formOf({ button, query = "?", choices = [] }: LinkForm, place: number): string {
  const boxes = choices.map(
    ({ name, label, on, fixed = false }) =>
      `<label><input type="checkbox" name="${escaped(name)}"${on ? " checked" : ""}${fixed ? " disabled" : ""}> ${escaped(label)}</label>`,
  )
  const fields = boxes.length === 0 ? "" : `<fieldset>${boxes.join("")}</fieldset>`
  return `<form method="post" action="${escaped(query)}">${fields}<button${place === 0 ? "" : ' class="second"'}>${escaped(button)}</button></form>`
}

/** A link that is good for nothing: forged, cut by a mail program, or over. */
export function deadLink(words: LinkWords): Reply {
  return linkPage(404, { words, ...words.dead })
}
