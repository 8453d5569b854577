/** Slack's mrkdwn, as far as an incoming webhook's text uses it. */
import type { Marked, Tag } from "./marked.ts"

/** The names that notifications use; others stay as they are written, as they do in a workspace without them. */
const EMOJI: Readonly<Record<string, string>> = {
  moneybag: "💰",
  rotating_light: "🚨",
  warning: "⚠️",
  white_check_mark: "✅",
  heavy_check_mark: "✔️",
  x: "❌",
  bell: "🔔",
  package: "📦",
  truck: "🚚",
  chart_with_upwards_trend: "📈",
  chart_with_downwards_trend: "📉",
  red_circle: "🔴",
  large_green_circle: "🟢",
  information_source: "ℹ️",
  tada: "🎉",
  fire: "🔥",
  eyes: "👀",
  hourglass: "⌛",
  calendar: "📅",
  phone: "☎️",
  email: "📧",
  point_right: "👉",
}
const ENTITIES: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">" }
const PAIRS: Readonly<Record<string, Tag>> = { "*": "b", _: "i", "~": "s" }
/** Marks count only at the edges of words, or `snake_case` would lean over. */
const INLINE =
  /<([^<>\n]+)>|`([^`\n]+)`|(?<![\p{L}\p{N}*_~])([*_~])(?=\S)((?:(?!\3)[^\n])*\S|\S)\3(?![\p{L}\p{N}])|:([a-z0-9_+-]+):|&(?:amp|lt|gt);/gu

/** Reads a whole message. Never throws. */
export function readMrkdwn(text: string): readonly Marked[] {
  return text.split("```").flatMap((part, index, parts): readonly Marked[] => {
    // A fence that is never closed is no fence.
    if (index % 2 === 1 && index < parts.length - 1) return [{ tag: "pre", children: [unescaped(part.trim())] }]
    return lines(index % 2 === 1 ? `\`\`\`${part}` : part)
  })
}

/** Consecutive lines that begin with `>` are one quotation. */
function lines(text: string): readonly Marked[] {
  const out: Marked[] = []
  let quoted: string[] = []
  let plain: string[] = []
  const flush = (): void => {
    if (plain.length > 0) out.push(...inline(plain.join("\n")))
    if (quoted.length > 0) out.push({ tag: "blockquote", children: inline(quoted.join("\n")) })
    plain = []
    quoted = []
  }
  for (const line of text.split("\n")) {
    const quote = /^(?:>|&gt;) ?(.*)$/.exec(line)
    if (quote === null ? quoted.length > 0 : plain.length > 0) flush()
    if (quote === null) plain.push(line)
    else quoted.push(quote[1] ?? "")
  }
  flush()
  return out
}

function inline(text: string): readonly Marked[] {
  const out: Marked[] = []
  let end = 0
  for (const match of text.matchAll(INLINE)) {
    const [whole, angle, code, pair, inside, emoji] = match
    if (match.index > end) out.push(text.slice(end, match.index))
    end = match.index + whole.length
    if (angle !== undefined) out.push(special(angle))
    else if (code !== undefined) out.push({ tag: "code", children: [unescaped(code)] })
    else if (pair !== undefined) out.push({ tag: PAIRS[pair] ?? "b", children: inline(inside ?? "") })
    else if (emoji !== undefined) out.push(Object.hasOwn(EMOJI, emoji) ? (EMOJI[emoji] ?? whole) : whole)
    else out.push(ENTITIES[whole] ?? whole)
  }
  if (end < text.length) out.push(text.slice(end))
  return out
}

/** What stands between angle brackets: a link, a person, a channel or everybody. */
function special(angle: string): Marked {
  const [target = "", label] = angle.split("|", 2)
  if (target.startsWith("@") || target.startsWith("#"))
    return { tag: "mention", children: [label === undefined ? target : `${target[0]}${label}`] }
  if (target.startsWith("!")) return { tag: "mention", children: [label ?? `@${target.slice(1).split("^")[0] ?? ""}`] }
  return { tag: "a", href: unescaped(target), children: [unescaped(label ?? target.replace(/^mailto:/, ""))] }
}

const unescaped = (text: string): string => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity] ?? entity)
