/** What the command line answers before any command does: usage, misuse and their exit codes. */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hubCommand } from "../testing/hub-command.ts"

const dataDir = mkdtempSync(join(tmpdir(), "hub-usage-"))
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

const NAMES = [
  "serve",
  "init",
  "migrate",
  "keys create",
  "keys list",
  "keys revoke",
  "token",
  "send",
  "events tail",
  "events export",
  "dlq list",
  "dlq replay",
  "sockets kick",
  "rules check",
  "rules backtest",
  "rules test",
  "rules explain",
  "rules schema",
  "doctor",
] as const

describe("hub", () => {
  test.each([["--help"], ["help"]])("%s shows every command", async (word) => {
    const { code, out, err } = await hubCommand([word])
    expect([code, err]).toEqual([0, ""])
    for (const name of NAMES) expect(out).toContain(`hub ${name}`)
  })

  test("the help fits a terminal of 80 columns, that of each command too", async () => {
    const asked = [["--help"], ...NAMES.map((name) => ["help", ...name.split(" ")])]
    for (const { out } of await Promise.all(asked.map((args) => hubCommand(args))))
      expect(out.split("\n").filter((line) => line.length > 80)).toEqual([])
  })

  test.each([[["keys", "--help"]], [["help", "keys"]], [["keys", "-h"]]])(
    "%j shows the commands of that noun and no others",
    async (args) => {
      const { code, out, err } = await hubCommand(args)
      expect([code, err]).toEqual([0, ""])
      expect(out.match(/hub [a-z]+ [a-z]+(?= )/g)).toEqual(["hub keys create", "hub keys list", "hub keys revoke"])
    },
  )

  test("an option that is nearly right is answered by the right one, another by all that there are", async () => {
    expect((await hubCommand(["events", "tail", "--tpye", "x"])).err).toBe(
      "hub: unknown option --tpye: did you mean --type?",
    )
    expect((await hubCommand(["init", "-x"])).err).toBe("hub: unknown option -x: expected --out, --force, --json")
  })

  test.each([[[]], [["dance"]], [["keys"]], [["keys", "dance"]], [["--json"]]])(
    "%j is no command: usage on standard error, exit code 2",
    async (args) => {
      const { code, out, err } = await hubCommand(args)
      expect([code, out]).toEqual([2, ""])
      expect(err).toContain("usage:")
      if (args.length > 0) expect(err).toStartWith(`hub: there is no command ${args.join(" ")}`)
    },
  )

  test.each(NAMES.map((name) => [name]))("%s --help tells how it is called and does nothing", async (name) => {
    const { code, out, err } = await hubCommand([...name.split(" "), "--help"])
    expect([code, err]).toEqual([0, ""])
    expect(out).toStartWith(`usage: hub ${name} `)
    expect(out).toContain("--json")
  })

  test.each(NAMES.map((name) => [name]))("%s refuses a flag that it does not know in one line", async (name) => {
    const { code, out, err } = await hubCommand([...name.split(" "), "--colour"])
    expect([code, out]).toEqual([2, ""])
    expect(err).toMatch(/^hub: .*--colour.*$/)
  })

  test("settings that are wrong are all told at once, by every command that reads them", async () => {
    const env = { PORT: "eighty", DATABASE_URL: "mysql://x", HUB_RETENTION: "events=long" }
    const { code, out, err } = await hubCommand(["keys", "list"], { env: { ...env, HUB_DATA_DIR: dataDir } })
    expect([code, out]).toEqual([2, ""])
    const lines = err.split("\n")
    expect(lines).toHaveLength(3)
    for (const name of Object.keys(env))
      expect(lines.some((line) => line.startsWith(`hub: ${name}: expected`))).toBe(true)
  })

  test("a database that nobody serves is one line", async () => {
    const env = {
      NODE_ENV: "test",
      HUB_DATA_DIR: dataDir,
      DATABASE_URL: "postgres://u:p4ssw0rd@127.0.0.1:9/x",
    }
    const { code, err } = await hubCommand(["migrate"], { env })
    expect(code).toBe(2)
    expect(err).toMatch(/^hub: the database cannot be used: .*$/)
    expect(err).not.toContain("p4ssw0rd")
  })
})
