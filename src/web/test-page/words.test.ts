import { expect, test } from "bun:test"
import { cameBack, closed, gist, isFinal, refusedJoin, seconds } from "./words.ts"

test("how a topic came back is one sentence: how long, how many, which offsets", () => {
  const back = { awayMs: 1_234, kind: "recovered", count: 7, offsets: [42, 48] } as const
  expect(cameBack(back)).toBe("Back after 1.2 s: 7 messages recovered, offsets 42–48.")
  expect(cameBack({ ...back, count: 1, offsets: [42, 42] })).toBe("Back after 1.2 s: 1 message recovered, offset 42.")
  expect(cameBack({ ...back, awayMs: null, count: 0, offsets: null })).toBe("Back: nothing was missed.")
})

test("where nothing was recovered, why is said, and what to do", () => {
  const lost = { awayMs: 61_000, count: 0, offsets: null }
  expect(cameBack({ ...lost, kind: "pruned" })).toMatch(/^Back after 1 min 1 s, not recovered: .*history.* Load/)
  expect(cameBack({ ...lost, kind: "other_epoch" })).toMatch(/not recovered: the epoch is another.* Load/)
  expect(cameBack({ ...lost, kind: "no_positions" })).toContain("no positions")
})

test("codes are in words, unknown ones as they are", () => {
  expect(closed(1013, "slow reader")).toBe("1013, slow reader: this client did not read fast enough")
  expect(closed(4999, "")).toBe("4999")
  expect(refusedJoin("ambiguous_topic")).toContain("two meanings")
  expect(refusedJoin("something new")).toBe("The hub refused: something new.")
  expect([isFinal("unauthorized"), isFinal("unavailable")]).toEqual([true, false])
  expect([80, 1_250, 125_000].map(seconds)).toEqual(["80 ms", "1.3 s", "2 min 5 s"])
})

test("a message is told by what it is about", () => {
  const update = { type: "resource_deleted", resourceType: "table", resourceId: "t7" }
  expect(gist("resource_update", update)).toBe("deleted table t7")
  expect(gist("notification", { title: "Invoice INV-1 is overdue" })).toBe("Invoice INV-1 is overdue")
  expect(gist("counts", { unread_count: 2, unseen_count: 1 })).toBe("2 unread, 1 unseen")
  expect([gist("actors", { node: "n" }), gist("odd", 7)]).toEqual([null, null])
})
