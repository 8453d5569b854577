import { expect, test } from "bun:test"
import { Readable } from "node:stream"
import { readInTurns } from "./large-answers.ts"

/** For each part of an answer the turn of the loop in which it was read, where all were there at once. */
async function turnsOf(sizes: readonly number[]): Promise<readonly number[]> {
  const stream = new Readable({ read() {}, highWaterMark: Number.MAX_SAFE_INTEGER })
  let turn = 0
  let ended = false
  const count = (): void => {
    turn += 1
    if (!ended) setImmediate(count)
  }
  const read: number[] = []
  readInTurns(stream)
  stream.on("data", () => void read.push(turn))
  for (const size of sizes) stream.push(Buffer.alloc(size))
  stream.push(null)
  setImmediate(count)
  await new Promise((done) => stream.on("end", done))
  ended = true
  return read
}

test("of a large answer a megabyte is read in a turn, so that others have theirs", async () => {
  const turns = await turnsOf(Array.from({ length: 20 }, () => 600_000))
  expect(turns).toHaveLength(20)
  expect([...Map.groupBy(turns, (turn) => turn).values()].map(({ length }) => length)).toEqual(Array(10).fill(2))
})

test("of a small answer nothing waits", async () => {
  const turns = await turnsOf(Array.from({ length: 20 }, () => 1_000))
  expect(turns).toHaveLength(20)
  expect(new Set(turns).size).toBe(1)
})
