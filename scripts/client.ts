// Builds what is published of the client: `bun scripts/client.ts [--out dist/client]` makes a package of its own, with
// one JavaScript file, its types and no dependency, for `npm pack ./dist/client` or `npm publish ./dist/client`. The
// repository's own package has the hub's dependencies, which a producer has no use for.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import manifest from "../package.json" with { type: "json" }

const ROOT = join(import.meta.dirname, "..")
const SOURCES = join(ROOT, "src/client")
const OUT = join(ROOT, "dist/client")
const DECLARATIONS_DEADLINE_MS = 120_000

/** Bytes of the JavaScript: as it is published, and as it is when a bundler has minified it and a server compressed it. */
export interface ClientSize {
  readonly published: number
  readonly minified: number
  readonly compressed: number
}

/** Builds into `out` and swaps it in whole. Throws Error with the compiler's words. */
export async function buildClient(out: string = OUT): Promise<ClientSize> {
  const draft = `${out}.${process.pid}`
  const folder = join(draft, "client")
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  try {
    writeDeclarations(folder)
    const size = await writeScript(folder)
    writeFileSync(join(draft, "package.json"), `${JSON.stringify(packageJson(), null, 2)}\n`)
    cpSync(join(SOURCES, "README.md"), join(draft, "README.md"))
    cpSync(join(ROOT, "LICENSE"), join(draft, "LICENSE"))
    rmSync(out, { recursive: true, force: true })
    renameSync(draft, out)
    return size
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function packageJson(): Readonly<Record<string, unknown>> {
  const { name, version, license, type, engines } = manifest
  return {
    name,
    version,
    description: "The client library of Hubbub, the notification hub.",
    license,
    type,
    engines,
    sideEffects: false,
    exports: { "./client": { types: "./client/hub.d.ts", default: "./client/hub.js" } },
  }
}

/** Not minified: a stack trace in a producer's log should be readable, and whoever serves browsers bundles anyway. */
async function writeScript(folder: string): Promise<ClientSize> {
  const entrypoints = [join(SOURCES, "hub.ts")]
  const options: Bun.BuildConfig = { entrypoints, target: "browser", format: "esm", throw: false }
  const [plain, minified] = await Promise.all([Bun.build(options), Bun.build({ ...options, minify: true })])
  for (const built of [plain, minified])
    if (!built.success) throw new Error(`the client cannot be built: ${built.logs.map(String).join("\n")}`)
  const [text = "", small = ""] = await Promise.all([plain, minified].map(({ outputs }) => outputs[0]?.text()))
  writeFileSync(join(folder, "hub.js"), text)
  return {
    published: Buffer.byteLength(text),
    minified: Buffer.byteLength(small),
    compressed: Bun.gzipSync(Buffer.from(small)).byteLength,
  }
}

/** Checked against the browser's types alone, so a call of Node or Bun does not compile. Only what `hub.d.ts` leads to stays. */
function writeDeclarations(folder: string): void {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc")
  const emit = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", folder]
  const ran = Bun.spawnSync([process.execPath, tsc, "-p", join(SOURCES, "tsconfig.json"), ...emit], {
    timeout: DECLARATIONS_DEADLINE_MS,
  })
  if (ran.exitCode !== 0) throw new Error(`the client does not compile: ${ran.stdout}${ran.stderr}`)
  const needed = new Set<string>()
  const follow = (name: string): void => {
    if (needed.has(name)) return
    needed.add(name)
    const path = join(folder, `${name}.d.ts`)
    // Compilers older than ours do not follow `.ts` from a declaration.
    const text = readFileSync(path, "utf8").replace(/(["'])\.\/([\w-]+)\.ts\1/g, '"./$2.js"')
    writeFileSync(path, text)
    for (const [, next = ""] of text.matchAll(/"\.\/([\w-]+)\.js"/g)) follow(next)
  }
  follow("hub")
  for (const file of readdirSync(folder)) if (!needed.has(file.replace(/\.d\.ts$/, ""))) rmSync(join(folder, file))
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: "string", default: OUT } } })
  const out = resolve(values.out)
  if (existsSync(out) && !existsSync(join(out, "client"))) throw new Error(`${out} is no built client: not replaced`)
  const size = await buildClient(out)
  console.log(
    `client built: ${out} (${size.published} bytes; ${size.minified} minified, ${size.compressed} of them compressed)`,
  )
}
