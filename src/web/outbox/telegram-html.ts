/** Telegram's subset of HTML, read as Telegram reads it: what it would refuse is named, since it refuses all of it. */
import type { Marked, Tag } from "./marked.ts"

export interface TelegramText {
  readonly marked: readonly Marked[]
  /** Why Telegram would refuse the message; null where it takes it. */
  readonly refusal: string | null
}

const TAGS: Readonly<Record<string, Tag>> = {
  b: "b",
  strong: "b",
  i: "i",
  em: "i",
  u: "u",
  ins: "u",
  s: "s",
  strike: "s",
  del: "s",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
  "tg-spoiler": "spoiler",
  span: "spoiler",
  "tg-emoji": "mention",
  a: "a",
}
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' }
const TOKEN = /<(\/?)([a-zA-Z-]+)((?:\s[^<>]*)?)>/g

interface Open {
  readonly name: string
  readonly tag: Tag | null
  readonly href: string | null
  readonly children: Marked[]
}

/** Reads a whole message. Never throws: what it does not know stays as text. */
export function readTelegramHtml(html: string): TelegramText {
  const stack: Open[] = [{ name: "", tag: null, href: null, children: [] }]
  let refusal: string | null = null
  let end = 0
  const top = (): Open => stack.at(-1) ?? { name: "", tag: null, href: null, children: [] }
  const say = (text: string): void => {
    if (text !== "") top().children.push(decode(text))
  }
  const close = (): void => {
    const open = stack.pop()
    if (open?.tag == null) return
    const { tag, href, children } = open
    top().children.push(href === null ? { tag, children } : { tag, href, children })
  }
  for (const match of html.matchAll(TOKEN)) {
    const [whole, slash, written = "", attributes = ""] = match
    say(html.slice(end, match.index))
    end = match.index + whole.length
    const name = written.toLowerCase()
    const tag = Object.hasOwn(TAGS, name) ? TAGS[name] : undefined
    if (tag === undefined) {
      refusal ??= `Telegram knows no <${name}>`
      top().children.push(whole)
    } else if (slash === "") {
      const href = tag === "a" ? decode(/href\s*=\s*["']([^"']*)["']/i.exec(attributes)?.[1] ?? "") : null
      stack.push({ name, tag, href, children: [] })
    } else if (top().name === name) close()
    else refusal ??= `</${name}> closes nothing here`
  }
  say(html.slice(end))
  while (stack.length > 1) {
    refusal ??= `<${top().name}> is never closed`
    close()
  }
  return { marked: top().children, refusal }
}

function decode(text: string): string {
  return text.replace(/&(?:(amp|lt|gt|quot)|#(\d+)|#x([0-9a-f]+));/gi, (whole, name, decimal, hex) => {
    if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? whole
    const point = Number.parseInt(hex ?? decimal, hex === undefined ? 10 : 16)
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole
  })
}
