/** The commands that an operator runs beside a hub: keys, tokens, events. What they make is tried on the hub. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "../testing/eventually.ts"
import { jsonOf, SERVICE_KEY } from "../testing/front.ts"
import { hubCommand, type Ran, runCommand } from "../testing/hub-command.ts"
import { startTestHub, type TestHub, testEnvironment } from "../testing/start-hub.ts"
import type { Command } from "./command.ts"
import { keysCreate, keysList, keysRevoke } from "./keys.ts"
import { send } from "./send.ts"
import { token } from "./token.ts"

let hub: TestHub
let env: Record<string, string>
const folder = mkdtempSync(join(tmpdir(), "hub-beside-"))
beforeAll(async () => {
  hub = await startTestHub()
  env = { ...testEnvironment(hub.databaseUrl, folder), HUB_PUBLIC_URL: `http://127.0.0.1:${hub.port}` }
})
afterAll(async () => {
  await hub.remove()
  rmSync(folder, { recursive: true, force: true })
})

const run = (command: Command, ...args: readonly string[]): Promise<Ran> => runCommand(command, args, env)

interface MadeKey {
  readonly id: string
  readonly key: string
}
const makeKey = async (...args: readonly string[]): Promise<MadeKey> =>
  JSON.parse((await run(keysCreate, "--json", "--name", "shop", ...args)).out)

let events = 0
/** An event that the hub has not seen, of a business. */
const event = (business = "b1") => ({
  type: "stock.low",
  source: "inventory",
  idempotency_key: `cli-${++events}`,
  business_id: business,
})
const statusOf = async (key: string, business?: string): Promise<number> =>
  (await hub.call("/v1/events", { key, json: event(business) })).status

describe("hub keys", () => {
  test("create makes a key that works at once, and shows it alone on standard output", async () => {
    const { code, out, err } = await run(keysCreate, "--name", "shop")
    expect(code).toBe(0)
    expect(out).toMatch(/^hub_\S{24,}$/)
    expect(err).toContain("not shown again")
    expect(await statusOf(out)).toBe(201)
    expect((await hub.call("/admin/dlq", { key: out })).status).toBe(403)
  })

  test("a key of scope admin reads what operators read, and one of a business writes in that business alone", async () => {
    const admin = await makeKey("--scope", "admin")
    expect((await hub.call("/admin/dlq", { key: admin.key })).status).toBe(200)
    const confined = await makeKey("--business", "b1")
    expect(await statusOf(confined.key, "b1")).toBe(201)
    expect(await statusOf(confined.key, "b2")).toBeGreaterThanOrEqual(400)
  })

  test("list shows every key and its state, never the key itself", async () => {
    const made = await makeKey("--business", "b7")
    const { code, out } = await run(keysList)
    expect(code).toBe(0)
    const line = out.split("\n").find((each) => each.startsWith(made.id))
    expect(line).toMatch(/live\s+service\s+b7\s+shop$/)
    expect(out).not.toContain(made.key)
    const listed = await run(keysList, "--json")
    expect(listed.out).not.toContain(made.key)
    expect(JSON.parse(listed.out).data).toContainEqual(expect.objectContaining({ id: made.id, business: "b7" }))
  })

  test("revoke stops a key within seconds, and finds nothing the second time", async () => {
    const { id, key } = await makeKey()
    expect(await statusOf(key)).toBe(201)
    expect(await run(keysRevoke, id)).toEqual({ code: 0, out: `Key ${id} is revoked.`, err: "" })
    await eventually(
      () => statusOf(key),
      (status) => status === 401,
      { withinMs: 5_000, what: "the status for a revoked key" },
    )
    expect(await run(keysRevoke, id, "--json")).toEqual({
      code: 1,
      out: JSON.stringify({ id, revoked: false }),
      err: "",
    })
    expect((await run(keysList)).out).toMatch(new RegExp(`^${id}\\s+revoked`, "m"))
  })

  test.each([
    [keysCreate, [], "--name"],
    [keysCreate, ["--name", " "], "--name"],
    [keysCreate, ["--name", "x", "--scope", "root"], "--scope"],
    [keysCreate, ["--name", "x", "--business", "b 1"], "--business"],
    [keysRevoke, [], "which key"],
    [keysRevoke, ["a", "b"], "unexpected argument: b"],
  ] as const)("%o %j is misuse, in one line", async (command, args, says) => {
    const { code, out, err } = await run(command, ...args)
    expect([code, out]).toEqual([2, ""])
    expect(err).toContain(says)
    expect(err.split("\n")).toHaveLength(1)
  })
})

