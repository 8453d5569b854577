import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { insertEvents } from "../store/events.ts"
import { business, incoming, location } from "../testing/builders.ts"
import { B1_KEY, type Front, startFront, tokenFor } from "../testing/front.ts"
import { eventRoutes } from "./events.ts"

let front: Front
const ids: string[] = []
beforeAll(async () => {
  front = await startFront(({ db }) => [eventRoutes({ db })])
  // b1: 30 events a third at l1, the others at l2, one of the whole business; b2: one.
  for (let i = 0; i < 30; i += 1) {
    const [stored] = await insertEvents(
      front.db,
      [
        incoming({
          type: i < 10 ? "early" : "late",
          source: "s",
          location: location(i % 3 === 0 ? "l1" : "l2"),
          payload: { i },
        }),
      ],
      Date.now(),
    )
    ids.push(stored?.id ?? "")
  }
  const rest = await insertEvents(
    front.db,
    [incoming({ type: "whole" }), incoming({ business: business("b2") })],
    Date.now(),
  )
  ids.push(...rest.map(({ id }) => id))
})
afterAll(() => front.stop())

const list = async (
  query: string,
  key?: string,
): Promise<{ data: JsonObject[]; page_info: { after: string | null; has_more: boolean } }> =>
  (await front.call(`/v1/events?${query}`, key === undefined ? {} : { key })).json() as never // the test's own expectation
const personOf = (claims: object): Promise<string> => tokenFor({ sub: "u1", ...claims })

describe("one event", () => {
  test("is shown as it was accepted", async () => {
    const response = await front.call(`/v1/events/${ids[0]}`)
    expect(await response.json()).toEqual({
      id: ids[0],
      type: "early",
      source: "s",
      severity: "info",
      business_id: "b1",
      location_id: "l1",
      occurred_at: "2026-03-02T09:00:00.000Z",
      accepted_at: expect.any(String),
      correlation_id: null,
      idempotency_key: null,
      payload: { i: 0 },
    })
  })

  test("of another tenant or location answers as one that is not there", async () => {
    const answers = [
      await front.call(`/v1/events/${ids[31]}`, { key: B1_KEY }),
      await front.call(`/v1/events/${ids[1]}`, { key: await personOf({ business_id: "b1", location_ids: ["l1"] }) }),
      await front.call(`/v1/events/${ids[30]}`, { key: await personOf({ business_id: "b1", location_ids: ["l1"] }) }),
      await front.call("/v1/events/evt_00000000000000000000000000"),
      await front.call("/v1/events/nonsense"),
      await front.call("/v1/events/%00"),
    ]
    const bodies = await Promise.all(answers.map((answer) => answer.json() as Promise<JsonObject>))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404))
    expect(new Set(bodies.map((body) => body["detail"])).size).toBe(1)
  })
})

describe("the list of events", () => {
  test("takes a parameter without a value as one that is not there", async () => {
    const empty = await list("type=&source=&business_id=&since=&until=&after=&limit=")
    expect(empty).toEqual(await list(""))
    expect(empty.data.length).toBeGreaterThan(0)
  })

  test("is newest first and walked by `after`", async () => {
    const seen: unknown[] = []
    let after: string | null = ""
    while (after !== null) {
      const page: Awaited<ReturnType<typeof list>> = await list(`limit=7&after=${after}`)
      seen.push(...page.data.map(({ id }) => id))
      after = page.page_info.after
      expect(page.page_info.has_more).toBe(after !== null)
    }
    expect(seen).toEqual([...ids].reverse())
  })

  test("shows each caller its own places, page by page", async () => {
    const key = await personOf({ business_id: "b1", location_ids: ["l2"] })
    const seen: unknown[] = []
    let after: string | null = ""
    while (after !== null) {
      const page: Awaited<ReturnType<typeof list>> = await list(`limit=4&after=${after}`, key)
      expect(page.data.length).toBeLessThanOrEqual(4)
      seen.push(...page.data.map(({ id }) => id))
      after = page.page_info.after
    }
    expect(seen).toEqual(
      ids
        .slice(0, 30)
        .filter((_, i) => i % 3 !== 0)
        .reverse(),
    )
    expect((await list("", B1_KEY)).data).toHaveLength(31)
    expect((await list("", await personOf({}))).data).toHaveLength(0)
  })

  test("can be narrowed", async () => {
    expect((await list("type=early")).data).toHaveLength(10)
    expect((await list("source=s")).data).toHaveLength(30)
    expect((await list("business_id=b2")).data).toHaveLength(1)
    expect((await list("until=2020-01-01T00:00:00Z")).data).toHaveLength(0)
    expect((await list("since=2020-01-01T00:00:00+00:00")).data).toHaveLength(32)
  })

  test("refuses what it does not understand, and another tenant's business is not there", async () => {
    for (const query of ["limit=0", "limit=201", "limit=x", "after=x", "since=x", "until=5", "business_id=a b"])
      expect((await front.call(`/v1/events?${query}`)).status).toBe(422)
    expect((await front.call("/v1/events?business_id=b2", { key: B1_KEY })).status).toBe(404)
    expect((await front.call("/v1/events", { key: null })).status).toBe(401)
  })
})

test("totals are those of the businesses that the caller sees whole", async () => {
  const total = async (key?: string): Promise<unknown> =>
    (
      (await (await front.call("/v1/events/stats/summary", key === undefined ? {} : { key })).json()) as {
        events: { total: number }
      }
    ).events.total
  expect(await total()).toBe(32)
  expect(await total(B1_KEY)).toBe(31)
  expect(await total(await personOf({ business_id: "b2" }))).toBe(1)
  expect(await total(await personOf({ business_id: "b1", location_ids: ["l1"] }))).toBe(0)
})
