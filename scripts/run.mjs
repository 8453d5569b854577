#!/usr/bin/env node
// The door for a machine that has only Node: finds or fetches Bun and the dependencies, then hands over to Bun.
// Plain JavaScript that an old Node can at least parse, so that it can say that it is too old.
const [major = 0] = process.versions.node.split(".").map(Number)
if (major < 20) {
  console.error(`hub: Node ${process.versions.node} is too old: install Node 20 or newer (https://nodejs.org)`)
  process.exit(1)
}

const { Problem, prepare, root } = await import("./toolchain.mjs")
const { runToEnd } = await import("./child.mjs")

const [mode = "", ...args] = process.argv.slice(2)
const bench = args[0] !== undefined && !args[0].startsWith("-")

/** What Bun is asked to do in each mode; `keep` restarts a hub that its own watchdog ended. */
const modes = {
  start: { run: ["src/main.ts", "serve", ...args], keep: true },
  hub: { run: ["src/main.ts", ...args], keep: args[0] === "serve", here: true },
  test: { run: ["--no-env-file", "scripts/test.ts", ...args] },
  check: { run: ["--no-env-file", "scripts/test.ts", ...args] },
  day: { run: ["examples/day/play.ts", ...args] },
  client: { run: ["--no-env-file", "scripts/client.ts", ...args] },
  binary: { run: ["--no-env-file", "scripts/binary.ts", ...args] },
  faults: { run: ["--no-env-file", "scripts/faults.ts", ...args] },
  bench: { run: bench ? [`bench/${args[0]}.ts`, ...args.slice(1)] : ["bench/run.ts", ...args] },
}

try {
  if (!Object.hasOwn(modes, mode))
    throw new Problem(`usage: node scripts/run.mjs ${Object.keys(modes).join("|")} [arguments]`)
  const { run, keep = false, here = false } = modes[mode]
  const bun = await prepare()
  const script = run.findIndex((part) => part.endsWith(".ts"))
  const paths = run.map((part, index) => (index === script && here ? `${root}/${part}` : part))
  process.exitCode = await runToEnd(bun, paths, { cwd: here ? process.cwd() : root, keep })
} catch (error) {
  if (!(error instanceof Problem)) throw error
  console.error(`hub: ${error.message}`)
  process.exitCode = 1
}
