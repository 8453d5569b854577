import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Json } from "../domain/json.ts"
import { business } from "../testing/builders.ts"
import type { Draft } from "./draft.ts"
import { readZoho } from "./zoho-record.ts"
import { type Parameter, signedParameters } from "./zoho-signature.ts"

const read = (body: Json, parameters: readonly Parameter[] = []) => {
  const raw = body === null ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(body))
  return readZoho({ business: business("b1"), message: { parameters, raw }, body })
}
const draft = (body: Json, parameters: readonly Parameter[] = []): Draft => {
  const found = read(body, parameters)
  if ("errors" in found) throw new Error(JSON.stringify(found.errors))
  return found.draft
}
const errors = (body: Json, parameters: readonly Parameter[] = []) => {
  const found = read(body, parameters)
  return "errors" in found ? found.errors.map(({ pointer }) => pointer) : "none"
}

describe("an event of Zoho", () => {
  const words: readonly [string, string][] = [
    ["contact", "contact"],
    ["Contacts", "contact"],
    ["customer", "contact"],
    ["vendors", "contact"],
    ["item", "product"],
    ["products", "product"],
    ["salesorder", "order"],
    ["Sales Orders", "order"],
    ["order", "order"],
    ["invoices", "invoice"],
    ["bill", "bill"],
    ["creditnote", "credit_note"],
    ["credit-notes", "credit_note"],
    ["inventory_adjustment", "stock"],
    ["stock", "stock"],
    ["pricebook", "price"],
    ["Price Lists", "price"],
    ["prices", "price"],
  ]
  test.each(words)("of %p is of type %s.…, by its parameter", (word, entity) => {
    expect(draft({ x: 1 }, [["entity", word]]).type).toBe(`${entity}.updated`)
  })

  test.each(words)("under %p is of type %s.…, by its key", (word, entity) => {
    const key = word.toLowerCase().replaceAll(" ", "_")
    expect(draft({ [key]: { x: 1 } })).toMatchObject({ type: `${entity}.updated`, payload: { x: 1 } })
  })

  test.each([
    ["updated", "updated"],
    ["EDIT", "updated"],
    ["create", "created"],
    ["added", "created"],
    ["delete", "deleted"],
    ["Partially Paid", "partially_paid"],
    ["written_off", "written_off"],
  ])("by the operation %p is invoice.%s", (word, operation) => {
    expect(draft({ invoice: {} }, [["op", word]]).type).toBe(`invoice.${operation}`)
  })

  test("has the record for its payload, wrapped or not, with whatever stands in it", () => {
    const record = { invoice_id: "9", customer: { customer_id: 1 }, line_items: [{ item: { rate: 1.5 } }], total: null }
    const invoice = [["entity", "invoice"]] as const
    expect(draft({ invoice: record, organization_id: "7" }).payload).toEqual(record)
    expect(draft({ invoice: record }, invoice).payload).toEqual(record)
    expect(draft(record, invoice).payload).toEqual(record)
    expect(draft({ number: "INV-1", customer: { name: "x" } }, invoice).payload).toEqual({
      number: "INV-1",
      customer: { name: "x" },
    })
  })

  test("is not the record that another one holds", () => {
    expect(errors({ invoice_id: "9", customer: { customer_id: "1" } })).toEqual(["?entity"])
    const sent = { contact_id: "9", contact: { name: "of a person there" } }
    expect(draft(sent, [["entity", "contact"]]).payload).toEqual(sent)
  })

  test("is what the parameter says where the key says something near: stock comes as items", () => {
    expect(draft({ item: { item_id: "5", stock_on_hand: 2 } }, [["entity", "stock"]])).toMatchObject({
      type: "stock.updated",
      payload: { item_id: "5", stock_on_hand: 2 },
      idempotencyKey: expect.stringMatching(/^stock\/5\/updated\/\/[0-9a-f]{64}$/),
    })
  })

  test("happened when the record was modified, else made, else now", () => {
    const at = (record: Json) => draft({ invoice: record }).occurredAt
    expect(at({ last_modified_time: "2026-01-05T09:00:00+0400", created_time: "2025-01-01T00:00:00Z" })).toBe(
      Date.UTC(2026, 0, 5, 5),
    )
    expect(at({ created_time: "2025-01-01T00:00:00-0800" })).toBe(Date.UTC(2025, 0, 1, 8))
    for (const none of [{}, { last_modified_time: "yesterday" }, { last_modified_time: { at: 1 } }])
      expect(at(none)).toBeNull()
  })

  test("needs no field at all", () => {
    expect(draft({ bill: {} })).toMatchObject({ type: "bill.updated", severity: "info", source: "zoho", payload: {} })
  })

  test("may travel as fields of a form, or of the query alone", () => {
    const fields = [
      ["invoice_id", "9"],
      ["status", "paid"],
    ] as const
    expect(draft(null, [["entity", "invoice"], ["op", "paid"], ...fields])).toMatchObject({
      type: "invoice.paid",
      payload: { invoice_id: "9", status: "paid" },
      idempotencyKey: expect.stringMatching(/^invoice\/9\/paid\/\/[0-9a-f]{64}$/),
    })
  })
})

