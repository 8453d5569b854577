/** How a value from an event is written so that it stays a value: one way per kind of text. Pure, and linear in time. */

const HTML: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

/** For e-mail and for Telegram's HTML, in text and in quoted attributes. */
export const escapeHtml = (text: string): string =>
  /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (found) => HTML[found] ?? found) : text

/** A zero-width space: the word can be read and calls nobody. */
const ZERO_WIDTH = "\u200b"

/** For Slack's mrkdwn: no `<!channel>`, no `<@U…>`, and no plain `@here` that a workspace would turn into a mention. */
export function escapeSlack(text: string): string {
  if (!/[&<>@]/.test(text)) return text
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/@(?=channel|here|everyone|group)/gi, `@${ZERO_WIDTH}`)
}

/** For SMS, the inbox, push and voice: control characters go, line breaks stay. */
export const plainText = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  text.replace(/\r\n?/g, "\n").replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "")

/** For what must stand on one line (a subject, a title, a label): a line break there would begin another header. */
export const oneLine = (text: string): string => text.replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim()

/** At most `max` UTF-16 units, with an ellipsis where something went; never half of a surrogate pair. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 2)
  const end = last >= 0xd800 && last <= 0xdbff ? max - 2 : max - 1
  return `${text.slice(0, end)}…`
}

/** Slack counts the raw text. Never ends within an entity (`&amp;`) or a link (`<url|label>`). */
export function cutMrkdwn(text: string, max: number): string {
  if (text.length <= max) return text
  const head = cutText(text, max).slice(0, -1)
  const entity = head.lastIndexOf("&")
  const open = entity > head.lastIndexOf(";") && head.length - entity < 6 ? entity : -1
  const link = head.lastIndexOf("<") > head.lastIndexOf(">") ? head.lastIndexOf("<") : -1
  const end = Math.min(...[open, link, head.length].filter((at) => at >= 0))
  return `${head.slice(0, end)}…`
}

/** Tags, entities and characters, each as one piece. */
const HTML_PIECES = /<[^>]*>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{1,8});|[^<&]|[<&]/giu

/** What a piece counts when tags and entities are read. */
const widthOf = (piece: string): number =>
  piece.length < 2 ? 1 : piece[0] === "<" ? 0 : piece[0] === "&" ? 1 : piece.length

/** Telegram counts what is left when tags and entities are read. Closes the tags that the cut leaves open. */
export function cutHtml(html: string, max: number): string {
  if (html.length <= max) return html
  const pieces = html.match(HTML_PIECES) ?? []
  if (pieces.reduce((sum, piece) => sum + widthOf(piece), 0) <= max) return html
  const open: string[] = []
  let left = max - 1
  let end = 0
  for (const piece of pieces) {
    left -= widthOf(piece)
    if (left < 0) break
    end += piece.length
    const tag = /^<(\/?)([a-z][a-z0-9-]*)/i.exec(piece)
    if (tag?.[1] === "/") open.pop()
    else if (tag?.[2] !== undefined) open.push(tag[2])
  }
  return `${html.slice(0, end)}…${open
    .reverse()
    .map((name) => `</${name}>`)
    .join("")}`
}

/** A text without markup as Telegram's or an e-mail's HTML. */
export const textToHtml = (text: string): string =>
  text
    .split(/\n{2,}/)
    .map((paragraph) => `<p>${escapeHtml(paragraph).replaceAll("\n", "<br>\n")}</p>`)
    .join("\n")

const SCHEMES = ["http:", "https:", "mailto:", "tel:"]

/**
 * The link as it may be given to a person: a web, mail or phone address, or a path that starts with one slash; null
 * where it is neither (`javascript:`, `data:`, `//elsewhere`).
 */
export function safeLink(link: string): string | null {
  // Browsers drop these before they read the scheme, so `java\nscript:` is one.
  if (/[\s\p{Cc}\\]/u.test(link) || link.startsWith("//")) return null
  if (link.startsWith("/")) return link
  if (!URL.canParse(link)) return null
  return SCHEMES.includes(new URL(link).protocol) ? link : null
}

/** The link for a message, which is read away from the page: a path is put behind the hub's public address. */
export const absoluteLink = (link: string, publicUrl: string): string =>
  link.startsWith("/") ? `${publicUrl.replace(/\/+$/, "")}${link}` : link

/** The first attribute in HTML that would run or embed something when it is opened, or null. */
export function unsafeAttribute(html: string): string | null {
  if (!/script|data:|&#/i.test(html)) return null
  for (const [, name, quoted, bare] of html.matchAll(
    /\b(href|src|action|formaction)\s*=\s*(?:["']([^"']*)|([^\s>"']+))/gi,
  )) {
    const target = (quoted ?? bare ?? "").replace(/&#(\d+);?/g, (_, code: string) => String.fromCharCode(Number(code)))
    if (/^(?:java|vb)script:|^data:/i.test(target.replace(/[\s\p{Cc}]/gu, ""))) return name ?? null
  }
  return null
}
