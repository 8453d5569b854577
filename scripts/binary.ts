// Builds the hub as one executable: `bun scripts/binary.ts [target]` writes dist/hub and, beside it, what an operator
// may read and change. A PostgreSQL server does not fit into an executable: this one asks for DATABASE_URL.
import { cpSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { buildPages } from "./pages.ts"

const ROOT = join(import.meta.dirname, "..")
const OUT = join(ROOT, "dist/binary")
const BESIDE = ["migrations", "rules", "templates", ".env.example", "LICENSE"]

const target = process.argv[2] // such as bun-linux-arm64; this machine by default
rmSync(OUT, { recursive: true, force: true })
mkdirSync(OUT, { recursive: true })

const flags = ["--compile", "--minify", "--sourcemap", ...(target === undefined ? [] : [`--target=${target}`])]
const build = Bun.spawnSync(
  [process.execPath, "build", ...flags, join(ROOT, "src/main.ts"), "--outfile", join(OUT, "hub")],
  { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] },
)
if (build.exitCode !== 0) process.exit(build.exitCode)

for (const name of BESIDE) {
  if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(OUT, name), { recursive: true })
}
await buildPages()
cpSync(join(ROOT, "dist/web"), join(OUT, "web"), { recursive: true })
const name = existsSync(join(OUT, "hub.exe")) ? "hub.exe" : "hub"
console.log(`${join(OUT, name)}: ${Math.round(statSync(join(OUT, name)).size / 2 ** 20)} MiB`)
