// Phoenix's own client in a real browser: the checks of `stock-client.test.ts`, run by the page.
import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { launchBrowser, STEP_DEADLINE_MS } from "../testing/browser.ts"
import type { Way } from "../testing/stock-act.ts"
import { CHECKS } from "../testing/stock-checks.ts"
import { type StockStage, startStockStage } from "../testing/stock-stage.ts"

setDefaultTimeout(30_000)

let stage: StockStage
let browser: Browser
let page: Page

beforeAll(async () => {
  const built = await Bun.build({ entrypoints: [join(import.meta.dir, "../testing/stock-page.ts")], target: "browser" })
  stage = await startStockStage((await built.outputs[0]?.text()) ?? "")
  browser = await launchBrowser()
  page = await browser.newPage()
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  await page.goto(`${stage.url}/`)
}, 60_000)
afterAll(async () => {
  await browser.close()
  await stage.stop()
}, 60_000)

/** The page's own module; only types cross, so it is written down as what it is. */
type StockPage = typeof import("../testing/stock-page.ts")

const inPage = (title: string, way: Way): Promise<void> =>
  page.evaluate(
    async ([named, by, url, frozenUrl, script]) => {
      const { run }: StockPage = await import(script)
      await run(named, by, { url, frozenUrl })
    },
    [title, way, stage.url, stage.frozenUrl, "/script.js"] as const,
  )

for (const way of ["websocket", "longpoll"] as const) {
  describe(`over ${way}`, () => {
    for (const { title, ways } of CHECKS) if (ways.includes(way)) test(title, () => inPage(title, way))
  })
}

test("a page of another origin is let through its preflights", async () => {
  await page.goto(`${stage.url.replace("127.0.0.1", "localhost")}/`)
  await inPage("a bad token is refused; a function is asked again and may do better", "longpoll")
})
