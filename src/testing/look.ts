/**
 * What a designer would send back, found by a machine: words that do not stand out from what is behind them (WCAG 2.2,
 * 1.4.3), and a page that can be scrolled sideways.
 */
import type { Page } from "playwright-core"

/** One sentence for each fault. */
export async function faultsOf(page: Page): Promise<readonly string[]> {
  // The expression below answers with a list of texts.
  return (await page.evaluate(LOOK)) as readonly string[]
}

/** Runs in the page, whose types this program does not have. What is disabled or for listeners alone has no contrast to keep. */
const LOOK = `(() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  const colour = (css) => {
    context.clearRect(0, 0, 1, 1)
    context.fillStyle = css
    context.fillRect(0, 0, 1, 1)
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data
    return [red, green, blue, alpha / 255]
  }
  const over = ([r, g, b, a], below) => [r, g, b].map((part, at) => part * a + below[at] * (1 - a)).concat(1)
  const linear = (part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4)
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  const behind = (element) => {
    const layers = []
    for (let at = element; at !== null; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor))
    return layers.reduceRight((below, layer) => over(layer, below), colour("Canvas"))
  }
  const contrast = (element, css, opacity) => {
    const below = behind(element)
    const [r, g, b, a] = colour(css)
    const [one, other] = [light(over([r, g, b, a * opacity], below)), light(below)]
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
  }
  const skipped = ":disabled, .visually-hidden, .skip, svg, script, style, noscript"
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.closest(skipped) === null
  const faults = new Set()
  const hold = (element, said, css, opacity) => {
    const { fontSize, fontWeight } = getComputedStyle(element)
    const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && Number(fontWeight) >= 700)
    const ratio = contrast(element, css, opacity)
    if (ratio < (large ? 3 : 4.5)) faults.add(said.trim().slice(0, 40) + ": contrast " + ratio.toFixed(2))
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { parentElement: element, textContent } = texts.currentNode
    if (textContent.trim() === "" || !shown(element)) continue
    let opacity = 1
    for (let at = element; at !== null; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity)
    hold(element, textContent, getComputedStyle(element).color, opacity)
  }
  for (const field of document.querySelectorAll("input[placeholder], textarea[placeholder]")) {
    const { color, opacity } = getComputedStyle(field, "::placeholder")
    if (shown(field)) hold(field, field.placeholder, color, Number(opacity))
  }
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) faults.add("scrolls sideways: " + scrollWidth + " in " + clientWidth)
  return [...faults]
})()`
