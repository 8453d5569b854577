/** The watchdog in real processes, because ending one is all that it is for. */
import { afterEach, describe, expect, test } from "bun:test"
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "../testing/eventually.ts"

const LIMIT_MS = 1_000
const MODULE = JSON.stringify(join(import.meta.dir, "watchdog.ts"))
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface RunOptions {
  /** Of `startWatchdog`, as JavaScript. */
  readonly watchdog?: string
  readonly flags?: readonly string[]
  readonly stderr?: number
}

/** A process with a watchdog that then does what `script` says; `say` in it writes a line to stdout at once. */
function run(script: string, { watchdog = "", flags = [], stderr }: RunOptions = {}) {
  const code = `
    import { writeSync } from "node:fs"
    import { startWatchdog } from ${MODULE}
    const say = (line) => void writeSync(1, line + "\\n")
    const watchdog = startWatchdog({ limitMs: ${LIMIT_MS}, format: "json", onFailure: (error) => say("failed: " + error), ${watchdog} })
    ${script}`
  const child = Bun.spawn([process.execPath, "--no-env-file", ...flags, "-e", code], {
    cwd: "/",
    stdout: "pipe",
    stderr: stderr ?? "pipe",
  })
  cleanups.push(() => child.kill("SIGKILL"))
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ""
  const line = async (): Promise<string> => {
    for (;;) {
      const end = heard.indexOf("\n")
      if (end >= 0) {
        const found = heard.slice(0, end)
        heard = heard.slice(end + 1)
        return found
      }
      const { done, value } = await reader.read()
      if (done) throw new Error("it ended without another line")
      heard += value
    }
  }
  const ended = child.exited.then((code) => ({ how: child.signalCode ?? code, at: Date.now() }))
  const words = () => (stderr === undefined ? new Response(child.stderr as ReadableStream).text() : "") // a pipe
  return { pid: child.pid, line, ended, words, signal: (name: NodeJS.Signals) => child.kill(name) }
}

/** The lines say when a block begins, so that the start of the process does not count. */
const BLOCKS = {
  "a loop without end": "for (;;);",
  "microtasks without end": "const again = () => Promise.resolve().then(again); again()",
  "a call that does not come back": "Bun.sleepSync(600_000)",
}
const soon = (block: string) => `setTimeout(() => { say(String(Date.now())); ${block} }, 100)`

describe("a blocked event loop", () => {
  test.each(Object.entries(BLOCKS))(
    "53: %s ends the process with 75, not before the limit and at most a second after it",
    async (_name, block) => {
      const child = run(soon(block))
      const begun = Number(await child.line())
      const { how, at } = await child.ended
      expect(how).toBe(75)
      // The last beat may be one period older than the block.
      expect(at - begun).toBeGreaterThanOrEqual(LIMIT_MS - LIMIT_MS / 20)
      expect(at - begun).toBeLessThan(LIMIT_MS + 1_000)
    },
  )

  test.each(["json", "pretty"])("is told of in one line of the log's %s form", async (format) => {
    const child = run(soon("for (;;);"), { watchdog: `format: "${format}", exitCode: 3` })
    expect((await child.ended).how).toBe(3)
    const words = await child.words()
    expect(words.trimEnd().split("\n")).toHaveLength(1)
    if (format === "json") {
      const { blocked_ms, time, ...rest } = JSON.parse(words)
      expect(rest).toEqual({ level: "error", event: "event_loop_blocked", exit_code: 3 })
      expect(blocked_ms).toBeGreaterThanOrEqual(LIMIT_MS)
      expect(Math.abs(Date.now() - Date.parse(time))).toBeLessThan(10_000)
    } else expect(words).toMatch(/error.* event_loop_blocked {2}blocked_ms=1\d{3} exit_code=3\n$/)
  })

  test("that waits for whoever should read stderr is ended too, without a word", async () => {
    const folder = mkdtempSync(join(tmpdir(), "watchdog-"))
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const pipe = join(folder, "stderr")
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0)
    const unread = openSync(pipe, constants.O_RDWR)
    cleanups.push(() => closeSync(unread))
    const child = run(soon("for (;;) writeSync(2, 'x'.repeat(10_000))"), { stderr: unread })
    expect((await child.ended).how).toBe(75)
  })

  test("is ended by SIGALRM where libc cannot be had", async () => {
    const child = run(soon("for (;;);"), { watchdog: "libraries: []" })
    expect((await child.ended).how).toBe("SIGALRM")
    expect(await child.words()).toContain("event_loop_blocked")
  })

  test("is left alone under a debugger", async () => {
    const block = `Bun.sleepSync(${3 * LIMIT_MS}); say("still here"); process.exit(0)`
    const child = run(soon(block), { flags: ["--inspect=127.0.0.1:0"] })
    await child.line()
    expect(await child.line()).toBe("still here")
    expect((await child.ended).how).toBe(0)
  })
})

