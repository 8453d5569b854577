import { afterAll, beforeAll, expect, test } from "bun:test"
import { createRejections, type RejectedInput } from "../ingest/rejections.ts"
import { business } from "../testing/builders.ts"
import { type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { rejectedRoutes } from "./rejected.ts"

interface Page {
  readonly data: readonly { id: string; code: string; via: string; raw: string | null; errors: unknown }[]
  readonly page_info: { after: string | null; has_more: boolean }
  readonly groups: readonly { via: string; code: string; count: number }[]
  readonly groups_complete: boolean
}

let front: Front
const get = (path: string, key?: string | null) =>
  front.call(path, key === undefined ? {} : { key }) as Promise<Response>
const page = (path: string, key?: string) => jsonOf<Page>(get(path, key))

const input = (n: number, changes: Partial<RejectedInput> = {}): RejectedInput => ({
  via: "nats",
  code: "invalid",
  business: null,
  origin: `hub.events.x ${n}`,
  detail: "/source: required",
  errors: [{ pointer: "/source", detail: "required" }],
  raw: Buffer.from(`{"n":${n}}`),
  identity: String(n),
  ...changes,
})

beforeAll(async () => {
  front = await startFront(({ db }) => [rejectedRoutes({ db })])
  const rejections = createRejections(front)
  for (let n = 1; n <= 5; n++) await rejections.keep([input(n)])
  await rejections.keep([
    input(6, { via: "webhook", code: "malformed", business: business("b1") }),
    input(7, { via: "webhook", code: "malformed", business: business("b2") }),
  ])
})
afterAll(() => front.stop())

test("an operator sees what was rejected, newest first, its errors and its text, counted by door and reason", async () => {
  const { data, groups, groups_complete } = await page("/admin/rejected")
  expect(groups_complete).toBe(true)
  expect(data).toHaveLength(7)
  expect(data.map(({ id }) => id)).toEqual(
    data
      .map(({ id }) => id)
      .toSorted()
      .toReversed(),
  )
  expect(data.at(-1)).toMatchObject({ raw: '{"n":1}', errors: [{ pointer: "/source", detail: "required" }] })
  expect(groups).toEqual([
    { via: "nats", code: "invalid", count: 5 },
    { via: "webhook", code: "malformed", count: 2 },
  ])
})

test("pages are walked by `after`, and the groups of each are over all of them", async () => {
  const first = await page("/admin/rejected?limit=4")
  expect(first.page_info.has_more).toBe(true)
  const second = await page(`/admin/rejected?limit=4&after=${first.page_info.after}`)
  expect(second.page_info).toEqual({ after: null, has_more: false })
  expect(new Set([...first.data, ...second.data].map(({ id }) => id)).size).toBe(7)
  expect(second.groups).toEqual(first.groups)
})

test("door, code and time narrow the list and its groups", async () => {
  expect((await page("/admin/rejected?via=webhook")).groups).toEqual([{ via: "webhook", code: "malformed", count: 2 }])
  expect((await page("/admin/rejected?code=invalid")).data).toHaveLength(5)
  expect((await page("/admin/rejected?since=2020-01-01T00:00:00Z")).data).toHaveLength(7)
  expect((await page("/admin/rejected?since=2999-01-01T00:00:00Z")).data).toHaveLength(0)
  expect((await get("/admin/rejected?since=yesterday")).status).toBe(422)
  expect((await get("/admin/rejected?after=evt_x")).status).toBe(422)
})

test("an admin of one business sees its rows alone; of some of its locations, none; nobody else sees any", async () => {
  const admin = (tenants: unknown) => tokenFor({ sub: "op", roles: ["admin"], tenants })
  const own = await page("/admin/rejected", await admin([{ business: "b1" }]))
  expect(own.data.map(({ raw }) => raw)).toEqual(['{"n":6}'])
  expect(own.groups).toEqual([{ via: "webhook", code: "malformed", count: 1 }])
  const branch = await page("/admin/rejected", await admin([{ business: "b1", locations: ["l1"] }]))
  expect(branch).toMatchObject({ data: [], groups: [] })
  expect((await get("/admin/rejected", SERVICE_KEY)).status).toBe(403)
  expect((await get("/admin/rejected", null)).status).toBe(401)
})

test("of very many the groups are of the newest, and say so; what a filter leaves is counted whole", async () => {
  await front.db.execute(
    `insert into rejected (id, via, code, origin, fingerprint, content)
     select 'rej_z' || lpad(n::text, 25, '0'), 'http', 'invalid', 'POST /v1/events', decode(md5(n::text), 'hex'), content
     from generate_series(1, 10001) n, (select content from rejected limit 1) as one`,
  )
  const many = await page("/admin/rejected?limit=1")
  expect(many).toMatchObject({ groups: [{ via: "http", code: "invalid", count: 10_001 }], groups_complete: false })
  const few = await page("/admin/rejected?via=nats")
  expect(few).toMatchObject({ groups: [{ via: "nats", code: "invalid", count: 5 }], groups_complete: true })
})
