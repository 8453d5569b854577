import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DELIVERY_STATUSES } from "./delivery.ts"
import { MOVES, movesBetween } from "./delivery-states.ts"

const STORE = join(import.meta.dirname, "../store")

/** Where each kind of move is a statement. */
const HOME: Readonly<Record<keyof typeof MOVES, string>> = {
  claim: "deliveries.ts",
  expire: "deliveries.ts",
  settle: "deliveries.ts",
  release: "deliveries.ts",
  rescue: "rescue.ts",
  cancel: "notifications.ts",
  stop: "suppressions.ts",
  withhold: "wishes.ts",
  putOff: "put-off.ts",
  replay: "replays.ts",
}

describe("the moves of a delivery", () => {
  test("leave nothing that was sent, captured or cancelled, and reach every state but the first", () => {
    for (const status of ["delivered", "captured", "cancelled", "suppressed", "expired"] as const)
      for (const to of DELIVERY_STATUSES) expect(movesBetween(status, to)).toEqual([])
    const reached = new Set<string>(Object.values(MOVES).flatMap(({ to }) => [...to]))
    expect(DELIVERY_STATUSES.filter((status) => !reached.has(status))).toEqual([])
  })

  test("are sending's alone to make under a fence, but for the rescue, which asks the lease", () => {
    const unfenced = Object.entries(MOVES).filter(([, { fenced }]) => !fenced)
    expect(unfenced.filter(([, { from }]) => from.includes("sending" as never)).map(([name]) => name)).toEqual([
      "rescue",
    ])
  })

  test("stand nowhere but where the table's moves are at home: a statement that sets a status elsewhere is a new move", () => {
    const setting = readdirSync(STORE)
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
      .filter((file) => /update deliveries[^`]*?set[^`]*?\bstatus =/.test(readFileSync(join(STORE, file), "utf8")))
    expect(setting.toSorted()).toEqual([...new Set(Object.values(HOME))].toSorted())
  })
})
