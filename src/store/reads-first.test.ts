/** A "begin" fails about never, so a proxy on the way to PostgreSQL spoils it here. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { connect, createServer, type Server } from "node:net"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { type Database, openDatabase } from "./database.ts"

let server: TestDatabase
let proxy: Server
let db: Database
let through: Database
let spoiled = true
beforeAll(async () => {
  server = await testDatabase()
  const target = new URL(server.url)
  proxy = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname)
    client.on("data", (sent) => {
      const at = spoiled ? sent.indexOf("begin\0") : -1
      if (at >= 0) sent.write("bogus", at)
      upstream.write(sent)
    })
    upstream.pipe(client)
    for (const socket of [client, upstream])
      socket
        .on("error", () => {})
        .on("close", () => {
          client.destroy()
          upstream.destroy()
        })
  })
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening))
  const address = proxy.address()
  const url = new URL(server.url)
  url.host = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`
  db = openDatabase({ url: server.url, max: 1 })
  through = openDatabase({ url: url.href, max: 1 })
  await db.execute("create table t (n int)")
})
afterAll(async () => {
  await through.close()
  await db.close()
  await new Promise((closed) => proxy.close(closed))
  await server.drop()
})

test.each([undefined, "reads_first"] as const)(
  "a transaction that did not begin changes nothing (%p)",
  async (first) => {
    spoiled = true
    let read = false
    const failed = through.transaction(async (tx) => {
      await tx.query("select n from t")
      read = true
      await Promise.all([tx.execute("insert into t values (1)"), tx.execute("insert into t values (2)")])
    }, first)
    await expect(failed).rejects.toThrow("syntax error")
    expect(read).toBe(false)
    expect(await db.query("select n from t")).toEqual([])

    spoiled = false
    expect(await through.transaction((tx) => tx.query("select 1 as n"), first)).toEqual([{ n: 1 }])
  },
)