/**
 * Says something, then works, for ever, and blocks for good at SIGUSR2. The work is measured in work and not in time:
 * whoever stops the process at its word finds it in the midst of it afterwards, and the watchdog looks before the next beat.
 */
const WORKS = `
  const work = (rounds) => { let sum = 0; for (let i = 0; i < rounds; i += 1) sum = (sum + i * 7) % 1_000_003; return sum }
  let rounds = 0
  for (const until = performance.now() + 100; performance.now() < until; rounds += 10_000) work(10_000)
  process.on("SIGUSR2", () => { say("blocked"); for (;;); })
  const turn = () => { say("here"); work(rounds); setTimeout(turn, ${LIMIT_MS / 10}) }
  turn()`

describe("a healthy process", () => {
  test("survives four stops by SIGSTOP, each longer than the limit, and is still watched after them", async () => {
    const child = run(WORKS)
    for (let stop = 0; stop < 4; stop += 1) {
      await child.line()
      child.signal("SIGSTOP")
      await Bun.sleep(1.5 * LIMIT_MS) // how long it is stopped is what is tried
      child.signal("SIGCONT")
      for (let lines = 0; lines < 2; lines += 1) expect(await child.line()).toBe("here")
    }
    child.signal("SIGUSR2")
    expect((await child.ended).how).toBe(75)
  }, 60_000)

  test("that is busy on a machine whose every core is busy survives, and a block there is still found in time", async () => {
    const hogs = Array.from({ length: 2 * availableParallelism() }, () =>
      Bun.spawn([process.execPath, "--no-env-file", "-e", "for (;;);"]),
    )
    cleanups.push(() => hogs.map((hog) => hog.kill("SIGKILL")))
    // 30 ms of work at a time, as fast as the machine lets it, for three limits.
    const busy = `
      let began = Date.now()
      const work = () => {
        for (const until = Date.now() + 30; Date.now() < until; );
        if (Date.now() - began < 6_000) return void setImmediate(work)
        say(String(Date.now()))
        for (;;);
      }
      work()`
    const child = run(busy, { watchdog: "limitMs: 2_000" })
    const begun = Number(await child.line())
    const { how, at } = await child.ended
    expect(how).toBe(75)
    expect(at - begun).toBeLessThan(2_000 + 1_000)
  }, 30_000)

  test("ends by itself when it has nothing left to do, with its own exit code", async () => {
    const child = run(`process.exitCode = 4`)
    expect((await child.ended).how).toBe(4)
    expect(await child.words()).toBe("")
  })

  test("may be stopped being watched, which leaves no thread and no deadline", async () => {
    const child = run(`setTimeout(() => { watchdog.stop(); watchdog.stop(); say("stopped") }, 200)
      process.on("SIGUSR2", () => { Bun.sleepSync(${3 * LIMIT_MS}); say("still here") })
      setInterval(() => {}, 1000)`)
    expect(await child.line()).toBe("stopped")
    if (process.platform === "linux")
      await eventually(
        async () => threadsOf(child.pid),
        (names) => !names.includes("Worker"),
        { withinMs: 5_000, what: "threads" },
      )
    child.signal("SIGUSR2")
    expect(await child.line()).toBe("still here")
  })

  test("hears that its watchdog has died, and goes on", async () => {
    const child = run(`setInterval(() => {}, 1000)`, { watchdog: "libraries: 5" })
    expect(await child.line()).toStartWith("failed: ")
    child.signal("SIGTERM")
    expect((await child.ended).how).toBe("SIGTERM")
  })
})

const threadsOf = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim()
    } catch {
      return [] // it has ended since it was listed
    }
  })

describe("a watchdog", () => {
  test.each([["limitMs: 0"], ["limitMs: NaN"], ["limitMs: Infinity"], ["exitCode: 0"], ["exitCode: 256"]])(
    "with %s is refused",
    async (watchdog) => {
      const child = run("", { watchdog })
      expect((await child.ended).how).toBe(1)
      expect(await child.words()).toContain("RangeError: ")
    },
  )
})
