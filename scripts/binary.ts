// Builds the hub as one executable: `bun scripts/binary.ts [target] [--out dist/hub]`, target being such as
// bun-linux-arm64 and this machine by default. Migrations and pages are inside; rules and templates stay files, because
// they are the operator's. A PostgreSQL server does not fit into an executable: this one asks for DATABASE_URL.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { builtPages } from "./pages.ts"

const ROOT = join(import.meta.dirname, "..")
const MIGRATIONS = join(ROOT, "migrations")

const { values, positionals } = parseArgs({
  options: { out: { type: "string", default: join(ROOT, "dist/hub") } },
  allowPositionals: true,
})
const target = positionals[0]
const out = resolve(target?.includes("windows") && !values.out.endsWith(".exe") ? `${values.out}.exe` : values.out)

const migrations = readdirSync(MIGRATIONS)
  .filter((name) => name.endsWith(".sql"))
  .map((name) => [name, readFileSync(join(MIGRATIONS, name), "utf8")])
const pages = [...(await builtPages())].map(([path, content]) => [path, content.toString("base64")])

// What the executable starts with: its cargo first, then the hub, which looks for it.
const scratch = mkdtempSync(join(tmpdir(), "hub-binary-"))
try {
  const cargo = { HUB_MIGRATIONS: Object.fromEntries(migrations), HUB_PAGES: Object.fromEntries(pages) }
  writeFileSync(join(scratch, "cargo.js"), `Object.assign(globalThis, ${JSON.stringify(cargo)})\n`)
  const entry = join(scratch, "hub.js")
  writeFileSync(entry, `import "./cargo.js"\nimport ${JSON.stringify(join(ROOT, "src/main.ts"))}\n`)
  // A thread is an entry of its own, beside the first one, where its URL says.
  const thread = join(scratch, "watchdog-thread.js")
  writeFileSync(thread, `import ${JSON.stringify(join(ROOT, "src/runtime/watchdog-thread.ts"))}\n`)
  const flags = ["--compile", "--minify", "--sourcemap", ...(target === undefined ? [] : [`--target=${target}`])]
  const build = Bun.spawnSync([process.execPath, "build", ...flags, entry, thread, "--outfile", out], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  })
  if (build.exitCode !== 0) throw new Error(`the bundler ended with ${build.exitCode}`)
  rmSync(`${out}.map`, { force: true }) // inside already, for stacks that can be read
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
console.log(`${out}: ${Math.round(statSync(out).size / 2 ** 20)} MiB`)
