/** `hub events tail` as an operator runs it: a process of its own, beside a hub that is one too. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { EventGlimpse } from "../pubsub/pubsub.ts"
import { eventually } from "../testing/eventually.ts"
import { ADMIN_KEY } from "../testing/front.ts"
import { type Ran, runCommand } from "../testing/hub-command.ts"
import { type HubProcess, startHubProcess } from "../testing/hub-process.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { testEnvironment } from "../testing/start-hub.ts"
import { eventsTail } from "./events.ts"
import { token as mint } from "./token.ts"

const SLOW_MS = 40_000
const folder = mkdtempSync(join(tmpdir(), "hub-tail-"))
let database: TestDatabase
let hub: HubProcess
let env: Record<string, string>
beforeAll(async () => {
  database = await testDatabase()
  hub = await startHubProcess({ databaseUrl: database.url })
  env = { ...testEnvironment(database.url, folder), HUB_PUBLIC_URL: `http://127.0.0.1:${hub.port}` }
}, SLOW_MS)
afterAll(async () => {
  hub.signal("SIGKILL")
  await hub.exited
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

interface Tailing {
  readonly out: () => readonly string[]
  readonly err: () => string
  readonly exited: Promise<number>
  signal(name: "SIGINT"): void
}
const tails: Tailing[] = []
afterEach(async () => {
  for (const tail of tails.splice(0)) {
    tail.signal("SIGINT")
    await tail.exited
  }
})

const hears = (tail: Tailing, words: string): Promise<string> =>
  eventually(
    async () => tail.err(),
    (err) => err.includes(words),
    { withinMs: 20_000, what: words },
  )
const shows = (tail: Tailing, n: number): Promise<readonly string[]> =>
  eventually(
    async () => tail.out(),
    (lines) => lines.length >= n,
    { withinMs: 10_000, what: `${n} lines` },
  )

/** Follows, and is connected when this resolves. */
async function follow(...args: readonly string[]): Promise<Tailing> {
  const child = Bun.spawn([process.execPath, "--no-env-file", "src/main.ts", "events", "tail", ...args], {
    cwd: join(import.meta.dir, "../.."),
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const heard = { out: "", err: "" }
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, into: "out" | "err"): Promise<void> => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) heard[into] += chunk
  }
  void read(child.stdout, "out")
  void read(child.stderr, "err")
  const tail: Tailing = {
    out: () => heard.out.split("\n").slice(0, -1),
    err: () => heard.err,
    exited: child.exited,
    signal: (name) => child.kill(name),
  }
  tails.push(tail)
  await hears(tail, "Following the events")
  return tail
}

