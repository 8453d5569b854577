/** The Python producer as a reader would run it, without site packages, against a real hub and a line that fails. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { jsonOf, SERVICE_KEY } from "../../src/testing/front.ts"
import { cutAfter, cutBefore, type InFront, refuse, startInFront } from "../../src/testing/in-front.ts"
import { startTestHub, type TestHub } from "../../src/testing/start-hub.ts"

setDefaultTimeout(60_000)

const python = Bun.which("python3")
if (python === null) console.error("NOT TESTED: examples/python/producer.py (there is no python3 on this machine)")

const folder = mkdtempSync(join(tmpdir(), "hub-python-"))
const SCRIPT = join(import.meta.dir, "producer.py")
const SHOWN = join(import.meta.dir, "events.jsonl")
let hub: TestHub
let line: InFront
beforeAll(async () => {
  hub = await startTestHub()
  line = await startInFront(`http://127.0.0.1:${hub.port}`)
})
afterAll(async () => {
  await line.stop()
  await hub.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Run {
  readonly code: number
  readonly out: readonly string[]
  readonly err: readonly string[]
}

const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  Bun.spawn([python ?? "", "-I", "-S", SCRIPT, ...args], {
    env: { HUB_API_KEY: SERVICE_KEY, HUB_URL: line.url, LANG: "C.UTF-8", ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 50_000,
  })

async function produce(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const ran = start(args, env)
  ran.stdin.end()
  const [out, err, code] = await Promise.all([
    new Response(ran.stdout).text(),
    new Response(ran.stderr).text(),
    ran.exited,
  ])
  const linesOf = (text: string): readonly string[] => text.split("\n").filter((each) => each !== "")
  return { code, out: linesOf(out), err: linesOf(err) }
}

function fileWith(...lines: readonly (object | string)[]): string {
  const path = join(folder, `${crypto.randomUUID()}.jsonl`)
  writeFileSync(path, lines.map((each) => `${typeof each === "string" ? each : JSON.stringify(each)}\n`).join(""))
  return path
}

const storedOf = async (type: string): Promise<number> =>
  (await jsonOf<{ readonly data: readonly unknown[] }>(hub.call(`/v1/events?type=${type}`))).data.length

describe.skipIf(python === null)("the Python producer", () => {
  test("sends each line of a file once, however often it runs", async () => {
    const first = await produce([SHOWN])
    expect(first).toMatchObject({ code: 0, err: [] })
    expect(first.out).toHaveLength(2)
    for (const said of first.out) expect(said).toMatch(/^line \d: accepted evt_\w+$/)
    const again = await produce([SHOWN])
    expect(again.out).toEqual(first.out.map((said) => said.replace("accepted", "duplicate")))
  })

  test("makes one event of a line whose connection broke before and after the commit, with one key and the same bytes", async () => {
    const from = line.heard.length
    line.script(refuse(503, { "retry-after": "1" }), cutBefore, cutAfter)
    const began = performance.now()
    const ran = await produce([fileWith({ type: "python.cut", source: "s", payload: { a: "ع" } })])
    expect(ran.out.join()).toMatch(/^line 1: duplicate evt_\w+$/)
    expect(performance.now() - began).toBeGreaterThan(1_000)
    const heard = line.heard.slice(from)
    expect(heard).toHaveLength(4)
    expect(new Set(heard.map(({ headers, body }) => `${headers["idempotency-key"]} ${body}`)).size).toBe(1)
    expect(heard[0]?.headers["idempotency-key"]).toMatch(/^[0-9a-f]{64}$/)
    expect(await storedOf("python.cut")).toBe(1)
  })

  test("names the lines that the hub refuses, with its words, and sends the others", async () => {
    const good = { type: "python.good", source: "s" }
    const file = fileWith(good, "not json", "", { type: "", source: "s" }, "[1]", { ...good, payload: { n: 2 } })
    const ran = await produce([file])
    expect(ran.code).toBe(1)
    expect(ran.out.map((said) => said.replace(/evt_\w+/, "evt"))).toEqual([
      "line 1: accepted evt",
      "line 6: accepted evt",
    ])
    expect(ran.err).toHaveLength(3)
    expect(ran.err.join("\n")).toMatch(/^line 2: not JSON\nline 4: 422 invalid: \/type: .+\nline 5: 422 invalid: /)
    expect(await storedOf("python.good")).toBe(2)
  })

  test("sends a line of standard input when it comes, not when the input ends", async () => {
    const ran = start([])
    const reader = ran.stdout.getReader()
    for (const n of [1, 2]) {
      ran.stdin.write(`${JSON.stringify({ type: "python.stdin", source: "s", payload: { n } })}\n`)
      await ran.stdin.flush()
      const { value } = await reader.read()
      expect(new TextDecoder().decode(value)).toMatch(new RegExp(`^line ${n}: accepted`))
    }
    ran.stdin.end()
    expect(await ran.exited).toBe(0)
  })

  test("stops at once where no line will be taken, and never says its key", async () => {
    const two = fileWith({ type: "a", source: "s" }, { type: "b", source: "s" })
    const key = "some-other-key-0123456789"
    const wrongKey = await produce([two], { HUB_API_KEY: key })
    expect(wrongKey).toMatchObject({ code: 2, out: [] })
    expect(wrongKey.err.join("\n")).toMatch(/^stopped at line 1: 401 unauthenticated: .+$/)

    line.script(refuse(307, { location: "http://127.0.0.1:9/" }))
    const redirected = await produce([two])
    expect(redirected.err).toEqual(["stopped at line 1: 307, and no problem details: is HUB_URL the hub's?"])

    const strayKey = await produce([two], { HUB_API_KEY: `${key}\n` })
    expect(strayKey).toMatchObject({ code: 2, err: ["HUB_API_KEY is not set, or holds what no header can carry"] })
    for (const ran of [wrongKey, redirected, strayKey]) expect(JSON.stringify(ran)).not.toContain(key)
    expect(await produce([join(folder, "absent.jsonl")])).toMatchObject({ code: 2 })
  })

  test("gives up after its tries, and says at which line", async () => {
    const two = fileWith({ type: "a", source: "s", idempotency_key: "python-1" }, { type: "b", source: "s" })
    line.script((_heard, pass) => pass(), refuse(503), refuse(503))
    const ran = await produce([two, "--attempts", "2"])
    expect(ran.code).toBe(3)
    expect(ran.out).toHaveLength(1)
    expect(ran.err.join("\n")).toMatch(/^stopped at line 2: gave up after 2 tries: 503/)
  })
})
