import { expect, test } from "bun:test"
import type { Answer, Api } from "../shared/api.ts"
import { createFeed } from "./feed.ts"

/** A hub whose outbox holds these, newest first. */
function outboxOf(ids: readonly number[]) {
  const hub = { ids: [...ids], asked: [] as string[] }
  const api: Api = {
    async call(_, path): Promise<Answer> {
      hub.asked.push(path)
      const query = new URLSearchParams(path.split("?")[1])
      const after = query.get("after")
      const from = after === null ? 0 : hub.ids.indexOf(Number(after.slice(4))) + 1
      const limit = Number(query.get("limit"))
      const data = hub.ids.slice(from, from + limit).map((id) => ({ id: `dlv_${id}`, channel: "sms" }))
      return { kind: "ok", body: { data, page_info: { has_more: from + limit < hub.ids.length } } }
    },
  }
  return { hub, feed: createFeed(api) }
}

const down = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from - i)
const idsOf = (feed: ReturnType<typeof createFeed>): number[] => feed.items.map(({ id }) => Number(id.slice(4)))

test("what is new comes on top, and what was asked for of the older stays", async () => {
  const { hub, feed } = outboxOf(down(120, 120))
  expect(await feed.refresh()).toBe(true)
  await feed.older()
  expect(idsOf(feed)).toEqual(down(120, 100))
  expect(await feed.refresh()).toBe(false)

  hub.ids.unshift(122, 121)
  expect(await feed.refresh()).toBe(true)
  expect(idsOf(feed)).toEqual(down(122, 102))
  await feed.older()
  expect(idsOf(feed)).toEqual(down(122, 122))
  expect(feed.hasMore).toBe(false)
})

test("after more news than a page holds, nothing between is missing", async () => {
  const { hub, feed } = outboxOf(down(10, 10))
  await feed.refresh()
  hub.ids.unshift(...down(90, 80))
  await feed.refresh()
  expect(idsOf(feed)).toEqual(down(90, 50))
  expect(feed.hasMore).toBe(true)
  await feed.older()
  expect(idsOf(feed)).toEqual(down(90, 90))
})

test("an answer for the channel before is not shown in the next one", async () => {
  const { feed, hub } = outboxOf([1])
  const late = feed.refresh()
  feed.choose("email")
  expect(await late).toBe(false)
  expect(feed.items).toEqual([])
  await feed.refresh()
  expect(hub.asked.at(-1)).toContain("channel=email")
})