let sent = 0
async function publish(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const response = await fetch(`${env["HUB_PUBLIC_URL"]}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({
      type: "stock.low",
      source: "tail",
      business_id: "b1",
      idempotency_key: `tail-${++sent}`,
      payload: { secret: "payload" },
      ...more,
    }),
  })
  expect(response.status).toBe(201)
  const { id }: { id: string } = JSON.parse(await response.text())
  return id
}
const idOf = (line: string): string => (JSON.parse(line) as EventGlimpse).id // a line of --json

describe("hub events tail", () => {
  test(
    "shows events as they are accepted, in a line each and without what they say, and Ctrl-C ends it well",
    async () => {
      await publish()
      const tail = await follow()
      const id = await publish({ severity: "high", location_id: "l1" })
      const [line] = await shows(tail, 1)
      expect(line).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3}  ${id}  high      stock.low  tail  b1/l1$`))
      expect(tail.out()).toHaveLength(1)
      tail.signal("SIGINT")
      expect(await tail.exited).toBe(0)
    },
    SLOW_MS,
  )

  test(
    "shows no command to the terminal that a producer hid in a name",
    async () => {
      const tail = await follow()
      await publish({ type: "a\u001b[2Jb\nc", source: "\u009b2Js" })
      const [line] = await shows(tail, 1)
      expect(line).toMatch(/ {2}a \[2Jb c {2}2Js {2}b1$/)
      expect(tail.out()).toHaveLength(1)
    },
    SLOW_MS,
  )

  test(
    "shows those of a type, a source and a business alone, as JSON",
    async () => {
      const [typed, sourced, owned] = await Promise.all([
        follow("--json", "--type", "invoice.*"),
        follow("--json", "--source", "erp"),
        follow("--json", "--business", "b2"),
      ])
      const invoice = await publish({ type: "invoice.paid" })
      const erp = await publish({ source: "erp" })
      const b2 = await publish({ business_id: "b2" })
      const all = await publish({ type: "invoice.paid", source: "erp", business_id: "b2" })
      const shown = await Promise.all([typed, sourced, owned].map((tail) => shows(tail, 2)))
      expect(shown.map((lines) => lines.map(idOf))).toEqual([
        [invoice, all],
        [erp, all],
        [b2, all],
      ])
      expect(JSON.parse(shown[2]?.[0] ?? "")).toEqual({
        id: b2,
        type: "stock.low",
        source: "tail",
        severity: "info",
        business_id: "b2",
        location_id: null,
        accepted_at: expect.any(String),
      })
    },
    SLOW_MS,
  )

  test(
    "connects again by itself after the hub was killed, shows what it missed, and says so",
    async () => {
      const tail = await follow("--json")
      const before = await publish()
      await shows(tail, 1)
      const { port } = hub
      hub.signal("SIGKILL")
      await hub.exited
      await hears(tail, "The connection was lost")
      // Another node takes events while this one is away: the tail hears of none of them.
      const other = await startHubProcess({ databaseUrl: database.url })
      const url = env["HUB_PUBLIC_URL"]
      env["HUB_PUBLIC_URL"] = `http://127.0.0.1:${other.port}`
      const missed = [await publish(), await publish()]
      env["HUB_PUBLIC_URL"] = url ?? ""
      other.signal("SIGKILL")
      await other.exited
      hub = await startHubProcess({ databaseUrl: database.url, port })
      await hears(tail, "Connected again. 2 events came meanwhile.")
      const after = await publish()
      expect((await shows(tail, 4)).map(idOf)).toEqual([before, ...missed, after])
    },
    SLOW_MS,
  )

  test(
    "ends well when nobody reads on, and takes a token that it is given",
    async () => {
      const { out: token } = await runCommand(mint, ["--sub", "a", "--roles", "admin", "--business", "*"], env)
      const tail = await follow("--token", token)
      const id = await publish()
      expect((await shows(tail, 1))[0]).toContain(id)
      const child = Bun.spawn(
        ["sh", "-c", `"${process.execPath}" --no-env-file src/main.ts events tail 2>"${folder}/err" | head -n 1`],
        { cwd: join(import.meta.dir, "../.."), env: { PATH: process.env["PATH"] ?? "", ...env }, stdout: "pipe" },
      )
      const said = (): Promise<string> =>
        Bun.file(join(folder, "err"))
          .text()
          .catch(() => "")
      await eventually(said, (err) => err.includes("Following"), { withinMs: 20_000, what: "the tail in the pipe" })
      const first = await publish()
      expect(
        await eventually(
          async () => {
            await publish()
            return child.exitCode
          },
          (code) => code !== null,
          { withinMs: 20_000, what: "its end", everyMs: 300 },
        ),
      ).toBe(0)
      expect(await new Response(child.stdout).text()).toContain(first)
      expect(await said()).not.toContain("EPIPE")
    },
    SLOW_MS,
  )

  test("is misuse where nothing could come of it, in one line", async () => {
    const run = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> =>
      runCommand(eventsTail, args, { ...env, ...more })
    const clerk = await runCommand(mint, ["--sub", "c", "--roles", "clerk", "--business", "b1"], env)
    const other = "another-secret-that-the-hub-does-not-know"
    const cases: readonly (readonly [Promise<Ran>, string])[] = [
      [run(["--type", "invoice.o*"]), "--type: "],
      [run(["--business", "b 1"]), "--business: "],
      [run(["x"]), "unexpected argument: x"],
      [run(["--url", "http://127.0.0.1:9"]), "no hub answers at http://127.0.0.1:9: "],
      [run([], { JWT_SECRET: other }), "does not let us in: it answers 401"],
      [run(["--token", clerk.out]), "does not let us in: unauthorized"],
    ]
    for (const [ran, says] of cases) {
      const { code, out, err } = await ran
      expect([code, out]).toEqual([2, ""])
      expect(err).toContain(says)
      expect(err.split("\n")).toHaveLength(1)
    }
  })
})
