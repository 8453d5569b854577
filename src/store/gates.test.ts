import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { GateState } from "../domain/gates.ts"
import { testDatabase } from "../testing/postgres.ts"
import { type Database, openDatabase } from "./database.ts"
import { gatesOf, sweepGates } from "./gates.ts"

let nodes: readonly [Database, Database]
let drop: () => Promise<void>
beforeAll(async () => {
  const made = await testDatabase()
  drop = made.drop
  nodes = [openDatabase({ url: made.url }), openDatabase({ url: made.url })]
})
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await drop()
})
afterEach(() => nodes[0].execute("truncate gates"))

const times = (state: GateState | null): readonly number[] => (state?.kind === "limit" ? state.times : [])
const stale = (): number => Date.now() + 60_000

/** One more in each of the gates, as a router would. */
const count = (db: Database, keys: readonly string[], mark: number): Promise<void> =>
  db.transaction(async (tx) => {
    const keeper = gatesOf(tx)
    const gates = await keeper.hold(keys)
    for (const key of new Set(keys)) gates.set(key, { kind: "limit", times: [...times(gates.get(key)), mark] }, stale())
    await keeper.store()
  })

describe("gates", () => {
  test("two nodes that hold several at once lose no count and never wait for each other in a circle", async () => {
    const [one, two] = nodes
    const batch = fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 2, maxLength: 16 }), async (batches) => {
        await one.execute("truncate gates")
        // Sweeps go on meanwhile: gates that are new have no stale moment that could be long ago.
        await Promise.all([
          ...batches.map((keys, i) => count(i % 2 === 0 ? one : two, keys, i)),
          sweepGates(one, 10),
          sweepGates(two, 10),
        ])
        const wanted = new Map<string, number>()
        for (const keys of batches) for (const key of new Set(keys)) wanted.set(key, (wanted.get(key) ?? 0) + 1)
        const rows = await one.query<{ key: string; state: GateState }>("select key, state from gates order by key")
        expect(rows.map(({ key, state }) => [key, times(state).length])).toEqual([...wanted].sort())
      }),
      { numRuns: 40 },
    )
  })

  test("what was set is read again before it is stored, and nothing of it remains when the transaction fails", async () => {
    const [db] = nodes
    const failing = db.transaction(async (tx) => {
      const keeper = gatesOf(tx)
      const gates = await keeper.hold(["k"])
      gates.set("k", { kind: "limit", times: [1] }, stale())
      expect(gates.get("k")).toEqual({ kind: "limit", times: [1] })
      await keeper.store()
      throw new Error("called off")
    })
    await expect(failing).rejects.toThrow("called off")
    await db.transaction(async (tx) => expect((await gatesOf(tx).hold(["k"])).get("k")).toBeNull())
  })

  test("a gate that was not asked for is refused, because somebody else may hold it", async () => {
    const [db] = nodes
    await db.transaction(async (tx) => {
      const gates = await gatesOf(tx).hold(["mine"])
      expect(() => gates.get("yours")).toThrow("nobody holds")
      expect(() => gates.set("yours", null, 0)).toThrow("nobody holds")
    })
  })

  test("a sweep takes what has been stale for a day and neither what is held nor what is younger", async () => {
    const [db, other] = nodes
    const DAY = 86_400_000
    await db.transaction(async (tx) => {
      const keeper = gatesOf(tx)
      const gates = await keeper.hold(["old", "held", "young"])
      for (const [key, ago] of [
        ["old", 2 * DAY],
        ["held", 2 * DAY],
        ["young", DAY / 2],
      ] as const) {
        gates.set(key, { kind: "limit", times: [1] }, Date.now() - ago)
      }
      await keeper.store()
    })
    await db.transaction(async (tx) => {
      await gatesOf(tx).hold(["held"])
      expect(await sweepGates(other, 10)).toBe(1)
    })
    expect(await db.query<{ key: string }>("select key from gates order by key")).toEqual([
      { key: "held" },
      { key: "young" },
    ])
  })
})
