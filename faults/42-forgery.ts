/** Forged credentials and signatures. The matrix is whole in every run already (it counts its more than 230 cases itself). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fault } from "./fault.ts"

const MATRIX = [
  "./src/forgery.test.ts",
  "./src/ingest/webhook-forgery.test.ts",
  "./src/inbound/inbound-forgery.test.ts",
]
const ROOT = join(import.meta.dirname, "..")

export const forgery = fault({
  number: 42,
  name: "forgery matrix",
  short: {},
  full: {},
  injected: () => "forged tokens, keys, headers and signatures, over HTTP and WebSocket",
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "hub-forgery-"))
    const report = join(folder, "junit.xml")
    try {
      const flags = ["--timeout=60000", "--reporter=junit", `--reporter-outfile=${report}`]
      const child = Bun.spawn([process.execPath, "--no-env-file", "test", ...flags, ...MATRIX], {
        cwd: ROOT,
        stdout: "ignore",
        stderr: "ignore",
      })
      const code = await child.exited
      const head = /<testsuites[^>]*>/.exec(readFileSync(report, "utf8"))?.[0] ?? ""
      const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
      return [
        { what: "tests", value: number("tests"), atLeast: 1 },
        { what: "wrong", value: Math.max(number("failures") + number("errors"), code === 0 ? 0 : 1), atMost: 0 },
      ]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
})
