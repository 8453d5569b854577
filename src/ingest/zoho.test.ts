import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { asEventId, type EventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { getEvent } from "../store/events.ts"
import { rawBodyOf } from "../store/raw-bodies.ts"
import { listRejected } from "../store/rejected.ts"
import { type Front, startFront } from "../testing/front.ts"
import { type ZohoSending, zohoRequest } from "../testing/zoho-sender.ts"
import { createAccept } from "./accept.ts"
import { createRejections } from "./rejections.ts"
import { zohoRoutes } from "./zoho.ts"

const SECRET = "mysecretkey12"
let front: Front
beforeAll(async () => {
  front = await startFront(
    (parts) => [
      zohoRoutes({
        ...parts,
        accept: createAccept(parts),
        rejections: createRejections(parts),
        secret: parts.config.zoho.webhookSecret,
      }),
    ],
    { ZOHO_WEBHOOK_SECRET: SECRET },
  )
})
afterAll(() => front.stop())

interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: JsonObject
}
const send = async (sending: ZohoSending, business = "b1", changes: Record<string, string> = {}): Promise<Answered> => {
  const { path, ...request } = zohoRequest(business, sending, SECRET)
  const answer = await front.call(path, { ...request, headers: { ...request.headers, ...changes } })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as JsonObject }
}
const update = (record: JsonObject, op = "updated", entity = "invoice"): ZohoSending => ({
  query: [
    ["entity", entity],
    ["op", op],
  ],
  body: JSON.stringify({ [entity]: record }),
})
const idOf = ({ body }: Answered): EventId => {
  const id = asEventId(String(body["id"]))
  if (id === null) throw new Error(`no event: ${JSON.stringify(body)}`)
  return id
}
const eventOf = async (answer: Answered) => {
  const event = await getEvent(front.db, idOf(answer))
  if (event === null) throw new Error("not stored")
  return event
}
const count = async (table: "events" | "raw_bodies"): Promise<number> => {
  const [row] = await front.db.query<{ n: number }>(`select count(*)::int as n from ${table}`)
  return row?.n ?? -1
}

const INVOICE = {
  invoice_id: "982000000567114",
  invoice_number: "INV-00003",
  last_modified_time: "2026-01-05T09:00:00+0400",
  status: "sent",
  customer_name: "نور",
  total: 40.6,
}

describe("a webhook of Zoho", () => {
  test("is stored whole before it is answered, with its bytes as they were signed", async () => {
    const body = `{"invoice": ${JSON.stringify(INVOICE)},  "organization_id": "7"}`
    const answer = await send(
      {
        query: [
          ["entity", "invoice"],
          ["op", "sent"],
        ],
        body,
      },
      "b-whole",
    )
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({ id: expect.stringMatching(/^evt_/), status: "accepted" })
    expect(await eventOf(answer)).toMatchObject({
      type: "invoice.sent",
      source: "zoho",
      severity: "info",
      business: "b-whole",
      location: null,
      occurredAt: Date.UTC(2026, 0, 5, 5),
      payload: INVOICE,
    })
    expect((await rawBodyOf(front.db, idOf(answer)))?.toString()).toBe(body)
  })

  test.each([
    ["contact", { contact_id: "1" }, "contact.updated"],
    ["item", { item_id: "1" }, "product.updated"],
    ["salesorder", { salesorder_id: "1" }, "order.updated"],
    ["invoice", { invoice_id: "1" }, "invoice.updated"],
    ["bill", { bill_id: "1" }, "bill.updated"],
    ["creditnote", { creditnote_id: "1" }, "credit_note.updated"],
    ["inventory_adjustment", { inventory_adjustment_id: "1" }, "stock.updated"],
    ["pricebook", { pricebook_id: "1" }, "price.updated"],
  ])("about a %s", async (key, record, type) => {
    const answer = await send({ body: JSON.stringify({ [key]: record }) }, "b-types")
    expect(answer.status).toBe(201)
    expect(await eventOf(answer)).toMatchObject({ type, payload: record })
  })

  test("comes as JSON in a form, as fields of a form, as text, or as JSON that is called a form", async () => {
    const payload = { invoice_id: "5", note: "a=b & c+d" }
    const json = JSON.stringify({ invoice: payload })
    const query = [
      ["entity", "invoice"],
      ["op", "paid"],
    ] as const
    const form = "application/x-www-form-urlencoded"
    const answers = [
      await send({ form: [["JSONString", json]] }, "f1"),
      await send({ query, form: Object.entries(payload) }, "f2"),
      await send({ query, body: json }, "f3", { "content-type": "text/plain; charset=utf-8" }),
      await send({ query, body: json }, "f4", { "content-type": form }),
      await send({ query: [...query, ...Object.entries(payload)] }, "f5"),
      await send({ query: [...query, ["organization_id", "7"]], body: JSON.stringify(payload) }, "f6"),
    ]
    expect(answers.map(({ status }) => status)).toEqual(Array(answers.length).fill(201))
    const events = await Promise.all(answers.map(eventOf))
    expect(events.map((event) => event.payload)).toEqual(Array(answers.length).fill(payload))
    expect(events.map(({ type }) => type)).toEqual(["invoice.updated", ...Array(5).fill("invoice.paid")])
  })
})

