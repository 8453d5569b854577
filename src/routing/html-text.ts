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

const BLOCKS = "p|div|section|article|header|footer|table|tr|h[1-6]|ul|ol|blockquote|pre|hr"

/** Linear in the length of the HTML. Links keep their address: `label (https://…)`. */
export function htmlToText(html: string): string {
  const marked = html
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/<(head|style|script|title)\b[\s\S]*?<\/\1\s*>/gi, "")
    .replace(/\s+/g, " ")
    .replace(/<a\b([^>]*)>([\s\S]*?)<\/a\s*>/gi, linkText)
    .replace(/ ?<br\b[^>]*> ?/gi, "\n")
    .replace(/ ?<li\b[^>]*> ?/gi, "\n- ")
    .replace(/ ?<\/(?:td|th)\s*> ?/gi, " ")
    .replace(new RegExp(` ?</?(?:${BLOCKS})\\b[^>]*> ?`, "gi"), "\n\n")
    .replace(/<[^>]*>/g, "")
  return decodeEntities(marked)
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim()
}

function linkText(_: string, attributes: string, label: string): string {
  const href = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(attributes)
  const target = href?.[1] ?? href?.[2] ?? ""
  const text = label.replace(/<[^>]*>/g, "").trim()
  if (target === "" || target.startsWith("#") || target === text) return text
  return text === "" ? target : `${text} (${target.replace(/^mailto:/i, "")})`
}

/** Each entity once: `&amp;lt;` is the text `&lt;`. */
const decodeEntities = (text: string): string =>
  text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi,
    (found, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? found
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal)
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : found
    },
  )
