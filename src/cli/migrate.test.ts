import { afterEach, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { openDatabase } from "../store/database.ts"
import { hubCommand, runCommand } from "../testing/hub-command.ts"
import { testServerUrl } from "../testing/postgres.ts"
import { testEnvironment } from "../testing/start-hub.ts"
import { migrateCommand } from "./migrate.ts"

const made: string[] = []
afterEach(async () => {
  const server = openDatabase({ url: testServerUrl(), max: 1 })
  for (const name of made.splice(0)) await server.execute(`drop database ${name} with (force)`)
  await server.close()
})

/** The environment of a hub whose database has nothing in it. */
async function emptyDatabase(): Promise<Record<string, string>> {
  const name = `hub_migrate_${randomBytes(6).toString("hex")}`
  const server = openDatabase({ url: testServerUrl(), max: 1 })
  await server.execute(`create database ${name} template template0`)
  await server.close()
  made.push(name)
  const url = new URL(testServerUrl())
  url.pathname = `/${name}`
  return testEnvironment(url.href, "/tmp")
}

test("an empty database is brought up to date, and the second time there is nothing to do", async () => {
  const env = await emptyDatabase()
  const first = await hubCommand(["migrate"], { env })
  expect([first.code, first.err]).toEqual([0, ""])
  expect(first.out).toStartWith("Applied 0001_events.sql, ")
  expect(await runCommand(migrateCommand, [], env)).toEqual({ code: 0, out: "Up to date.", err: "" })
  expect((await runCommand(migrateCommand, ["--json"], env)).out).toBe('{"applied":[]}')
})

test("two that run at once share the work: each migration is applied once", async () => {
  const env = await emptyDatabase()
  const both = await Promise.all([1, 2].map(() => runCommand(migrateCommand, ["--json"], env)))
  expect(both.map(({ code, err }) => [code, err])).toEqual([
    [0, ""],
    [0, ""],
  ])
  const applied = both.flatMap(({ out }): string[] => JSON.parse(out).applied)
  expect(applied.length).toBeGreaterThan(0)
  expect(new Set(applied).size).toBe(applied.length)
})

test("a database that refuses is one line, without its password", async () => {
  const url = new URL(testServerUrl())
  url.pathname = "/no_such_database"
  url.password = "s3cr3t-word"
  const { code, err } = await runCommand(migrateCommand, [], testEnvironment(url.href, "/tmp"))
  expect(code).toBe(2)
  expect(err).toMatch(/^hub: the database cannot be used: .*no_such_database.*$/)
  expect(err).not.toContain("s3cr3t-word")
})
