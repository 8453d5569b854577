import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseEnv } from "node:util"
import { loadConfig } from "../config.ts"
import { runCommand } from "../testing/hub-command.ts"
import { init } from "./init.ts"

const folder = mkdtempSync(join(tmpdir(), "hub-init-"))
const path = join(folder, ".env")
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => rmSync(path, { force: true }))

/** The settings of a file, as compose.yaml and Bun read it. */
function valuesOf(file: string): Readonly<Record<string, string | undefined>> {
  return parseEnv(readFileSync(file, "utf8"))
}

describe("hub init", () => {
  test("writes a file for its owner alone that production takes, once the database is named", async () => {
    const { code, out } = await runCommand(init, ["--out", path], {})
    expect(code).toBe(0)
    expect(out).toContain("docker compose up")
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const values = valuesOf(path)
    expect(values["POSTGRES_PASSWORD"]).toMatch(/^[A-Za-z0-9_-]{24}$/)
    const { errors, ok } = loadConfig({ ...values, DATABASE_URL: "postgres://hub:x@db/hub" }, false)
    expect(errors).toBeUndefined()
    expect(ok?.production).toBe(true)
    expect(ok?.apiKeys.map((key) => key.scope)).toEqual(["service", "admin"])
    expect(ok?.vapid).not.toBeNull()
  })

  test("never shows a secret, nor makes one twice", async () => {
    const { out, err } = await runCommand(init, ["--out", path], {})
    const first = valuesOf(path)
    const again = await runCommand(init, ["--out", path, "--force", "--json"], {})
    const second = valuesOf(path)
    for (const name of [
      "HUB_API_KEYS",
      "JWT_SECRET",
      "HUB_ENCRYPTION_KEYS",
      "VAPID_PRIVATE_KEY",
      "POSTGRES_PASSWORD",
    ]) {
      expect(first[name]).not.toBe(second[name])
      expect(out + err + again.out).not.toContain(first[name] ?? "?")
      expect(again.out).not.toContain(second[name] ?? "?")
    }
    expect(JSON.parse(again.out)).toEqual({ path, generated: expect.arrayContaining(["JWT_SECRET"]) })
  })

  test("leaves a file that is there as it is, unless it is told to replace it, which makes it private too", async () => {
    writeFileSync(path, "mine\n", { mode: 0o644 })
    const refused = await runCommand(init, ["--out", path], {})
    expect(refused.code).toBe(2)
    expect(refused.err).toContain("exists already")
    expect(readFileSync(path, "utf8")).toBe("mine\n")
    expect((await runCommand(init, ["--out", path, "--force"], {})).code).toBe(0)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test("says in one line that a folder is not there", async () => {
    const { code, err } = await runCommand(init, ["--out", join(folder, "no/where/.env")], {})
    expect(code).toBe(2)
    expect(err).toMatch(/^hub: .*cannot be written: .*$/)
  })
})
