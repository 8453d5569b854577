/** The client as it is published: packed, installed without a network, and used as a producer would, in Node and Bun. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildClient, type ClientSize } from "../../scripts/client.ts"
import { SERVICE_KEY } from "../testing/front.ts"
import { cutBefore, refuse, silent, startInFront } from "../testing/in-front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

setDefaultTimeout(60_000)

const ROOT = join(import.meta.dir, "../..")
const folder = mkdtempSync(join(tmpdir(), "hub-client-"))
const project = join(folder, "project")
const README = readFileSync(join(import.meta.dir, "README.md"), "utf8")

let size: ClientSize
let server: TestHub
beforeAll(async () => {
  server = await startTestHub()
  size = await buildClient(join(folder, "built"))
  const packed = await run(["npm", "pack", join(folder, "built"), "--pack-destination", folder], folder)
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "producer", private: true, type: "module" }))
  const tarball = join(folder, packed.trim().split("\n").at(-1) ?? "")
  await run(["npm", "install", "--offline", "--no-audit", "--no-fund", tarball], project)
}, 120_000)
afterAll(async () => {
  await server.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** What it printed. Throws with its words where it fails. */
async function run(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = { PATH: process.env["PATH"] ?? "", HOME: folder }
  const ran = Bun.spawn([...command], {
    cwd,
    env: { ...path, ...env },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  })
  const [out, err, code] = await Promise.all([
    new Response(ran.stdout).text(),
    new Response(ran.stderr).text(),
    ran.exited,
  ])
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${out}${err}`)
  return out
}

const PRODUCER = `
import { Hub, HubProblem, HubError } from "hubbub/client"
const hub = new Hub({ apiKey: process.env.KEY, baseUrl: process.env.URL })
const said = []
const failure = (call) => call.catch((error) => error)
said.push((await failure(hub.events.stats())).kind)
said.push((await failure(hub.events.publish({ type: "a", source: "b" }, { timeoutMs: 1_500 }))).kind)
const event = { type: "packed.event", source: process.env.SOURCE, payload: { n: 1 } }
said.push((await hub.events.publish(event, { idempotencyKey: "k" })).status)
said.push((await hub.events.publish(event, { idempotencyKey: "k" })).status)
said.push(...(await hub.events.publishBatch([event, { type: "", source: "s" }])).map(({ status }) => status))
const refused = await failure(hub.events.get("evt_none"))
said.push(refused instanceof HubProblem && refused instanceof HubError && refused.code)
const stop = AbortSignal.abort()
said.push((await failure(hub.events.publish(event, { signal: stop }))).name)
let listed = 0
for await (const _ of hub.events.list({ source: process.env.SOURCE, limit: 1 })) listed += 1
said.push(listed)
console.log(JSON.stringify(said))
`
const SAID = [
  "unexpected_answer",
  "timeout",
  "accepted",
  "duplicate",
  "accepted",
  "invalid",
  "not_found",
  "AbortError",
  2,
]

describe("the published client", () => {
  test("is one small script with its types: no dependency, nothing of the hub", () => {
    const installed = join(project, "node_modules")
    expect(readdirSync(installed).filter((name) => !name.startsWith("."))).toEqual(["hubbub"])
    const manifest = JSON.parse(readFileSync(join(installed, "hubbub/package.json"), "utf8"))
    expect(manifest).toMatchObject({ name: "hubbub", type: "module", exports: { "./client": {} } })
    for (const field of ["dependencies", "optionalDependencies", "peerDependencies", "scripts", "bin"])
      expect(manifest).not.toHaveProperty(field)
    const files = readdirSync(join(installed, "hubbub"), { recursive: true, encoding: "utf8" })
    const others = files.filter(
      (file) => !/^(client|package\.json|README\.md|LICENSE)$|^client[/\\][\w-]+\.d\.ts$/.test(file),
    )
    expect(others).toEqual([join("client", "hub.js")])
    expect(readFileSync(join(installed, "hubbub/client/hub.js"), "utf8")).not.toMatch(
      /\bimport\b|\brequire\(|node:|Bun\./,
    )
    console.log(`client: ${size.published} bytes; ${size.minified} minified, ${size.compressed} of them compressed`)
    expect(size.compressed).toBeLessThan(6_000)
  })

  test.each([
    ["Node", ["node"]],
    ["Bun", [process.execPath, "--no-env-file"]],
  ])("publishes, reads and refuses under %s, over a line that fails", async (name, command) => {
    const line = await startInFront(`http://127.0.0.1:${server.port}`)
    line.script(refuse(307, { location: "/elsewhere" }), silent, refuse(503, { "retry-after": "0" }), cutBefore)
    writeFileSync(join(project, "producer.js"), PRODUCER)
    const env = { KEY: SERVICE_KEY, URL: line.url, SOURCE: name }
    expect(JSON.parse(await run([...command, "producer.js"], project, env))).toEqual(SAID)
    const bodies = line.heard.slice(2, 6).map(({ body }) => body) // two failures, the event, the same event again
    expect(new Set(bodies).size).toBe(1)
    expect(line.heard.filter(({ path }) => path === "/elsewhere")).toEqual([])
    await line.stop()
  })

  const CONSUMER = `
import { type AcceptedEvent, Hub, HubError, type StoredEvent } from "hubbub/client"
export const hub = new Hub({ apiKey: "k", baseUrl: "http://localhost:4000", fetch, timeoutMs: 1_000 })
interface Invoice { readonly number: string; readonly lines: readonly { readonly sku: string }[] }
export async function tell(payload: Invoice, signal: AbortSignal): Promise<string> {
  const { id, status }: AcceptedEvent = await hub.events.publish(
    { type: "invoice.overdue", source: "invoicing", severity: "high", occurred_at: new Date(), payload },
    { idempotencyKey: payload.number, signal },
  )
  const results = await hub.events.publishBatch([{ type: "a", source: "s" }])
  for (const result of results) if (result.status === "invalid") console.log(result.errors[0]?.pointer)
  for await (const event of hub.events.list({ limit: 10 })) console.log((event satisfies StoredEvent).payload["n"])
  return status === "duplicate" ? id : (await hub.recipients.upsert("u", { roles: ["a"] })).id
}
export function kindOf(error: HubError): "problem" | "unreachable" | "timeout" | "aborted" | "unexpected_answer" {
  return error.kind
}
// @ts-expect-error no such severity
void hub.events.publish({ type: "a", source: "s", severity: "grave" })
// @ts-expect-error a source is missing
void hub.events.publish({ type: "a" })
// @ts-expect-error no such field
void hub.events.publish({ type: "a", source: "s", sevrity: "low" })
// @ts-expect-error a key or a token
new Hub({ apiKey: "k", token: "t", baseUrl: "http://localhost" })
// @ts-expect-error one of them
new Hub({ baseUrl: "http://localhost" })
// @ts-expect-error no such change
void hub.resources.notify({ type: "resource_renamed", resourceType: "r", businessId: "b", resourceId: 1 })
`
  const blocks = [...README.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code.replace(/^import .*$/gm, ""))
  const SHOWN = `
import { type Event, follow, Hub, HubError, HubProblem, spread } from "hubbub/client"
declare const token: string
declare const screen: { show(event: string, payload: object, offset: number | null): void; load(why: "first" | "missed"): void }
declare class Socket {
  constructor(url: string, options: { authToken: string; reconnectAfterMs(tries: number): number })
  connect(): void
  channel(topic: string, params?: object): Channel
}
interface Channel {
  join(timeout?: number): Push
  leave(timeout?: number): Push
  onMessage(event: string, payload: object, ref: string): object
}
interface Push {
  receive(status: "ok" | "error" | "timeout", callback: (response: object) => object): this
}
declare const process: { readonly env: { readonly HUB_API_KEY?: string } }
declare const events: Event[]
${blocks.join("\n")}`

  test.each([
    [
      "Node's resolution and the browser's types",
      { module: "nodenext", lib: ["ES2022", "DOM"], types: [], skipLibCheck: false },
    ],
    [
      "a bundler's resolution and Node's types",
      { module: "esnext", moduleResolution: "bundler", lib: ["ES2022"], types: ["node"] },
    ],
  ])("has types that hold under %s, and that refuse what the hub would", async (_name, options) => {
    const compilerOptions = {
      target: "es2022",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: true,
    }
    const typeRoots = [join(ROOT, "node_modules/@types")]
    const config = {
      compilerOptions: { ...compilerOptions, typeRoots, ...options },
      files: ["consumer.ts", "shown.ts"],
    }
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config))
    writeFileSync(join(project, "consumer.ts"), CONSUMER)
    // The README's process is only declared where Node's types are not there.
    writeFileSync(
      join(project, "shown.ts"),
      SHOWN.replace(options.types.length > 0 ? /^declare const process.*$/m : /^$/, ""),
    )
    await run([process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project], project)
  })
})

test("the repository's own package exports the same client", async () => {
  const { exports, files, scripts } = await Bun.file(join(ROOT, "package.json")).json()
  expect(exports["./client"]).toEqual({
    types: "./dist/client/client/hub.d.ts",
    default: "./dist/client/client/hub.js",
  })
  expect(files).toContain("dist/client")
  expect(scripts.prepack).toBe(scripts.client)
  expect(readdirSync(join(folder, "built/client"))).toContain("hub.js")
})
