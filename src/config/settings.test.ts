import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { type Config, type Environment, explainConfigError, loadConfig, settingsTable } from "../config.ts"
import { environmentFile } from "./env-file.ts"

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

describe("the table of settings", () => {
  test(".env.example is what scripts/env-example.ts prints", async () => {
    expect(await Bun.file(join(import.meta.dir, "..", "..", ".env.example")).text()).toBe(environmentFile())
  })

  test("every name stands once", () => {
    const names = settingsTable().flatMap(({ name, aliases }) => [name, ...aliases])
    expect(names.length).toBe(new Set(names).size)
  })

  test("the lines of .env.example, uncommented, are a configuration that loads as the defaults do", () => {
    const env: Record<string, string> = {}
    for (const [, name = "", value = ""] of environmentFile().matchAll(/^# ([A-Z_]+)=(.*)$/gm)) env[name] = value
    expect(Object.keys(env).length).toBe(settingsTable().length)
    const { HUB_PUBLIC_URL, HUB_DATA_DIR, ...rest } = env
    expect([HUB_PUBLIC_URL, HUB_DATA_DIR]).toEqual(["http://localhost:$PORT", ".data"])
    expect(inspect(good(rest), { depth: 9 })).toBe(inspect(good(), { depth: 9 }))
  })
})
