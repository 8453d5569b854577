import { afterAll, afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hubCommand, runCommand } from "../testing/hub-command.ts"
import { emptyDatabase, type TestDatabase, testServerUrl } from "../testing/postgres.ts"
import { testEnvironment } from "../testing/start-hub.ts"
import { migrateCommand } from "./migrate.ts"

const dataDir = mkdtempSync(join(tmpdir(), "hub-migrate-"))
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))
const made: TestDatabase[] = []
afterEach(async () => {
  for (const database of made.splice(0)) await database.drop()
})

/** The environment of a hub whose database has nothing in it. */
async function emptyHub(): Promise<Record<string, string>> {
  const database = await emptyDatabase()
  made.push(database)
  return testEnvironment(database.url, dataDir)
}

test("an empty database is brought up to date, and the second time there is nothing to do", async () => {
  const env = await emptyHub()
  const first = await hubCommand(["migrate"], { env })
  expect([first.code, first.err]).toEqual([0, ""])
  expect(first.out).toStartWith("Applied 0001_events.sql, ")
  expect(await runCommand(migrateCommand, [], env)).toEqual({ code: 0, out: "Up to date.", err: "" })
  expect((await runCommand(migrateCommand, ["--json"], env)).out).toBe('{"applied":[]}')
})

test("two that run at once share the work: each migration is applied once", async () => {
  const env = await emptyHub()
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
  const { code, err } = await runCommand(migrateCommand, [], testEnvironment(url.href, dataDir))
  expect(code).toBe(2)
  expect(err).toMatch(/^hub: the database cannot be used: .*no_such_database.*$/)
  expect(err).not.toContain("s3cr3t-word")
})
