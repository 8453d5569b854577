import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { seedNotifications } from "../testing/seed-notifications.ts"
import { inboxRoutes } from "./inbox.ts"

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [inboxRoutes(parts)])
})
afterAll(() => front.stop())

interface Item {
  readonly id: string
  readonly title: string
  readonly read_at: string | null
  readonly seen_at: string | null
  readonly acknowledged_at: string | null
}
interface Body extends Item {
  readonly notifications: readonly Item[]
  readonly data: readonly Item[]
  readonly unread_count: number
  readonly page_info: { readonly after: string | null; readonly has_more: boolean }
}
const NO_BODY = {} as Body // 204

/** A person of their own for each test, with their token. */
const person = async (sub: string, titles: readonly string[]) => {
  const items = await seedNotifications(front.db, sub, titles)
  const key = await tokenFor({ sub, business_id: "b1" })
  const call = async (path: string, method = "GET", json?: unknown) => {
    const answer = await front.call(`/v1/notifications${path}`, {
      method,
      key,
      ...(json === undefined ? {} : { json }),
    })
    return { status: answer.status, body: answer.status === 204 ? NO_BODY : await jsonOf<Body>(answer) }
  }
  const id = (n: number): string => items[n]?.id ?? ""
  /** The whole answer, where a test compares all of it. */
  const whole = async (path: string, method?: string): Promise<unknown> => (await call(path, method)).body
  return { call, whole, id, key }
}
/** News about one person since a mark. */
const newsSince = (mark: number, sub: string) =>
  front.news
    .slice(mark)
    .flat()
    .filter(
      (n) =>
        (n.kind === "stream_message" && n.stream === `notifications:${sub}`) ||
        (n.kind === "counts_changed" && n.recipient === sub),
    )

describe("the inbox", () => {
  test("lists one's items newest first, with the unread count and both names of the list", async () => {
    const { call } = await person("ann", ["one", "two", "three"])
    const { body } = await call("?limit=2")
    expect(body.notifications.map((n) => n.title)).toEqual(["three", "two"])
    expect(body.data).toEqual(body.notifications)
    expect(body.unread_count).toBe(3)
    expect(body.page_info.has_more).toBe(true)
    const { body: rest } = await call(`?limit=2&cursor=${body.page_info.after}`)
    expect(rest.data.map((n) => n.title)).toEqual(["one"])
    expect(rest.page_info).toEqual({ after: null, has_more: false })
  })

  test("an item has every field of the contract", async () => {
    const { call, id } = await person("fields", ["one"])
    const { body } = await call(`/${id(0)}`)
    expect(Object.keys(body).sort()).toEqual(
      "id title body severity category created_at read_at seen_at archived_at acknowledged_at action_url action_label data event_id rule rules_revision business_id location_id"
        .split(" ")
        .sort(),
    )
    expect(body).toMatchObject({ title: "one", read_at: null, business_id: "b1", rule: "a-rule", rules_revision: "r1" })
  })

  test("is filtered by unread, read and archived", async () => {
    const { call, id } = await person("bob", ["a", "b", "c"])
    await call(`/${id(0)}/read`, "PATCH")
    await call(`/${id(1)}/archive`, "PATCH")
    const titles = async (status: string): Promise<string[]> =>
      (await call(`?status=${status}`)).body.data.map((n) => n.title)
    expect(await titles("unread")).toEqual(["c"])
    expect(await titles("read")).toEqual(["a"])
    expect(await titles("archived")).toEqual(["b"])
    expect((await call("?status=odd")).status).toBe(422)
  })

  test("a mark is set once, and its opposite takes it back", async () => {
    const { call, whole, id } = await person("cid", ["a"])
    const read = (await call(`/${id(0)}/read`, "PATCH")).body
    expect(read.read_at).not.toBeNull()
    expect(read.seen_at).not.toBeNull()
    expect((await call(`/${id(0)}/read`, "PATCH")).body.read_at).toBe(read.read_at)
    expect((await call(`/${id(0)}/unread`, "PATCH")).body.read_at).toBeNull()
    expect((await call(`/${id(0)}/seen`, "PATCH")).body.seen_at).toBe(read.seen_at)
    expect((await call(`/${id(0)}/acknowledge`, "PATCH")).body.acknowledged_at).not.toBeNull()
    expect(await whole("/counts")).toEqual({ unread_count: 0, unseen_count: 0 })
  })

  test("ack acknowledges by the notification's id in the body", async () => {
    const { call, id } = await person("dan", ["a"])
    expect((await call("/ack", "POST", { notification_id: id(0) })).body.acknowledged_at).not.toBeNull()
    expect((await call("/ack", "POST", { notification_id: 7 })).status).toBe(422)
    expect((await call("/ack", "POST", { notification_id: "ntf_x" })).status).toBe(404)
  })

  test("mark-all-read reads what is unread and says how many that were", async () => {
    const { call, whole, id } = await person("eve", ["a", "b", "c"])
    await call(`/${id(0)}/read`, "PATCH")
    expect(await whole("/mark-all-read", "POST")).toEqual({ updated: 2, unread_count: 0 })
    expect(await whole("/mark-all-read", "POST")).toEqual({ updated: 0, unread_count: 0 })
  })

  test("a deleted item is gone from the list and the counts", async () => {
    const { call, id } = await person("fay", ["a", "b"])
    expect((await call(`/${id(0)}`, "DELETE")).status).toBe(204)
    expect((await call(`/${id(0)}`, "DELETE")).status).toBe(404)
    expect((await call("")).body).toMatchObject({ unread_count: 1, data: [{ title: "b" }] })
  })
})

