import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

test("the child's exit code is the wrapper's", async () => {
  const wrapper = wrap("process.exit(7)", { keep: true })

  expect(await wrapper.exited).toBe(7)
})

test("a hub that its watchdog ended is started again", async () => {
  const wrapper = wrap("runs < 3 ? process.exit(75) : process.exit(0)", { keep: true })

  expect(await wrapper.exited).toBe(0)
  expect(await wrapper.runs()).toBe(3)
})

test("a hub that its watchdog could only end by SIGALRM is started again", async () => {
  const wrapper = wrap(`runs < 3 ? process.kill(process.pid, "SIGALRM") : process.exit(0)`, { keep: true })

  expect(await wrapper.exited).toBe(0)
  expect(await wrapper.runs()).toBe(3)
})

test("a hub that somebody killed is not started again", async () => {
  const wrapper = wrap(`process.kill(process.pid, "SIGKILL")`, { keep: true })

  expect(await wrapper.exited).toBe(128 + 9)
  expect(await wrapper.runs()).toBe(1)
})

test("a hub that hangs while it is told to stop is not started again", async () => {
  const wrapper = wrap(
    `process.on("SIGTERM", () => process.exit(75))
     setInterval(() => {}, 1000)
     console.log("up")`,
    { keep: true },
  )
  await wrapper.nextLine()
  wrapper.process.kill("SIGTERM")

  expect(await wrapper.exited).toBe(75)
  expect(await wrapper.runs()).toBe(1)
})

test("a hub that hangs again and again is given up after five restarts", async () => {
  const wrapper = wrap("process.exit(75)", { keep: true })

  expect(await wrapper.exited).toBe(75)
  expect(await wrapper.runs()).toBe(6)
  expect(await new Response(wrapper.process.stderr).text()).toContain("giving up")
})

test("a command that is no hub is not started again", async () => {
  const wrapper = wrap("process.exit(75)", { keep: false })

  expect(await wrapper.exited).toBe(75)
  expect(await wrapper.runs()).toBe(1)
})

test("a signal that comes twice reaches the child once, and its last words are heard", async () => {
  const wrapper = wrap(
    `let heard = 0
     process.on("SIGTERM", () => console.log("heard", ++heard))
     process.on("SIGUSR2", () => process.exit(heard))
     setInterval(() => {}, 1000)
     console.log(process.pid)`,
    { keep: true },
  )
  const child = Number(await wrapper.nextLine())

  wrapper.process.kill("SIGTERM")
  expect(await wrapper.nextLine()).toBe("heard 1")
  wrapper.process.kill("SIGTERM")
  process.kill(child, "SIGUSR2")

  expect(await wrapper.exited).toBe(1)
})

/** Runs `script` under the wrapper as run.mjs does; `runs` in it is how many times it has been started. */
function wrap(script: string, { keep }: { keep: boolean }) {
  const folder = mkdtempSync(join(tmpdir(), "hub-child-"))
  folders.push(folder)
  const counter = join(folder, "runs")
  writeFileSync(counter, "")
  writeFileSync(
    join(folder, "child.mjs"),
    `import { appendFileSync, statSync } from "node:fs"
     appendFileSync(${JSON.stringify(counter)}, ".")
     const runs = statSync(${JSON.stringify(counter)}).size
     ${script}`,
  )
  const code = `
    import { runToEnd } from ${JSON.stringify(join(import.meta.dirname, "child.mjs"))}
    process.exitCode = await runToEnd(process.execPath, ["child.mjs"], { cwd: ${JSON.stringify(folder)}, keep: ${keep}, pauseMs: 1 })`
  const node = Bun.which("node")
  if (node === null) throw new Error("Node is what the wrapper is for, and it is not in PATH")
  const child = Bun.spawn([node, "--input-type=module", "-e", code], { stdout: "pipe", stderr: "pipe" })
  const reader = child.stdout.getReader()
  return {
    process: child,
    runs: async () => Bun.file(counter).size,
    exited: child.exited,
    nextLine: async () => new TextDecoder().decode((await reader.read()).value).trim(),
  }
}
