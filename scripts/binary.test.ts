/** The single executable, built as it is shipped and run in a folder that has nothing of the repository. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ADMIN_KEY } from "../src/testing/front.ts"
import { hubCommand, type Ran } from "../src/testing/hub-command.ts"
import { startHubProcess } from "../src/testing/hub-process.ts"
import { emptyDatabase } from "../src/testing/postgres.ts"
import { testEnvironment } from "../src/testing/start-hub.ts"

const ROOT = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "hub-binary-"))
const binary = join(folder, "hub")
const FOLDERS = { HUB_RULES_DIR: join(ROOT, "rules"), HUB_TEMPLATES_DIR: join(ROOT, "templates") }

beforeAll(async () => {
  const build = Bun.spawn([process.execPath, "--no-env-file", join(ROOT, "scripts/binary.ts"), "--out", binary], {
    stdout: "ignore",
    stderr: "inherit",
  })
  expect(await build.exited).toBe(0)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  hubCommand(args, { env, cwd: folder, command: [binary] })

describe("the single executable", () => {
  test("tells how it is called, and checks rules", async () => {
    const { code, out } = await run(["--help"])
    expect(code).toBe(0)
    expect(out).toContain("hub serve")
    const checked = await run(["rules", "check"], FOLDERS)
    expect([checked.code, checked.err]).toEqual([0, ""])
    expect(checked.out).toMatch(/^\d+ rules, /)
  })

  test("says in its lines that the folder it runs in has no rules", async () => {
    const ran = await run(["serve"], { ...testEnvironment("postgres://127.0.0.1:9/x", folder) })
    expect(ran.code).toBe(2)
    expect(ran.err).toMatch(/^hub: \S+ the folder \S+rules cannot be read/m)
    expect(ran.err).not.toContain("    at ")
  })

  test("brings its migrations and its pages, and takes rules and templates from where it runs", async () => {
    for (const name of ["rules", "templates"]) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
    const database = await emptyDatabase()
    const hub = await startHubProcess({ databaseUrl: database.url, command: [binary], cwd: folder })
    const at = (path: string): string => `http://127.0.0.1:${hub.port}${path}`

    expect(hub.log()).toContain('"name":"0001_events.sql"')
    expect(hub.log()).toMatch(/"event":"rules_loaded","revision":"[0-9a-f]{12}"/)
    for (const page of ["/", "/test", "/outbox"]) {
      const html = await (await fetch(at(page))).text()
      const links = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, link]) => link ?? "")
      expect(links.length).toBeGreaterThan(1)
      for (const link of links) expect((await fetch(at(`/${link}`))).status).toBe(200)
    }
    const taken = await fetch(at("/v1/events"), {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ type: "stock.low", source: "inventory" }),
    })
    expect(taken.status).toBe(201)
    hub.signal("SIGTERM")
    expect(await hub.exited).toBe(0)
    await database.drop()
  })

  test("brings its watchdog, which ends it with 75 when its event loop is blocked", async () => {
    const database = await emptyDatabase()
    const file = join(folder, "block")
    const hub = await startHubProcess({
      databaseUrl: database.url,
      command: [binary],
      cwd: folder,
      settings: {
        ...FOLDERS,
        BUN_OPTIONS: `--preload=${join(ROOT, "src/testing/block-on-file.ts")}`,
        BLOCK_ON_FILE: file,
      },
    })
    writeFileSync(file, "")
    expect(await hub.exited).toBe(75)
    expect(hub.log()).toContain('"event":"event_loop_blocked"')
    await database.drop()
  }, 30_000)
})
