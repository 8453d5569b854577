import { expect, test } from "bun:test"
import { hubKilledWhileReading } from "../testing/jetstream-faults.ts"

const FULL = process.env["FAULTS"] === "full"

test("a hub killed while it reads loses no message and stores none twice, with a key and without", async () => {
  // What was in hand comes again after the ack wait of 30 s, so that even the short form takes longer.
  const figures = await hubKilledWhileReading(FULL ? 30 : 2)
  console.log(`hub killed while reading: ${JSON.stringify(figures)}`)
  expect(figures).toMatchObject({ lost: 0, twice: 0 })
}, 600_000)