describe("an update", () => {
  test("every second update of the same invoice was lost to an unversioned key while answering 200", async () => {
    const versions = [
      INVOICE,
      { ...INVOICE, status: "viewed", last_modified_time: "2026-01-05T09:00:01+0400" },
      { ...INVOICE, status: "paid", last_modified_time: "2026-01-05T09:00:02+0400" },
    ]
    const answers: Answered[] = []
    for (const version of versions) answers.push(await send(update(version), "b-versions"))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(new Set(answers.map(idOf)).size).toBe(3)
    const events = await Promise.all(answers.map(eventOf))
    expect(events.map(({ payload }) => payload["status"])).toEqual(["sent", "viewed", "paid"])
  })

  test("with the same modified time and another body is a new event", async () => {
    const answers = [await send(update(INVOICE), "b-second"), await send(update({ ...INVOICE, total: 41 }), "b-second")]
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
  })

  test("of another operation, or in another business, is a new event", async () => {
    const answers = [
      await send(update(INVOICE), "b-op"),
      await send(update(INVOICE, "deleted"), "b-op"),
      await send(update(INVOICE), "b-other"),
    ]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
  })

  test("of an invoice with a hundred lines, written whole, is taken", async () => {
    const line = Object.fromEntries(Array.from({ length: 45 }, (_, n) => [`field_${n}`, ""]))
    const many = { ...INVOICE, invoice_id: "100-lines", line_items: Array.from({ length: 100 }, () => line) }
    expect((await send(update(many))).status).toBe(201)
  })

  test("that is repeated is one event, also by fifty at once", async () => {
    const before = [await count("events"), await count("raw_bodies")]
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(update(INVOICE), "b-repeat")))
    expect(new Set(answers.map(idOf)).size).toBe(1)
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    for (const { status, body, headers } of answers.filter((answer) => answer.status !== 201)) {
      expect([status, body["status"], headers.get("idempotent-replayed")]).toEqual([200, "duplicate", "true"])
    }
    expect([await count("events"), await count("raw_bodies")]).toEqual(before.map((n) => n + 1))
  })
})

describe("what is authentic and no event", () => {
  const cases: readonly [string, ZohoSending, Record<string, string>, number, string][] = [
    ["no JSON", { body: '{"invoice":' }, {}, 400, "malformed"],
    ["nothing", {}, {}, 422, "invalid"],
    ["no JSON in a form", { form: [["JSONString", "{"]] }, {}, 400, "malformed"],
    ["an unknown entity", { query: [["entity", "payslip"]], body: "{}" }, {}, 422, "invalid"],
    ["a list", { query: [["entity", "bill"]], body: "[1]" }, {}, 422, "invalid"],
    ["XML", { body: "<invoice/>" }, { "content-type": "text/xml" }, 415, "unsupported_media_type"],
    ["a numeral that no double holds", { body: '{"bill":{"total":1e999}}' }, {}, 422, "invalid"],
  ]
  test.each(cases)("%s is refused and kept for its business", async (_, sending, headers, status, code) => {
    const business = `kept-${code}-${Bun.hash(JSON.stringify(sending))}`
    const answer = await send(sending, business, headers)
    expect([answer.status, answer.body["code"]]).toEqual([status, code])
    const { rejected } = await listRejected(front.db, { businesses: null, via: "zoho", code, limit: 100 })
    expect(rejected.filter((row) => row["business_id"] === business)).toMatchObject([{ origin: "zoho", count: 1 }])
    expect(front.emitted.findLast((event) => event.kind === "event_rejected")).toEqual({
      kind: "event_rejected",
      via: "zoho",
      code,
      count: 1,
    })
  })

  test("and what is not authentic is counted alone, whatever is wrong with it besides", async () => {
    const rows = (await listRejected(front.db, { businesses: null, via: "zoho", limit: 200 })).rejected.length
    const secretive = ["<xml/>", "{", "{}", '{"invoice":{}}', ""]
    for (const body of secretive) {
      const answer = await send({ body }, "!", {
        "content-type": "text/xml",
        "x-zoho-webhook-signature": "0".repeat(64),
      })
      expect([answer.status, answer.body["code"]]).toEqual([401, "unauthenticated"])
      expect(front.emitted.findLast((event) => event.kind === "event_rejected")).toMatchObject({
        via: "zoho",
        code: "unauthenticated",
      })
    }
    expect((await listRejected(front.db, { businesses: null, via: "zoho", limit: 200 })).rejected).toHaveLength(rows)
  })

  test("a business that is no id is 404", async () => {
    expect((await send(update(INVOICE), "a%20b")).status).toBe(404)
  })

  test("a body over the limit is 413", async () => {
    const answer = await send({ body: JSON.stringify({ invoice: { note: "x".repeat(257 * 1024) } }) })
    expect([answer.status, answer.body["code"]]).toEqual([413, "too_large"])
  })
})
