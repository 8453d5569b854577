/** The text part of an e-mail, derived from its HTML: for readers without HTML, and for spam filters that ask for one. */

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  hellip: "…",
  mdash: "—",
  ndash: "–",
}

const BLOCKS = new Set(
  "p div section article header footer table tr h1 h2 h3 h4 h5 h6 ul ol blockquote pre hr".split(" "),
)
/** Their content is no text; it ends at the end tag. */
const SILENT = new Map(
  ["head", "style", "script", "title"].map((name) => [name, new RegExp(`</${name}\\b[^>]*>`, "gi")]),
)

/** Linear in the length of the HTML. Links keep their address: `label (https://…)`. */
export function htmlToText(html: string): string {
  const text = new TextWriter()
  let at = 0
  while (at < html.length) {
    const open = html.indexOf("<", at)
    const close =
      open < 0 ? -1 : html.startsWith("<!--", open) ? html.indexOf("-->", open) + 2 : html.indexOf(">", open)
    if (open < 0 || close <= open) {
      text.write(html.slice(at))
      break
    }
    if (open > at) text.write(html.slice(at, open))
    at = text.tag(html.slice(open + 1, close), html, close + 1)
  }
  return text.finish()
}

class TextWriter {
  #text = ""
  /** What stands between the last word and the next: line breaks, else a space. */
  #breaks = 0
  #space = false
  #link: { readonly target: string; readonly from: number } | null = null

  /** Takes text as it stands in HTML: white space is one space, entities are read once (`&amp;lt;` is `&lt;`). */
  write(raw: string): void {
    const words = raw.trim()
    if (words === "" || raw.charCodeAt(0) <= 32) this.#space = true
    if (words === "") return
    this.#flush()
    this.#text += decodeEntities(words.replace(/\s+/g, " "))
    this.#space = raw.charCodeAt(raw.length - 1) <= 32
  }

  #flush(): void {
    if (this.#text !== "") this.#text += this.#breaks > 0 ? "\n".repeat(this.#breaks) : this.#space ? " " : ""
    this.#breaks = 0
    this.#space = false
  }

  /** Takes what stands between `<` and `>`; `next` is where the HTML goes on. Returns where to go on. */
  tag(tag: string, html: string, next: number): number {
    const name = /^\/?([a-z][a-z0-9]*)/i.exec(tag)?.[1]?.toLowerCase() ?? ""
    const closing = tag.startsWith("/")
    const silentUntil = closing ? undefined : SILENT.get(name)
    if (silentUntil !== undefined) {
      silentUntil.lastIndex = next
      return silentUntil.test(html) ? silentUntil.lastIndex : html.length
    }
    if (name === "a") closing ? this.#endLink() : this.#startLink(tag)
    else if (name === "br") this.#breaks = Math.max(this.#breaks, 1)
    else if (name === "td" || name === "th") this.#space = true
    else if (BLOCKS.has(name)) this.#breaks = 2
    else if (name === "li" && !closing) {
      this.#breaks = Math.max(this.#breaks, 1)
      this.#flush()
      this.#text += "- "
    }
    return next
  }

  #startLink(tag: string): void {
    const href = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(tag)
    const target = decodeEntities(href?.[1] ?? href?.[2] ?? "").replace(/^(?:mailto|tel):/i, "")
    this.#flush()
    this.#link = { target, from: this.#text.length }
  }

  #endLink(): void {
    const link = this.#link
    this.#link = null
    if (link === null || link.target === "" || link.target.startsWith("#")) return
    const label = this.#text.slice(link.from).trim()
    if (label !== link.target) this.#text += label === "" ? link.target : ` (${link.target})`
  }

  finish(): string {
    return this.#text.trim()
  }
}

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi,
    (found, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? found
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal)
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : found
    },
  )
}
