import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { Secret } from "../domain/secret.ts"
import { createAccept } from "../ingest/accept.ts"
import { createRejections } from "../ingest/rejections.ts"
import { startTree, supervisor } from "../runtime/supervisor.ts"
import type { Tree } from "../runtime/tree.ts"
import { type Front, startFront } from "../testing/front.ts"
import { telegramPolling } from "./telegram-polling.ts"

const TOKEN = "1:canaryoftelegramstoken"

interface Asked {
  readonly method: string
  readonly fields: JsonObject
}
/** Telegram, as far as it gives updates: what is confirmed does not come again, and a question without an answer is held. */
function telegram() {
  let updates: readonly JsonObject[] = []
  let trouble: Response | null = null
  const asked: Asked[] = []
  let heard = Promise.withResolvers<void>()
  const news = (): void => {
    heard.resolve()
    heard = Promise.withResolvers<void>()
  }
  const held = new Set<() => void>()
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const method = new URL(request.url).pathname.replace(`/bot${TOKEN}/`, "")
      const fields = (await request.json()) as JsonObject // what the hub has sent
      asked.push({ method, fields })
      news()
      const failing = trouble
      trouble = null
      if (failing !== null) return failing
      if (method !== "getUpdates") return Response.json({ ok: true, result: true })
      const { offset } = fields
      if (typeof offset === "number") updates = updates.filter((update) => Number(update["update_id"]) >= offset)
      if (updates.length === 0) await new Promise<void>((go) => held.add(go))
      return Response.json({ ok: true, result: updates })
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    give(...more: readonly JsonObject[]) {
      updates = [...updates, ...more]
      for (const go of held) go()
      held.clear()
    },
    fail(response: Response) {
      trouble = response
    },
    async until(fits: (asked: readonly Asked[]) => boolean) {
      while (!fits(asked)) await heard.promise
    },
    stop: () => server.stop(true),
  }
}

let front: Front
beforeAll(async () => {
  front = await startFront(() => [])
})
afterAll(() => front.stop())
let running: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of running) await stop()
  running = []
})

/** A node that asks; it runs until the test's end. */
async function node(apiRoot: string): Promise<Tree> {
  const parts = { ...front, accept: createAccept(front), rejections: createRejections(front) }
  const links = { readAcknowledge: () => null }
  const child = telegramPolling({ ...parts, links, token: new Secret(TOKEN), apiRoot, holdSeconds: 25 })
  const root = supervisor({ id: "root", strategy: "one_for_one", children: [child] })
  const tree = await startTree(root, { clock: front.clock, emit: () => undefined, onGiveUp: () => undefined })
  running.push(() => tree.stop())
  return tree
}
const offsets = (asked: readonly Asked[]): readonly unknown[] =>
  asked.filter(({ method }) => method === "getUpdates").map(({ fields }) => fields["offset"] ?? null)
const press = (update_id: number): JsonObject => ({
  update_id,
  callback_query: { id: `q${update_id}`, data: "ack:forged", message: { chat: { id: 1, type: "private" } } },
})

test("without a webhook updates are asked for, confirmed once they have their effect, and a press is answered", async () => {
  const fake = telegram()
  running.push(() => fake.stop())
  await node(fake.url)
  fake.give(press(7), { update_id: 8, message: { chat: { id: 55, type: "private" }, text: "/stop" } }, { update_id: 9 })
  await fake.until((asked) => offsets(asked).includes(10))
  expect(offsets(fake.asked)).toEqual([null, 10])
  const answer = { callback_query_id: "q7", text: "This button is not known" }
  expect(fake.asked.filter(({ method }) => method !== "getUpdates")).toEqual([
    { method: "answerCallbackQuery", fields: answer },
  ])
  expect(await front.db.query("select reason from suppressions")).toEqual([{ reason: "stop" }])
  expect(await front.db.query("select key from inbound_seen")).toEqual([{ key: "telegram 8" }])
})

test("of two nodes one asks, and the other when it is gone", async () => {
  const fake = telegram()
  running.push(() => fake.stop())
  const first = await node(fake.url)
  await fake.until((asked) => asked.length === 1)
  await node(fake.url)
  expect(
    await front.db.query("select from chores where name = 'telegram_updates' and holder is not null"),
  ).toHaveLength(1)
  await first.stop()
  expect(fake.asked).toHaveLength(1)
  await node(fake.url)
  await fake.until((asked) => asked.length === 2)
})

test("what Telegram refuses is said once, without the token, and asked again", async () => {
  const fake = telegram()
  running.push(() => fake.stop())
  fake.fail(Response.json({ ok: false, description: TOKEN }, { status: 502 }))
  const before = front.emitted.length
  await node(fake.url)
  await fake.until((asked) => asked.length === 2)
  fake.give({ update_id: 1 })
  await fake.until((asked) => asked.length === 3)
  const said = front.emitted.slice(before)
  expect(said.filter(({ kind }) => kind.startsWith("telegram_updates_"))).toEqual([
    { kind: "telegram_updates_down", reason: "provider_error" },
    { kind: "telegram_updates_up" },
  ])
  expect(JSON.stringify(said)).not.toContain("canary")
})

test("an answer without an end, or one that unpacks to more than updates can be, is given up", async () => {
  const fake = telegram()
  running.push(() => fake.stop())
  const mebibyte = new Uint8Array(1_048_576).fill(0x20)
  let sent = 0
  const endless = new ReadableStream({
    pull(controller) {
      sent += 1
      controller.enqueue(mebibyte)
    },
  })
  const before = front.emitted.length
  fake.fail(new Response(endless, { headers: { "content-type": "application/json" } }))
  await node(fake.url)
  await fake.until((asked) => asked.length === 2)
  expect(sent).toBeLessThan(64)
  const bomb = Bun.gzipSync(new Uint8Array(64 * 1_048_576).fill(0x20))
  fake.fail(new Response(bomb, { headers: { "content-type": "application/json", "content-encoding": "gzip" } }))
  fake.give({ update_id: 1 })
  await fake.until((asked) => asked.length === 4)
  const down = front.emitted.slice(before).filter(({ kind }) => kind === "telegram_updates_down")
  expect(down.length).toBeGreaterThan(0)
})
