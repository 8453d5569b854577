/**
 * A real browser for the tests of the pages. npm brings none and a machine needs none: `npm test` asks `findChromium`
 * first, and names the files that it leaves out.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Browser, chromium, type Page } from "playwright-core"

/** `none`: `why` says what was looked for, or what is wrong with what was found. */
export type Found = { readonly kind: "found"; readonly path: string } | { readonly kind: "none"; readonly why: string }

/** For one step on a page: less than a test has, so that a failure names its step and the browser outlives it. */
export const STEP_DEADLINE_MS = 20_000

const USUAL = ["/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"]
const VERSION_DEADLINE_MS = 60_000

// Nothing but the hub under test is asked for anything, and nothing depends on a screen, a sandbox or a graphics card.
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/** The Chromium of this machine: CHROMIUM_BIN where that is set, else the first usual one that starts. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): Found {
  const asked = env["CHROMIUM_BIN"]
  if (asked !== undefined && asked !== "") {
    return starts(asked)
      ? { kind: "found", path: asked }
      : { kind: "none", why: `CHROMIUM_BIN does not start: ${asked}` }
  }
  const places = USUAL.map((name) =>
    name.startsWith("/") ? name : (Bun.which(name, { PATH: env["PATH"] ?? "" }) ?? ""),
  )
  const path = places.find(starts)
  return path === undefined
    ? { kind: "none", why: `no Chromium here: neither CHROMIUM_BIN nor ${USUAL.join(", ")} is a browser that starts` }
    : { kind: "found", path }
}

/** Some systems have a file of that name that only says how to install the browser. */
const starts = (path: string): boolean =>
  existsSync(path) && spawnSync(path, ["--version"], { timeout: VERSION_DEADLINE_MS, stdio: "ignore" }).status === 0

/** Starts it. Throws, with why, where there is none: a test that could not look must not pass. */
export async function launchBrowser(): Promise<Browser> {
  const found = findChromium()
  if (found.kind === "none") throw new Error(`NOT TESTED: ${found.why}`)
  return await chromium.launch({ executablePath: found.path, args: FLAGS })
}

/** Keeps a picture of the page in the folder that HUB_SHOTS names, where it names one. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env["HUB_SHOTS"]
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) })
}
