/** A migrated database for a whole test file, opened as the hub opens its own; closed and removed after the file's last test. */
import { afterAll } from "bun:test"
import { type Database, openDatabase } from "../store/database.ts"
import { testDatabase } from "./postgres.ts"

/** Await it at the top of a test file. */
export async function databaseOfFile(): Promise<Database> {
  const { url, drop } = await testDatabase()
  const db = openDatabase({ url })
  afterAll(async () => {
    await db.close()
    await drop()
  })
  return db
}
