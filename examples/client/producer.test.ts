/** The example as a reader would run it: the built client beside it, under Node, against a real hub. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildClient } from "../../scripts/client.ts"
import { eventually } from "../../src/testing/eventually.ts"
import { jsonOf, SERVICE_KEY } from "../../src/testing/front.ts"
import { cutAfter, startInFront } from "../../src/testing/in-front.ts"
import { startTestHub, type TestHub } from "../../src/testing/start-hub.ts"

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), "hub-producer-"))
let hub: TestHub
beforeAll(async () => {
  hub = await startTestHub()
  await buildClient(join(folder, "node_modules/hubbub"))
  cpSync(join(import.meta.dir, "producer.mjs"), join(folder, "producer.mjs"))
}, 120_000)
afterAll(async () => {
  await hub.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function produce(url: string, key = SERVICE_KEY): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env["PATH"] ?? "", HUB_API_KEY: key, HUB_URL: url }
  const ran = Bun.spawn(["node", "producer.mjs"], { cwd: folder, env, stdout: "pipe", stderr: "pipe", timeout: 50_000 })
  const [out, err, code] = await Promise.all([
    new Response(ran.stdout).text(),
    new Response(ran.stderr).text(),
    ran.exited,
  ])
  return { code, out, err }
}

test("the producer tells each fact once, however often it runs and wherever the line breaks", async () => {
  const line = await startInFront(`http://127.0.0.1:${hub.port}`)
  line.script((_heard, pass) => pass(), cutAfter) // the recipient; the batch
  const first = await produce(line.url)
  expect(first).toMatchObject({ code: 0, err: "" })
  expect(first.out).toMatch(/^INV-1042: duplicate evt_\w+\nINV-1057: duplicate evt_\w+\n$/)
  expect(await produce(line.url)).toEqual(first)
  await line.stop()

  interface Page {
    readonly data: readonly { readonly title: string }[]
  }
  const inbox = await eventually(
    () => jsonOf<Page>(hub.call("/v1/notifications?recipient_id=noor")),
    ({ data }) => data.length >= 2,
    { withinMs: 10_000, what: "Noor is told of both" },
  )
  expect(inbox.data.map(({ title }) => title).join()).toContain("INV-1042")
  expect(inbox.data.map(({ title }) => title).join()).toContain("INV-1057")
})

test("the producer says in one line why it could not, and never its key", async () => {
  const key = "some-other-key-0123456789"
  const ran = await produce(`http://127.0.0.1:${hub.port}`, key)
  expect(ran.code).toBe(1)
  expect(ran.err).toMatch(/^not told: 401 unauthenticated: .+\n$/)
  expect(ran.out + ran.err).not.toContain(key)
})