describe("hub token", () => {
  const see = (key: string, path: string): Promise<Response> => hub.call(path, { key })

  test("signs a token that the hub takes for the person", async () => {
    const { code, out, err } = await run(token, "--sub", "omar@example.com", "--business", "b1")
    expect([code, err]).toEqual([0, ""])
    expect((await see(out, "/v1/notifications")).status).toBe(200)
    expect((await see(out, "/admin/dlq")).status).toBe(403)
  })

  test("with the role admin of every business, it opens what operators see; with the role service it may publish", async () => {
    const admin = await run(token, "--sub", "a", "--roles", "admin", "--business", "*", "--json")
    expect((await see(JSON.parse(admin.out).token, "/admin/dlq")).status).toBe(200)
    const service = await run(token, "--sub", "s", "--roles", "clerk,service", "--business", "b1")
    expect(await statusOf(service.out)).toBe(201)
    const clerk = await run(token, "--sub", "s", "--roles", "clerk", "--business", "b1")
    expect(await statusOf(clerk.out)).toBe(403)
  })

  test("names businesses and their locations as claims", async () => {
    const { out } = await run(token, "--sub", "x", "--roles", "r1,r2", "--business", "b1:l1+l2,b2", "--ttl", "30m")
    const claims = JSON.parse(Buffer.from(out.split(".")[1] ?? "", "base64url").toString())
    expect(claims).toMatchObject({
      sub: "x",
      roles: ["r1", "r2"],
      tenants: [{ business: "b1", locations: ["l1", "l2"] }, { business: "b2" }],
    })
    expect(claims.exp - claims.iat).toBe(1_800)
  })

  test("needs a secret to sign with", async () => {
    const ready = {
      ...env,
      NODE_ENV: "production",
      HUB_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 1).toString("base64")}`,
    }
    const elsewhere = { ...ready, JWT_SECRET: "", JWT_JWKS_URL: "https://id.example.com/keys" }
    const { code, err } = await runCommand(token, ["--sub", "x"], elsewhere)
    expect(code).toBe(2)
    expect(err).toContain("JWT_SECRET is not set")
  })

  test.each([
    [["--business", "b1"], "--sub"],
    [["--sub", "a b"], "--sub"],
    [["--sub", "x", "--ttl", "soon"], "--ttl"],
    [["--sub", "x", "--ttl", "0h"], "--ttl"],
    [["--sub", "x", "--business", "b 1"], '"b 1" is no business id'],
    [["--sub", "x", "--business", "b1:l1+"], '"" is no location id'],
    [["--sub", "x", "--business", "b1:l1:l2"], "one colon too many"],
    [["--sub", "x", "--business", ""], "--business"],
  ] as const)("%j is misuse, in one line", async (args, says) => {
    const { code, out, err } = await run(token, ...args)
    expect([code, out]).toEqual([2, ""])
    expect(err).toContain(says)
    expect(err.split("\n")).toHaveLength(1)
  })
})

describe("hub send", () => {
  const file = (content: unknown): string => {
    const path = join(folder, "event.json")
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
    return path
  }

  test("hands an event to the hub and shows its answer, also for a repeat", async () => {
    const path = file(event())
    const first = await run(send, path, "--json")
    expect([first.code, first.err]).toEqual([0, ""])
    const { id } = JSON.parse(first.out)
    expect((await jsonOf<{ id: string }>(hub.call(`/v1/events/${id}`))).id).toBe(id)
    expect(await run(send, path)).toEqual({ code: 0, out: `200 {"id":"${id}","status":"duplicate"}`, err: "" })
  })

  test("hands over a list as a batch, and finds something when one of them is invalid", async () => {
    const good = await run(send, file([event(), event()]), "--json")
    expect(good.code).toBe(0)
    expect(JSON.parse(good.out).results).toHaveLength(2)
    const mixed = await run(send, file([event(), { type: "no.source" }]), "--json")
    expect(mixed.code).toBe(1)
    expect(JSON.parse(mixed.out).results.map((result: { status: string }) => result.status)).toEqual([
      "accepted",
      "invalid",
    ])
  })

  test("reads standard input, and takes the address and key it is given", async () => {
    const { HUB_PUBLIC_URL: url = "", ...elsewhere } = env
    const args = ["send", "-", "--url", `${url}/`, "--key", SERVICE_KEY, "--json"]
    const { code, out } = await hubCommand(args, { env: elsewhere, stdin: JSON.stringify(event()) })
    expect(code).toBe(0)
    expect(JSON.parse(out).status).toBe("accepted")
  })

  test("shows the problem when the hub says no", async () => {
    const invalid = await run(send, file({ type: "stock.low", sauce: "x" }))
    expect(invalid.code).toBe(1)
    expect(invalid.out).toStartWith("422 ")
    expect(invalid.out).toContain("/source")
    const stranger = await run(send, file(event()), "--key", "a-key-that-nobody-knows-of")
    expect([stranger.code, stranger.out.slice(0, 4)]).toEqual([1, "401 "])
  })

  test.each([
    ["a hub that is away", () => ["--url", "http://127.0.0.1:9"], "no hub answers at http://127.0.0.1:9/v1/events"],
    ["an address that is none", () => ["--url", "localhost"], "no hub answers at localhost/v1/events"],
  ] as const)("%s is one line", async (_, args, says) => {
    const { code, out, err } = await run(send, file(event()), ...args())
    expect([code, out]).toEqual([2, ""])
    expect(err).toStartWith(`hub: ${says}`)
    expect(err.split("\n")).toHaveLength(1)
  })

  test("a file that is not there, or holds no JSON, is one line", async () => {
    for (const path of [join(folder, "none.json"), file("{")]) {
      const { code, err } = await run(send, path)
      expect(code).toBe(2)
      expect(err).toMatch(/^hub: .* (cannot be read|is not JSON): .*$/)
    }
    expect((await run(send)).code).toBe(2)
  })
})
