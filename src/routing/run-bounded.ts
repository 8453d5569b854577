/**
 * A template's output is bounded, and an event is told of however long its values are: a name of 50,000 letters is cut, and
 * of a digest that is too long the end. What prints without an end is stopped while it prints.
 */
import { cutHtml, cutMrkdwn, cutText } from "./escape.ts"
import { type TemplateEngine, type TemplateFunction, TooLong } from "./eta-engine.ts"
import type { Markup } from "./templates.ts"

/** Characters that a template makes in all. */
const MAX_OUTPUT = 65_536
/** What its tags print, before anything of it is cut. */
const MAX_PRINTED = 16 * MAX_OUTPUT
/** Of a value, where values are what makes the output too long: nobody reads more of one. */
const MAX_LONG_VALUE = 1_000
/** Readable characters of HTML, each of which may be written as an entity of six. */
const MAX_READABLE = 10_000

const CUT: Readonly<Record<Markup, (text: string) => string>> = {
  plain: (text) => cutText(text, MAX_OUTPUT),
  slack: (text) => cutMrkdwn(text, MAX_OUTPUT),
  html: (text) => cutHtml(text, MAX_READABLE),
}

/** Throws what the engine's `run` throws; TooLong only of what prints without an end, or is nearly all markup. */
export function runBounded(
  engines: Readonly<Record<Markup | "link", TemplateEngine>>,
  markup: Markup | "link",
  source: TemplateFunction,
  path: string,
  data: object,
): string {
  const run = (value: number): string | null => {
    try {
      return engines[markup].run(source, path, data, { output: MAX_PRINTED, value })
    } catch (error) {
      if (error instanceof TooLong && value > MAX_LONG_VALUE) return null
      throw error
    }
  }
  const whole = run(Number.POSITIVE_INFINITY)
  if (whole !== null && whole.length <= MAX_OUTPUT) return whole
  // Half a link leads elsewhere.
  if (markup === "link") return ""
  const shorter = run(MAX_LONG_VALUE) ?? ""
  if (shorter.length <= MAX_OUTPUT) return shorter
  const cut = CUT[markup](shorter)
  if (cut.length > MAX_OUTPUT) throw new TooLong(`${shorter.length} characters, at most ${MAX_OUTPUT}`)
  return cut
}
