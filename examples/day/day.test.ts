/** The whole day, played by the example's own player through a real hub, against totals that share no code with it. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { join } from "node:path"
import { ADMIN_KEY } from "../../src/testing/front.ts"
import { startTestHub, type TestHub } from "../../src/testing/start-hub.ts"

let hub: TestHub
beforeAll(async () => {
  hub = await startTestHub()
})
afterAll(() => hub.remove())

/** Runs a script of this folder; its words on failure. */
async function run(script: string, ...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, script), ...args], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, out: `${out}${err}` }
}

test("the committed day is what its generator makes, and the committed totals are what the count finds", async () => {
  for (const script of ["make.ts", "expect.mjs"]) expect(await run(script, "--check")).toMatchObject({ code: 0 })
})

test("the played day gives exactly the totals of the independent count, and nothing is unexplained", async () => {
  const { code, out } = await run(
    "play.ts",
    "--url",
    `http://127.0.0.1:${hub.port}`,
    "--key",
    ADMIN_KEY,
    "--speed",
    "max",
  )
  expect(out).toContain("unexplained: none")
  expect(out).toContain("differences from expect.mjs: none")
  expect(code).toBe(0)
}, 120_000)
