import { afterEach, describe, expect, test } from "bun:test"
import { createServer, connect as dial, type Socket } from "node:net"
import { Client } from "pg"
import { type CutWhen, commitCutter } from "./commit-cutter.ts"
import { eventually } from "./eventually.ts"
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts"
import { testDatabase } from "./postgres.ts"

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A server that says back what it hears, behind a proxy. */
async function behindProxy(): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("data", (chunk) => socket.write(chunk))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const proxy = await startFaultProxy({ port: typeof address === "object" && address !== null ? address.port : 0 })
  cleanups.push(() => proxy.stop())
  return proxy
}

interface Caller {
  /** What came back within the time, or "closed". */
  say(words: string, withinMs?: number): Promise<string | null>
}

async function call(proxy: FaultProxy): Promise<Caller> {
  const socket = dial(proxy.port, "127.0.0.1")
  let heard = ""
  let closed = false
  socket.on("error", () => undefined)
  socket.on("data", (chunk) => {
    heard += chunk.toString()
  })
  socket.on("close", () => {
    closed = true
  })
  await new Promise<void>((resolve) => socket.once("connect", resolve))
  cleanups.push(() => socket.destroy())
  return {
    async say(words, withinMs = 2_000) {
      heard = ""
      socket.write(words)
      try {
        await eventually(
          async () => closed || heard.length >= words.length,
          (yes) => yes,
          { withinMs, everyMs: 2, what: "an echo" },
        )
      } catch {
        return null
      }
      return closed ? "closed" : heard
    },
  }
}

describe("the fault proxy", () => {
  test("freezes what is open without a word, and lets new connections through", async () => {
    const proxy = await behindProxy()
    const before = await call(proxy)
    expect(await before.say("one")).toBe("one")
    proxy.freeze()
    expect(await before.say("two", 200)).toBeNull()
    expect(await (await call(proxy)).say("three")).toBe("three")
    expect(await before.say("four", 100)).toBeNull()
  })

  test("accepts and then says nothing, refuses, or passes, each connection as told", async () => {
    const proxy = await behindProxy()
    proxy.treat((n) => ({ kind: n === 0 ? "silent" : n === 1 ? "refuse" : "pass" }))
    expect(await (await call(proxy)).say("a", 200)).toBeNull()
    expect(await (await call(proxy)).say("b")).toBe("closed")
    expect(await (await call(proxy)).say("c")).toBe("c")
    expect(proxy.seen).toBe(3)
  })

  test("cuts what is open, and the other side is told", async () => {
    const proxy = await behindProxy()
    const caller = await call(proxy)
    expect(await caller.say("one")).toBe("one")
    proxy.cut()
    expect(await caller.say("two")).toBe("closed")
  })

  test("is as slow and as narrow as told", async () => {
    const proxy = await behindProxy()
    proxy.treat({ kind: "pass", latencyMs: 50, bytesPerSecond: 10_000 })
    const caller = await call(proxy)
    const began = performance.now()
    expect(await caller.say("x".repeat(1_000))).toHaveLength(1_000)
    // 0.1 s through each of two directions, and twice the latency.
    expect(performance.now() - began).toBeGreaterThan(290)
  })
})

describe("a connection that is cut around its commit", () => {
  const ways: readonly (readonly [string, (client: Client) => Promise<unknown>])[] = [
    ["a lone statement", (client) => client.query("insert into kept values ($1)", ["x"])],
    ["a lone statement without parameters", (client) => client.query("insert into kept values ('x')")],
    [
      "a prepared statement, the second time",
      async (client) => {
        await client.query({ name: "look", text: "select $1::text", values: ["y"] })
        await client.query({ name: "put", text: "insert into kept values ($1)", values: ["x"] })
      },
    ],
    [
      "a transaction",
      async (client) => {
        await client.query("begin")
        await client.query("insert into kept values ($1)", ["x"])
        await client.query("select 1")
        await client.query("commit")
      },
    ],
    [
      "a pipelined transaction",
      (client) =>
        Promise.all([
          client.query("begin"),
          client.query("insert into kept values ($1)", ["x"]),
          client.query("commit"),
        ]),
    ],
  ]
  const cuts: readonly (readonly [CutWhen, number])[] = [
    ["before", 0],
    ["after", 1],
  ]
  for (const [name, write] of ways)
    for (const [when, rows] of cuts)
      test(`${when}, in ${name}: the client is not told, and ${rows === 0 ? "nothing is" : "all is"} there`, async () => {
        const database = await testDatabase()
        cleanups.push(() => database.drop())
        const direct = new Client({ connectionString: database.url })
        await direct.connect()
        cleanups.push(() => direct.end())
        await direct.query("create table kept (word text)")
        const cutter = commitCutter(/insert into kept/)
        const proxy = await startFaultProxy({ port: Number(new URL(database.url).port), gate: cutter.gate })
        cleanups.push(() => proxy.stop())
        const client = new Client({ connectionString: proxy.through(database.url), pipeline: true })
        client.on("error", () => undefined)
        await client.connect()
        await client.query("update kept set word = 'a commit of something else'")
        const cut = cutter.cutNext(when)
        const failed = await write(client).then(
          () => false,
          () => true,
        )
        await cut
        expect(failed).toBe(true)
        expect((await direct.query("select from kept")).rowCount).toBe(rows)
        await client.end()
      })
})
