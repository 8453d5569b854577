import { expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

test("the README names every file of the room once it exists, and none that is gone", async () => {
  const readme = await Bun.file(new URL("README.md", import.meta.url)).text()
  const named = [...readme.matchAll(/`([a-z-]+\.ts)`/g)].map(([, name]) => name)
  const files = readdirSync(import.meta.dir).filter((name) => name.endsWith(".ts"))
  expect(files.filter((name) => !name.endsWith(".test.ts") && !named.includes(name))).toEqual([])
  expect(named.filter((name) => name !== undefined && !files.includes(name))).toEqual([])
})

test("the example in the README runs and counts to two", async () => {
  const readme = await Bun.file(new URL("README.md", import.meta.url)).text()
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ""
  const folder = await mkdtemp(join(tmpdir(), "runtime-readme-"))
  try {
    const file = join(folder, "example.ts")
    await Bun.write(file, example.replaceAll('"./', `"${new URL(".", import.meta.url).href}`))
    const { total } = await import(pathToFileURL(file).href)
    expect(total).toBe(2)
  } finally {
    await rm(folder, { recursive: true })
  }
})
