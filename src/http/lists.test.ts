import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { asBusinessId } from "../domain/ids.ts"
import { audienceOf } from "../store/audience.ts"
import { ADMIN_KEY, B1_KEY, type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { listRoutes } from "./lists.ts"
import { recipientRoutes } from "./recipients.ts"

let front: Front
beforeAll(async () => {
  front = await startFront(({ db }) => [recipientRoutes({ db }), listRoutes({ db })])
  for (const id of ["ann", "bob", "cid"]) await recipient(id, { business_id: "b1" })
  await recipient("dee", { business_id: "b2" })
  await recipient("eve", { memberships: [{ business_id: "b1", location_ids: ["l1"] }, { business_id: "b2" }] })
})
afterAll(() => front.stop())

async function recipient(id: string, json: object, key = SERVICE_KEY): Promise<void> {
  expect((await front.call(`/v1/recipients/${id}`, { method: "PUT", json, key })).status).toBeLessThan(300)
}
interface Page {
  readonly data: readonly { readonly recipient_id: string; readonly list: string; readonly members: number }[]
  readonly page_info: { readonly after: string | null; readonly has_more: boolean }
}
const call = (method: string, path: string, key = B1_KEY) => front.call(path, { method, key })
const put = (list: string, id: string, key = B1_KEY) => call("PUT", `/v1/lists/${list}/members/${id}`, key)
const membersOf = async (path: string, key = B1_KEY) =>
  (await jsonOf<Page>(call("GET", path, key))).data.map((member) => member.recipient_id)
const listed = async (lists: readonly string[], location: string | null = null) => {
  const [business, place] = [asBusinessId("b1"), location === null ? null : asBusinessId(location)]
  if (business === null) throw new Error("no id")
  const [answer] = await audienceOf(front.db)([
    { business, location: place as never, roles: [], users: [], lists, everyone: false }, // both are outside ids
  ])
  return answer?.recipients.map(({ id }) => String(id))
}

describe("a list", () => {
  test("holds each of its people once, and whoever it names hears", async () => {
    const first = await put("vip", "bob")
    expect(first.status).toBe(201)
    const member = await jsonOf(first)
    expect(member).toEqual({ recipient_id: "bob", added_at: expect.any(String) })
    const again = await put("vip", "bob")
    expect(again.status).toBe(200)
    expect(await jsonOf(again)).toEqual(member)
    await put("vip", "ann")
    expect(await membersOf("/v1/lists/vip/members")).toEqual(["ann", "bob"])
    expect(await listed(["vip"])).toEqual(["ann", "bob"])
    expect((await call("DELETE", "/v1/lists/vip/members/ann")).status).toBe(204)
    expect((await call("DELETE", "/v1/lists/vip/members/ann")).status).toBe(404)
    expect(await listed(["vip", "nobody-made-this"])).toEqual(["bob"])
  })

  test("counts within the location of the event, as roles do", async () => {
    await put("local", "eve")
    await put("local", "cid")
    expect(await listed(["local"], "l1")).toEqual(["cid", "eve"])
    expect(await listed(["local"], "l2")).toEqual(["cid"])
  })

  test("is read page by page, and so are the names of all", async () => {
    for (const id of ["ann", "bob", "cid"]) await put("paged", id)
    const first = await jsonOf<Page>(call("GET", "/v1/lists/paged/members?limit=2"))
    expect(first.page_info).toEqual({ after: "bob", has_more: true })
    expect(await membersOf(`/v1/lists/paged/members?limit=2&after=${first.page_info.after}`)).toEqual(["cid"])
    const names = await jsonOf<Page>(call("GET", "/v1/lists"))
    expect(names.data).toContainEqual({ list: "paged", members: 3 } as never)
    const one = await jsonOf<Page>(call("GET", "/v1/lists?limit=1"))
    const next = await jsonOf<Page>(call("GET", `/v1/lists?limit=1&after=${one.page_info.after}`))
    expect([...one.data, ...next.data]).toEqual(names.data.slice(0, 2) as never)
    expect((await jsonOf<Page>(call("GET", "/v1/lists/empty/members"))).data).toEqual([])
  })

  test("is one business's: of two with one name each holds its own people", async () => {
    await put("both", "eve")
    expect((await put("both", "eve", SERVICE_KEY)).status).toBe(404)
    expect((await call("PUT", "/v1/lists/both/members/dee?business_id=b2", SERVICE_KEY)).status).toBe(201)
    expect(await membersOf("/v1/lists/both/members?business_id=b1", SERVICE_KEY)).toEqual(["eve"])
    expect(await membersOf("/v1/lists/both/members?business_id=b2", SERVICE_KEY)).toEqual(["dee"])
    expect(await membersOf("/v1/lists/both/members", SERVICE_KEY)).toEqual([])
    await call("PUT", "/v1/lists/both/members/eve?business_id=b2", SERVICE_KEY)
    expect((await call("DELETE", "/v1/lists/both/members/eve")).status).toBe(204)
    expect(await membersOf("/v1/lists/both/members?business_id=b2", SERVICE_KEY)).toEqual(["dee", "eve"])
  })

  test("takes nobody from elsewhere, and another tenant's is not there", async () => {
    for (const id of ["dee", "nobody", "no%20id"]) {
      const answer = await put("vip", id)
      expect(answer.status).toBe(404)
      expect(await answer.text()).toContain("no recipient of this id that you can see")
    }
    for (const [method, path] of [
      ["PUT", "/v1/lists/both/members/dee?business_id=b2"],
      ["DELETE", "/v1/lists/both/members/dee?business_id=b2"],
      ["GET", "/v1/lists/both/members?business_id=b2"],
      ["GET", "/v1/lists?business_id=b2"],
    ] as const) {
      expect((await call(method, path)).status).toBe(404)
    }
    const two = await tokenFor({ sub: "x", roles: ["service"], tenants: [{ business: "b1" }, { business: "b2" }] })
    expect((await call("GET", "/v1/lists", two)).status).toBe(404)
    expect((await call("GET", "/v1/lists?business_id=b1", two)).status).toBe(200)
  })

  test("has a name that rules can say, and is kept by services and operators", async () => {
    for (const name of ["a%20b", "a%2Fb", "x".repeat(65), "%D8%A3"]) expect((await put(name, "ann")).status).toBe(422)
    expect((await call("GET", "/v1/lists?business_id=a%20b", ADMIN_KEY)).status).toBe(422)
    const person = await tokenFor({ sub: "ann", business_id: "b1" })
    expect((await call("GET", "/v1/lists", person)).status).toBe(403)
    expect((await put("vip", "ann", person)).status).toBe(403)
  })

  test("loses whoever leaves the business, for good", async () => {
    await recipient("fay", { memberships: [{ business_id: "b1" }, { business_id: "b2" }] })
    await put("left", "fay")
    await call("PUT", "/v1/lists/left/members/fay?business_id=b2", SERVICE_KEY)
    await recipient("fay", { memberships: [{ business_id: "b2" }] })
    expect(await membersOf("/v1/lists/left/members")).toEqual([])
    await recipient("fay", { memberships: [{ business_id: "b1" }, { business_id: "b2" }] })
    expect(await membersOf("/v1/lists/left/members")).toEqual([])
    expect(await membersOf("/v1/lists/left/members?business_id=b2", SERVICE_KEY)).toEqual(["fay"])

    await put("left", "fay")
    expect((await call("DELETE", "/v1/recipients/fay")).status).toBe(204)
    expect(await membersOf("/v1/lists/left/members")).toEqual([])
    expect(await membersOf("/v1/lists/left/members?business_id=b2", SERVICE_KEY)).toEqual(["fay"])
    expect((await call("DELETE", "/v1/recipients/fay", SERVICE_KEY)).status).toBe(204)
    expect(await membersOf("/v1/lists/left/members?business_id=b2", SERVICE_KEY)).toEqual([])
  })
})
