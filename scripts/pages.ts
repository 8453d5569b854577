// Bundles the pages: every src/web/<page>/index.html becomes dist/web/<page>.html with its scripts, styles and pictures
// beside it under dist/web/assets, named by their content; and the service worker, whose name must stay. `bun scripts/pages.ts` builds them; the hub calls `builtPages`
// and gets them built if they are not yet, or are older than their sources.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"
import { join, relative } from "node:path"

const ROOT = join(import.meta.dirname, "..")
const SOURCES = join(ROOT, "src/web")
const OUT = join(ROOT, "dist/web")

declare global {
  /** Path → content in base64: the single executable carries its pages here, put by scripts/binary.ts. */
  var HUB_PAGES: Readonly<Record<string, string>> | undefined
}

/** Built files by path: `home.html`, `assets/index-1a2b3c4d.js`. */
export type BuiltPages = ReadonlyMap<string, Buffer<ArrayBuffer>>

/** The pages, built where that is due. Throws Error with the bundler's words where there are none and none can be built. */
export async function builtPages(): Promise<BuiltPages> {
  const embedded = globalThis.HUB_PAGES
  if (embedded !== undefined)
    return new Map(Object.entries(embedded).map(([path, content]) => [path, Buffer.from(content, "base64")]))
  const kept = isStale() ? null : readWhole()
  if (kept !== null) return kept
  try {
    return await buildPages()
  } catch (error) {
    // An installation that cannot be written keeps the pages that it came with.
    if (!existsSync(OUT)) throw error
    return readFolder(OUT)
  }
}

/** What is built, or null where another process swapped its own build in meanwhile: two builds are not to be mixed. */
function readWhole(): BuiltPages | null {
  try {
    const before = statSync(OUT).ino
    const found = readFolder(OUT)
    return statSync(OUT).ino === before ? found : null
  } catch {
    return null
  }
}

function readFolder(folder: string): BuiltPages {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [relative(folder, path).replaceAll("\\", "/"), readFileSync(path)]
    }),
  )
}

/** Builds all pages into a folder of their own and swaps it in whole, so that nobody is served half a build. */
export async function buildPages(): Promise<BuiltPages> {
  const draft = `${OUT}.${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  try {
    for (const page of pages()) {
      const built = await Bun.build({
        entrypoints: [join(SOURCES, page, "index.html")],
        outdir: draft,
        minify: true,
        target: "browser",
        naming: { entry: `${page}.[ext]`, chunk: "assets/[name]-[hash].[ext]", asset: "assets/[name]-[hash].[ext]" },
        throw: false,
      })
      if (!built.success) throw new Error(`page ${page} cannot be built: ${built.logs.map(String).join("\n")}`)
    }
    const worker = await Bun.build({
      entrypoints: [join(SOURCES, "push-worker", "worker.ts")],
      outdir: draft,
      minify: true,
      target: "browser",
      format: "iife",
      naming: { entry: "push-worker.[ext]" },
      throw: false,
    })
    if (!worker.success) throw new Error(`the service worker cannot be built: ${worker.logs.map(String).join("\n")}`)
    const built = readFolder(draft)
    swapIn(draft)
    return built
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Nodes that start together may all build; the first one's folder is as good as any. */
function swapIn(draft: string): void {
  const old = `${draft}.old`
  try {
    if (existsSync(OUT)) renameSync(OUT, old)
    renameSync(draft, OUT)
  } catch (error) {
    if (!existsSync(OUT)) throw error
  } finally {
    rmSync(old, { recursive: true, force: true })
  }
}

function pages(): string[] {
  return readdirSync(SOURCES)
    .filter((name) => existsSync(join(SOURCES, name, "index.html")))
    .sort()
}

/** Without sources (an installed package) what was built is all there is. */
function isStale(): boolean {
  if (!existsSync(SOURCES)) return false
  const oldest = Math.min(...pages().map((page) => changedAt(join(OUT, `${page}.html`))))
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
  const newest = Math.max(...files.map((file) => changedAt(join(SOURCES, file))))
  return newest > oldest
}

function changedAt(path: string): number {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

if (import.meta.main) {
  await buildPages()
  console.log(`pages built: ${OUT}`)
}