describe("what cannot be told is refused with its place", () => {
  const cases: readonly [string, Json, readonly Parameter[], readonly string[]][] = [
    ["no entity", { number: 1 }, [], ["?entity"]],
    ["an entity there is none of", { invoice: {} }, [["entity", "payslip"]], ["?entity"]],
    ["two records", { invoice: {}, bill: {} }, [], ["?entity"]],
    ["an operation that is no word", { invoice: {} }, [["op", "a.b"]], ["?op"]],
    [
      "an empty entity and operation",
      { invoice: {} },
      [
        ["entity", ""],
        ["op", ""],
      ],
      ["?entity", "?op"],
    ],
    [
      "an operation given twice",
      { invoice: {} },
      [
        ["op", "paid"],
        ["op", "sent"],
      ],
      ["?op"],
    ],
    ["a list", [{ invoice: {} }], [["entity", "invoice"]], [""]],
    ["a text", "invoice", [["entity", "invoice"]], [""]],
    ["a trap", JSON.parse('{"invoice":{"__proto__":{"a":1}}}'), [], ["/invoice/__proto__"]],
    ["a NUL", { invoice: { note: "a\0b" } }, [], ["/invoice/note"]],
    [
      "fields without an entity",
      null,
      [
        ["op", "paid"],
        ["invoice_id", "9"],
      ],
      ["?entity"],
    ],
    [
      "fields without an operation",
      null,
      [
        ["entity", "bill"],
        ["bill_id", "9"],
      ],
      ["?op"],
    ],
  ]
  test.each(cases)("%s", (_, body, parameters, pointers) => {
    expect(errors(body, parameters)).toEqual([...pointers])
  })

  test("what Zoho signs as entity=invoice&op=created, cut elsewhere", () => {
    const cuts: readonly (readonly Parameter[])[] = [
      [["entityinvoiceopcreated", ""]],
      [["ent", "ityinvoiceopcreated"]],
      [["entity", "invoiceopcreated"]],
      [
        ["entity", "invoice"],
        ["opc", "reated"],
      ],
      [
        ["entity", "invoice"],
        ["op", "c"],
        ["reat", "ed"],
      ],
    ]
    for (const cut of cuts) {
      expect(signedParameters(cut)).toBe("entityinvoiceopcreated")
      expect(errors({ invoice: { invoice_id: "1" } }, cut)).not.toBe("none")
    }
  })
})

describe("the key", () => {
  const record = { invoice_id: "9", last_modified_time: "2026-01-05T09:00:00+0400", status: "sent" }
  const keyOf = (body: Json, parameters: readonly Parameter[] = []) => draft(body, parameters).idempotencyKey

  test("names entity, id, operation and version, and ends with the body's hash", () => {
    expect(keyOf({ invoice: record }, [["op", "sent"]])).toMatch(
      /^invoice\/9\/sent\/2026-01-05T09:00:00\+0400\/[0-9a-f]{64}$/,
    )
  })

  test("is another one for another body with the same modified time", () => {
    expect(keyOf({ invoice: { ...record, status: "paid" } })).not.toBe(keyOf({ invoice: record }))
  })

  test("is another one for another operation or entity with the same body", () => {
    const keys = [[], [["op", "deleted"]], [["entity", "bill"]]] as const
    expect(new Set(keys.map((parameters) => keyOf({ invoice: record }, parameters))).size).toBe(3)
  })

  const json = fc.jsonValue({ maxDepth: 2 })
  const some = fc.record(
    {
      invoice_id: fc.oneof(fc.string({ unit: "binary" }), fc.bigInt().map(String), json),
      last_modified_time: fc.oneof(fc.string(), json),
      status: json,
    },
    { requiredKeys: [] },
  )
  test("is the same for the same bytes and never for others, and always fits", () => {
    fc.assert(
      fc.property(some, some, (one, other) => {
        const [a, b] = [{ invoice: one as Json }, { invoice: other as Json }] // what fast-check calls JSON
        fc.pre(errors(a) === "none" && errors(b) === "none")
        expect(keyOf(a)).toBe(keyOf(a))
        expect(keyOf(a) === keyOf(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
        expect(keyOf(a)).toMatch(/^[\x21-\x7e]{1,255}$/)
      }),
      { numRuns: 500 },
    )
  })
})
