import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Config, type Environment, explainConfigError, freshSecrets, loadConfig } from "../config.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hub config "))
})
afterEach(() => rmSync(folder, { recursive: true }))

const load = (env: Environment = {}) => loadConfig({ HUB_DATA_DIR: folder, ...env }, false)

function good(env: Environment = {}): Config {
  const loaded = load(env)
  if (loaded.errors) throw new Error(loaded.errors.map(explainConfigError).join("\n"))
  return loaded.ok
}

describe("what development makes up", () => {
  const credentials = ({ apiKeys, jwt, encryptionKeys, vapid }: Config) => ({
    apiKeys: apiKeys.map(({ key }) => key.reveal()),
    jwt: jwt.secret?.reveal() ?? null,
    encryption: encryptionKeys.map(({ key }) => key.reveal()),
    vapid: vapid === null ? null : [vapid.publicKey, vapid.privateKey.reveal()],
  })

  test("is the same at the next start, and readable by its owner alone", () => {
    const first = credentials(good())
    expect(statSync(join(folder, "secrets.json")).mode & 0o777).toBe(0o600)
    expect(credentials(good())).toEqual(first)
    expect(readdirSync(folder)).toEqual(["secrets.json"])
  })

  test("yields to what is set, and comes back as it was", () => {
    const first = credentials(good())
    expect(credentials(good({ JWT_SECRET: "s".repeat(40) }))).toEqual({ ...first, jwt: "s".repeat(40) })
    expect(credentials(good())).toEqual(first)
  })

  test("is completed, not replaced, when a part is missing", () => {
    const first = credentials(good())
    const path = join(folder, "secrets.json")
    const { JWT_SECRET, ...rest }: Record<string, string> = JSON.parse(readFileSync(path, "utf8"))
    writeFileSync(path, JSON.stringify(rest))
    const second = credentials(good())
    expect({ ...second, jwt: JWT_SECRET ?? null }).toEqual(first)
    expect(second.jwt).not.toBe(first.jwt)
  })

  test("is agreed on by processes that start at once", async () => {
    const gate = mkdtempSync(join(tmpdir(), "hub gate "))
    // Each process is ready and spins until the last one is: only then do their first starts really overlap.
    const many = 6
    const code = `import { loadConfig } from ${JSON.stringify(join(import.meta.dir, "..", "config.ts"))}
      import { readdirSync, writeFileSync } from "node:fs"
      const gate = ${JSON.stringify(gate)}
      writeFileSync(gate + "/" + process.pid, "")
      const until = performance.now() + 5_000
      while (readdirSync(gate).length < ${many} && performance.now() < until) {}
      console.log(loadConfig().ok?.jwt.secret?.reveal())`
    const env = { ...process.env, HUB_DATA_DIR: folder, NODE_ENV: "development" }
    const starts = Array.from({ length: many }, () =>
      Bun.spawn([process.execPath, "-e", code], { env, stdout: "pipe" }),
    )
    const seen = await Promise.all(starts.map((child) => child.stdout.text()))
    rmSync(gate, { recursive: true })
    expect(seen[0]?.length).toBeGreaterThan(32)
    expect(new Set(seen).size).toBe(1)
    expect(readdirSync(folder)).toEqual(["secrets.json"])
  })

  test("is never overwritten when its file is damaged: that is told, without quoting it", () => {
    const path = join(folder, "secrets.json")
    writeFileSync(path, '{"JWT_SECRET":"canary')
    const [error] = load().errors ?? []
    expect(error?.name).toBe("HUB_DATA_DIR")
    expect(explainConfigError(error ?? { name: "", expected: "", got: "" })).not.toContain("canary")
    expect(readFileSync(path, "utf8")).toBe('{"JWT_SECRET":"canary')
  })

  test("needs a folder that can be written", () => {
    const path = join(folder, "file")
    writeFileSync(path, "")
    expect(load({ HUB_DATA_DIR: join(path, "below") }).errors?.map(({ name }) => name)).toEqual(["HUB_DATA_DIR"])
  })

  test("is a valid pair and a valid set, each time anew", () => {
    const [one, other] = [freshSecrets(), freshSecrets()]
    for (const [name, value] of Object.entries(one)) expect(Object.values(other)).not.toContain(value || name)
    expect(good({ ...one }).generated).toEqual([])
  })
})
