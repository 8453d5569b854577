import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { seal } from "../store/sealed.ts"
import { eventually } from "../testing/eventually.ts"
import { B1_KEY, type CallOptions, type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { recipientRoutes } from "./recipients.ts"

let front: Front
beforeAll(async () => {
  front = await startFront(({ db }) => [recipientRoutes({ db })])
})
afterAll(() => front.stop())

const put = (id: string, json: unknown, key = SERVICE_KEY): Promise<Response> =>
  front.call(`/v1/recipients/${id}`, { method: "PUT", json, key })
interface Body {
  readonly email: string | null
  readonly memberships: readonly unknown[]
  readonly data: readonly { readonly id: string }[]
  readonly page_info: unknown
  readonly errors: readonly { readonly pointer: string }[]
  readonly results: readonly { readonly status: string; readonly errors: readonly { readonly pointer: string }[] }[]
}
const body = (path: string, options?: CallOptions): Promise<Body> => jsonOf(front.call(path, options))

describe("a recipient", () => {
  test("is created, replaced whole and read back with its memberships", async () => {
    const first = await put("ann", {
      memberships: [{ business_id: "b1", location_ids: ["l1"], roles: ["accountant"] }],
      name: "آن كريم",
      email: "ann@example.com",
      phone: "+9647701234567",
      telegram_chat_id: 4711,
      slack_webhook_url: "https://hooks.example.com/services/1",
      slack_user_id: "U012AB3CD",
      device_tokens: [{ platform: "ios", token: "t1" }],
      locale: "ar",
      timezone: "Asia/Baghdad",
    })
    expect(first.status).toBe(201)
    const made = await jsonOf<Body>(first)
    expect(made).toMatchObject({ id: "ann", name: "آن كريم", telegram_chat_id: "4711", locale: "ar" })
    expect(await body("/v1/recipients/ann")).toEqual(made)
    const second = await put("ann", { business_id: "b2", roles: ["boss"] })
    expect(second.status).toBe(200)
    expect(await jsonOf<Body>(second)).toMatchObject({
      name: null,
      email: null,
      memberships: [{ business_id: "b2", location_ids: null, roles: ["boss"] }],
    })
  })

  test("without any business belongs to the caller's only one", async () => {
    const made = await jsonOf<Body>(put("own", { roles: ["waiter"] }, B1_KEY))
    expect(made.memberships).toEqual([{ business_id: "b1", location_ids: null, roles: ["waiter"] }])
  })

  test("has a Slack member's id of any length", async () => {
    expect(await jsonOf<Body>(put("slacker", { slack_user_id: "U1" }))).toMatchObject({ slack_user_id: "U1" })
    expect((await put("slacker", { slack_user_id: "@slacker" })).status).toBe(422)
  })

  test("that is wrong is refused with every mistake's pointer", async () => {
    const answer = await put("bad", {
      emial: "x@example.com",
      email: "nobody",
      phone: "0770",
      timezone: "Mars/Olympus",
      locale: "!",
      slack_webhook_url: "file:///etc/passwd",
      memberships: [{ business_id: "b 1" }, { business_id: "b1", roles: "boss" }],
    })
    expect(answer.status).toBe(422)
    const { errors } = await jsonOf<Body>(answer)
    const pointers = errors.map((error) => error.pointer)
    expect(pointers.sort()).toEqual(
      [
        "/email",
        "/emial",
        "/locale",
        "/memberships~10~1business_id",
        "/memberships~11~1roles",
        "/phone",
        "/slack_webhook_url",
        "/timezone",
      ].map((pointer) => pointer.replaceAll("~1", "/")),
    )
  })

  test("is gone after its deletion, and deleting it again is 404", async () => {
    await put("tmp", { business_id: "b1" })
    expect((await front.call("/v1/recipients/tmp", { method: "DELETE", key: SERVICE_KEY })).status).toBe(204)
    expect((await front.call("/v1/recipients/tmp", { method: "DELETE", key: SERVICE_KEY })).status).toBe(404)
    expect((await front.call("/v1/recipients/tmp")).status).toBe(404)
  })
})

describe("tenancy", () => {
  test("a key of one business neither sees nor replaces a recipient of another", async () => {
    await put("cid", { business_id: "b2", email: "cid@example.com" })
    expect((await front.call("/v1/recipients/cid", { key: B1_KEY })).status).toBe(404)
    expect((await put("cid", { business_id: "b1", email: "evil@example.com" }, B1_KEY)).status).toBe(404)
    expect((await front.call("/v1/recipients/cid", { method: "DELETE", key: B1_KEY })).status).toBe(404)
    expect(await body("/v1/recipients/cid")).toMatchObject({ email: "cid@example.com" })
  })

  test("a key of one business cannot put anybody into another", async () => {
    const answer = await put("new", { memberships: [{ business_id: "b1" }, { business_id: "b2" }] }, B1_KEY)
    expect(answer.status).toBe(422)
    expect((await jsonOf<Body>(answer)).errors[0]?.pointer).toBe("/memberships/1/business_id")
  })

  test("a key of one business changes its own memberships and leaves the others alone", async () => {
    await put("two", {
      memberships: [
        { business_id: "b1", roles: ["a"] },
        { business_id: "b2", roles: ["x"] },
      ],
    })
    const seen = await jsonOf<Body>(put("two", { business_id: "b1", roles: ["b"] }, B1_KEY))
    expect(seen.memberships).toEqual([{ business_id: "b1", location_ids: null, roles: ["b"] }])
    const whole = await body("/v1/recipients/two")
    expect(whole.memberships).toEqual([
      { business_id: "b1", location_ids: null, roles: ["b"] },
      { business_id: "b2", location_ids: null, roles: ["x"] },
    ])
  })

  test("a person without the role may not manage recipients", async () => {
    const token = await tokenFor({ sub: "u1", business_id: "b1" })
    expect((await front.call("/v1/recipients", { key: token })).status).toBe(403)
    expect((await front.call("/v1/recipients", { key: null })).status).toBe(401)
  })
})

describe("many recipients", () => {
  test("a batch gives each item its own result and keeps the good ones", async () => {
    const answer = await front.call("/v1/recipients/batch", {
      key: SERVICE_KEY,
      json: {
        recipients: [
          { id: "m1", business_id: "b1" },
          { id: "no spaces", business_id: "b1" },
          { id: "m2", business_id: "b1", phone: "x" },
          "m3",
          { id: 42, business_id: "b1" },
        ],
      },
    })
    expect(answer.status).toBe(200)
    const { results } = await jsonOf<Body>(answer)
    expect(results.map((r) => r.status)).toEqual(["created", "invalid", "invalid", "invalid", "created"])
    expect(results[2]?.errors[0]?.pointer).toBe("/phone")
    expect((await front.call("/v1/recipients/m1")).status).toBe(200)
    expect((await front.call("/v1/recipients/42")).status).toBe(200)
  })

  test("a batch of a thousand whole recipients is taken, and what cannot be stored fails alone", async () => {
    const whole = Array.from({ length: 1_000 }, (_, n) => ({
      id: `whole-${n}`,
      business_id: "b1",
      name: `Person ${n}`,
      email: `p${n}@example.com`,
      phone: "+4915112345678",
      roles: ["waiter"],
      location_ids: ["l1"],
      locale: "en",
      timezone: "Europe/Berlin",
    }))
    const json = whole.map((one, n) => (n === 500 ? { ...one, name: "nul \u0000" } : one))
    const { results } = await jsonOf<Body>(front.call("/v1/recipients/batch", { key: SERVICE_KEY, json }))
    expect(results.filter((r) => r.status === "created").length).toBe(999)
    expect(results[500]).toMatchObject({ status: "invalid", errors: [{ pointer: "/name" }] })
  })

  test("the list is walked page by page, by role, and only within the caller's businesses", async () => {
    await front.call("/v1/recipients/batch", {
      key: SERVICE_KEY,
      json: ["p1", "p2", "p3"].map((id) => ({ id, business_id: "b1", roles: ["pager"] })),
    })
    await put("p4", { business_id: "b2", roles: ["pager"] })
    const first = await body("/v1/recipients?role=pager&limit=2", { key: B1_KEY })
    expect(first.data.map((r) => r.id)).toEqual(["p1", "p2"])
    expect(first.page_info).toEqual({ after: "p2", has_more: true })
    const rest = await body("/v1/recipients?role=pager&limit=2&after=p2", { key: B1_KEY })
    expect(rest.data.map((r) => r.id)).toEqual(["p3"])
    expect(rest.page_info).toEqual({ after: null, has_more: false })
  })
})

test("whom another tenant is just creating is a stranger, and stays as that tenant said", async () => {
  const b2 = await tokenFor({ sub: "erp", role: "service", business_id: "b2" })
  const theirs = { id: "twin", business_id: "b2", email: "thief@example.com" }
  const waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
  for (const [method, path, json] of [
    ["PUT", "/v1/recipients/twin", { ...theirs, id: undefined }],
    ["POST", "/v1/recipients/batch", [theirs, { id: "other", business_id: "b2" }]],
  ] as const) {
    const late: Promise<Response>[] = []
    await front.db.execute("delete from recipients where id = 'twin'")
    await front.db.transaction(async (tx) => {
      const profile = seal({ name: "Twin", email: "twin@example.com", phone: null, deviceTokens: [] })
      await tx.execute("insert into recipients (id, profile) values ('twin', $1)", [profile])
      await tx.execute("insert into memberships (recipient_id, business_id, roles) values ('twin', 'b1', '{}')")
      late.push(front.call(path, { method, json, key: b2 }))
      await eventually(
        () => front.db.query(waiting),
        (rows) => rows.length > 0,
        { withinMs: 10_000, everyMs: 5, what: "the other tenant's word waits" },
      )
    })
    const [answer] = await Promise.all(late)
    if (answer === undefined) throw new Error("nobody asked")
    if (method === "PUT") expect(answer.status).toBe(404)
    else expect(await jsonOf<Body>(answer)).toMatchObject({ results: [{ status: "invalid" }, { status: "created" }] })
    expect(await body("/v1/recipients/twin")).toMatchObject({
      email: "twin@example.com",
      memberships: [{ business_id: "b1" }],
    })
  }
})
