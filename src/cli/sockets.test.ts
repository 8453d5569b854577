import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { jsonOf, SERVICE_KEY, tokenFor } from "../testing/front.ts"
import { hubCommand, type Ran, runCommand } from "../testing/hub-command.ts"
import { RawClient } from "../testing/realtime-room.ts"
import { startTestHub, type TestHub, testEnvironment } from "../testing/start-hub.ts"
import { keysCreate, keysRevoke } from "./keys.ts"
import { socketsKick } from "./sockets.ts"

let hub: TestHub
let env: Record<string, string>
const folder = mkdtempSync(join(tmpdir(), "hub-sockets-"))
beforeAll(async () => {
  hub = await startTestHub()
  env = { ...testEnvironment(hub.databaseUrl, folder), HUB_PUBLIC_URL: `http://127.0.0.1:${hub.port}` }
})
afterAll(async () => {
  await hub.remove()
  rmSync(folder, { recursive: true, force: true })
})

const open = (token: string): Promise<RawClient> =>
  RawClient.open(`ws://127.0.0.1:${hub.port}/socket/websocket?vsn=2.0.0&token=${token}`)
const kick = (...args: readonly string[]): Promise<Ran> => runCommand(socketsKick, args, env)

interface Audit {
  readonly data: readonly { readonly action: string; readonly actor: string; readonly detail: unknown }[]
}

test("hub sockets kick closes a person's sockets, and the audit log says who did it", async () => {
  const [omar, mona] = [await open(await tokenFor({ sub: "omar" })), await open(await tokenFor({ sub: "mona" }))]
  expect(await kick("omar")).toEqual({
    code: 0,
    out: "1 closed on the node that was asked; other nodes were told.",
    err: "",
  })
  expect(await omar.closed).toBe(1001)
  expect(await mona.settled()).toEqual([])
  const { data } = await jsonOf<Audit>(hub.call("/admin/audit"))
  expect(data[0]).toMatchObject({
    action: "sockets.kick",
    actor: "key:setting-1",
    detail: { recipient_id: "omar" },
  })
  expect(JSON.parse((await kick("omar", "--json")).out)).toMatchObject({ recipient_id: "omar", closed_here: 0 })
  mona.close()
})

test("only operators kick, and only whom they can name", async () => {
  const ask = (key: string | null, json: unknown) => hub.call("/admin/sockets/kick", { key, json })
  expect((await ask(SERVICE_KEY, { recipient_id: "omar" })).status).toBe(403)
  expect((await ask(null, { recipient_id: "omar" })).status).toBe(401)
  const admin = await tokenFor({ sub: "root", roles: ["admin"], tenants: "*" })
  expect((await ask(admin, { recipient_id: "no such id" })).status).toBe(422)
  expect((await ask(admin, ["omar"])).status).toBe(422)
  expect((await ask(admin, { recipient_id: "omar" })).status).toBe(202)
})

test("a key that is revoked loses its sockets within seconds, and opens no more", async () => {
  const { id, key } = JSON.parse((await runCommand(keysCreate, ["--name", "screen", "--json"], env)).out)
  const client = await open(key)
  expect(await client.join("resources:b1:l1")).toMatchObject({ status: "ok" })
  expect((await runCommand(keysRevoke, [id], env)).code).toBe(0)
  expect(await client.frame()).toEqual(["1", "1", "resources:b1:l1", "phx_error", { reason: "key_revoked" }])
  expect(await client.closed).toBe(1008)
  await expect(open(key)).rejects.toThrow("refused")
})

test.each([
  [[], "whose?"],
  [["a b"], "recipient's id"],
  [["omar", "--url", "http://127.0.0.1:1"], "no hub answers"],
])("hub sockets kick %j is misuse, in one line", async (args, says) => {
  const { code, out, err } = await hubCommand(["sockets", "kick", ...args], { env })
  expect([code, out]).toEqual([2, ""])
  expect(err).toContain(says)
  expect(err.split("\n")).toHaveLength(1)
})
