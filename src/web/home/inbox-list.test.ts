import { expect, test } from "bun:test"
import fc from "fast-check"
import { emptyList, type Filter, type InboxList, withArrival, withChange, withPage } from "./inbox-list.ts"
import { type Item, readItem } from "./shapes.ts"

function item(id: string, marks: { readonly read?: boolean; readonly archived?: boolean } = {}): Item {
  const time = "2026-01-05T09:00:00Z"
  const made = readItem({ id, title: id, read_at: marks.read ? time : null, archived_at: marks.archived ? time : null })
  if (made === null) throw new Error("the item has no id")
  return made
}
const ids = (list: InboxList): readonly string[] => list.items.map(({ id }) => id)
const listOf = (filter: Filter, items: readonly Item[], after: string | null = null): InboxList =>
  withPage(emptyList(filter), { items, after }, true)

test("arrivals stand newest first and once, in whatever order and however often they come", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 }), (arrivals) => {
      const list = arrivals.reduce((sofar, n) => withArrival(sofar, item(`ntf_${n}`)), emptyList("all"))
      expect(ids(list)).toEqual([...new Set(arrivals)].sort((a, b) => b - a).map((n) => `ntf_${n}`))
    }),
  )
})

test("an archived item leaves the inbox and enters the archive", () => {
  const change = { kind: "item", item: item("ntf_2", { archived: true }) } as const
  expect(ids(withChange(listOf("all", [item("ntf_2"), item("ntf_1")]), change))).toEqual(["ntf_1"])
  expect(ids(withChange(listOf("archived", [item("ntf_1", { archived: true })]), change))).toEqual(["ntf_2", "ntf_1"])
})

test("among the unread, what is being read stays under its reader's eyes, and what was read elsewhere does not come in", () => {
  const list = listOf("unread", [item("ntf_1")])
  expect(ids(withChange(list, { kind: "item", item: item("ntf_1", { read: true }) }))).toEqual(["ntf_1"])
  expect(ids(withChange(list, { kind: "item", item: item("ntf_0", { read: true }) }))).toEqual(["ntf_1"])
})

test("news of an item that is further down than what is loaded waits for its page", () => {
  const list = listOf("all", [item("ntf_9"), item("ntf_8")], "ntf_8")
  expect(ids(withChange(list, { kind: "item", item: item("ntf_3") }))).toEqual(["ntf_9", "ntf_8"])
  const whole = withPage(list, { items: [item("ntf_8"), item("ntf_3")], after: null }, false)
  expect(ids(whole)).toEqual(["ntf_9", "ntf_8", "ntf_3"])
  expect(ids(withChange(whole, { kind: "item", item: item("ntf_1") }))).toEqual(["ntf_9", "ntf_8", "ntf_3", "ntf_1"])
})

test("a deleted item is gone, and deleting what is not there changes nothing", () => {
  const list = listOf("all", [item("ntf_2"), item("ntf_1")])
  expect(ids(withChange(list, { kind: "deleted", id: "ntf_2" }))).toEqual(["ntf_1"])
  expect(ids(withChange(list, { kind: "deleted", id: "ntf_7" }))).toEqual(["ntf_2", "ntf_1"])
})