describe("a person of two businesses", () => {
  test("sees and counts what their token names", async () => {
    const { call, whole } = await person("gus", ["here"])
    await seedNotifications(front.db, "gus", ["there", "there too"], "b2")
    expect((await call("")).body).toMatchObject({ unread_count: 1, data: [{ title: "here" }] })
    expect(await whole("/counts")).toEqual({ unread_count: 1, unseen_count: 1 })
    expect(await whole("/mark-all-read", "POST")).toEqual({ updated: 1, unread_count: 0 })
    const key = await tokenFor({ sub: "gus", tenants: [{ business: "b1" }, { business: "b2" }] })
    const both = await jsonOf<Body>(front.call("/v1/notifications", { key }))
    expect([both.unread_count, both.data.length]).toEqual([2, 3])
  })
})

describe("other screens", () => {
  test("hear of each change as the item now is, and that the counts moved", async () => {
    const { call, id } = await person("gus", ["a"])
    const mark = front.news.length
    const { body } = await call(`/${id(0)}/read`, "PATCH")
    const news = newsSince(mark, "gus")
    expect(news.map((n) => n.kind)).toEqual(["stream_message", "counts_changed"])
    const [first] = news
    if (first?.kind !== "stream_message") throw new Error("no message")
    expect(first).toMatchObject({ event: "notification_changed", position: null })
    expect(JSON.parse(first.payload) as unknown).toEqual(body)
  })

  test("hear of a deletion and of everything read at once", async () => {
    const { call, id } = await person("hal", ["a", "b", "c"])
    const mark = front.news.length
    await call(`/${id(0)}`, "DELETE")
    await call("/mark-all-read", "POST")
    const payloads = newsSince(mark, "hal").flatMap((n) =>
      n.kind === "stream_message" ? [JSON.parse(n.payload) as Item] : [],
    )
    expect(payloads[0] as unknown).toEqual({ id: id(0), deleted: true, business_id: "b1" })
    expect(payloads.slice(1).map((p) => p.read_at !== null)).toEqual([true, true])
  })
})

describe("whose inbox", () => {
  test("another person's item is 404 to read, to mark and to delete", async () => {
    const { id } = await person("ivy", ["a"])
    const other = await person("jon", [])
    expect((await other.call(`/${id(0)}`)).status).toBe(404)
    expect((await other.call(`/${id(0)}/read`, "PATCH")).status).toBe(404)
    expect((await other.call(`/${id(0)}`, "DELETE")).status).toBe(404)
    expect((await other.call("?recipient_id=ivy")).status).toBe(403)
  })

  test("a person sees only items of the businesses that the token names", async () => {
    await seedNotifications(front.db, "kim", ["of b1"])
    await seedNotifications(front.db, "kim", ["of b2"], "b2")
    const key = await tokenFor({ sub: "kim", business_id: "b2" })
    const { data } = await jsonOf<Body>(front.call("/v1/notifications", { key }))
    expect(data.map((n) => n.title)).toEqual(["of b2"])
  })

  test("who runs a branch sees, counts and marks in somebody else's what is the branch's, as an explanation is given", async () => {
    const items = await seedNotifications(front.db, "mia", ["here", "elsewhere", "everywhere"])
    const [here, elsewhere] = items.map(({ id }) => id)
    await front.db.execute(
      "update notifications set location_id = case id when $1 then 'l1' when $2 then 'l2' end where recipient_id = 'mia'",
      [here ?? "", elsewhere ?? ""],
    )
    const branch = { tenants: [{ business: "b1", locations: ["l1"] }] }
    const boss = await tokenFor({ sub: "boss", roles: ["admin"], ...branch })
    const titles = async (key: string, query: string) => {
      const { unread_count, data } = await jsonOf<Body>(front.call(`/v1/notifications${query}`, { key }))
      return [unread_count, data.map((n) => n.title)]
    }
    expect(await titles(boss, "?recipient_id=mia")).toEqual([1, ["here"]])
    for (const [method, path] of [
      ["GET", ""],
      ["PATCH", "/acknowledge"],
      ["DELETE", ""],
    ] as const) {
      const answer = await front.call(`/v1/notifications/${elsewhere}${path}?recipient_id=mia`, { method, key: boss })
      expect(answer.status).toBe(404)
    }
    const all = await front.call("/v1/notifications/mark-all-read?recipient_id=mia", { method: "POST", key: boss })
    expect(await jsonOf<unknown>(all)).toEqual({ updated: 1, unread_count: 0 })
    // One's own is one's own, wherever one works.
    expect(await titles(await tokenFor({ sub: "mia", ...branch }), "")).toEqual([
      2,
      ["everywhere", "elsewhere", "here"],
    ])
  })

  test("a service names the person, and a key alone has no inbox", async () => {
    await seedNotifications(front.db, "lea", ["a"])
    expect((await front.call("/v1/notifications", { key: SERVICE_KEY })).status).toBe(403)
    const { data } = await jsonOf<Body>(front.call("/v1/notifications?recipient_id=lea", { key: SERVICE_KEY }))
    expect(data).toHaveLength(1)
  })
})
