import { expect, test } from "bun:test"
import fc from "fast-check"
import { ago } from "../shared/moment.ts"
import { readEvent, readTrace } from "../shared/trace.ts"
import { readChange, readHealth, readItem, readPage, readUnread } from "./shapes.ts"

test("whatever an answer holds, reading it leaves a gap and never throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, inner) => {
      const whole = { id: "x", event: { id: "x" }, data: [value], rules: inner, notifications: [inner], parts: value }
      for (const read of [readItem, readChange, readEvent, readUnread, readTrace, readHealth]) {
        read(value)
        read(whole)
      }
      readPage({ ...whole, page_info: inner }, readItem)
    }),
  )
})

test("a push says what changed: an item, a deletion, or to load again", () => {
  expect(readChange({ reload: true })).toEqual({ kind: "reload" })
  expect(readChange({ id: "ntf_1", deleted: true })).toEqual({ kind: "deleted", id: "ntf_1" })
  expect(readChange({ id: "ntf_1", title: "Hello", business_id: "b1", location_id: "l1" })).toMatchObject({
    kind: "item",
    item: { id: "ntf_1", title: "Hello", place: "b1 · l1", severity: "info", readAt: null },
  })
})

test("a page goes on only where the hub says that there is more", () => {
  expect(readPage({ data: [{ id: "a" }, {}], page_info: { after: "a", has_more: true } }, readEvent)).toMatchObject({
    items: [{ id: "a" }],
    after: "a",
  })
  expect(readPage({ data: [], page_info: { after: "a", has_more: false } }, readEvent).after).toBeNull()
})

test("times are said as people say them, also for clocks that run a little ahead", () => {
  const now = Date.parse("2026-01-05T09:00:00Z")
  const said = (seconds: number): string => ago(new Date(now + seconds * 1_000).toISOString(), now)
  expect([said(0), said(20), said(-44)]).toEqual(["just now", "just now", "just now"])
  expect([said(-50), said(-150), said(-7_300)]).toEqual(["1 min. ago", "2 min. ago", "2 hr. ago"])
  expect([said(-90_000), said(-30 * 86_400)]).toEqual(["yesterday", "6 Dec 2025"])
  expect(ago("never", now)).toBe("")
})
