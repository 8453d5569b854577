import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Secret } from "../domain/secret.ts"
import { zohoSignature } from "../testing/zoho-sender.ts"
import { isZohoSigned, signedParameters, zohoMessage } from "./zoho-signature.ts"

const TEXT = "mysecretkey12"
const SECRET = new Secret(TEXT)
const JSON_TYPE = "application/json"
const FORM_TYPE = "application/x-www-form-urlencoded"
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const signed = (
  query: string,
  type: string,
  body: Uint8Array | string,
  header: string | null,
  secret: Secret | null = SECRET,
) => isZohoSigned(zohoMessage(query, type, typeof body === "string" ? bytes(body) : body), header, secret)

describe("the string that Zoho signs", () => {
  // The example of Zoho's knowledge base, "How do I secure my webhooks".
  const json = '{"created_date":"2019-03-06","event_id":"5675"}'

  test("is the sorted query, without separators, then the raw JSON", () => {
    const message = zohoMessage("subscription_id=90343&name=basic", JSON_TYPE, bytes(json))
    if (message === null) throw new Error("not readable")
    expect(signedParameters(message.parameters) + Buffer.from(message.raw).toString()).toBe(
      `namebasicsubscription_id90343${json}`,
    )
  })

  test("has a known digest", () => {
    // printf '%s' 'namebasicsubscription_id90343{"created_date":…}' | openssl dgst -sha256 -hmac mysecretkey12
    const digest = "ec0357bb87b946f9b88f3d80899810913dfbc310ada921e1d1e25575d5f63ee9"
    expect(signed("subscription_id=90343&name=basic", JSON_TYPE, json, digest)).toBe(true)
    expect(signed("name=basic&subscription_id=90343", JSON_TYPE, json, digest)).toBe(true)
    expect(signed("name=basic&subscription_id=90343&", JSON_TYPE, json, digest.toUpperCase())).toBe(true)
  })

  test("without a query is the raw body alone", () => {
    const body = '{"invoice":{"invoice_id":"1","status":"paid"}}'
    expect(signed("", JSON_TYPE, body, zohoSignature({ body }, TEXT))).toBe(true)
  })

  test("has the decoded fields of a form among those of the query", () => {
    const query = [["op", "updated"]] as const
    const form = [
      ["customer_name", "Bowman & Söhne"],
      ["note", "a+b=c"],
    ] as const
    const header = zohoSignature({ query, form }, TEXT)
    expect(signed("op=updated", FORM_TYPE, "customer_name=Bowman+%26+S%C3%B6hne&note=a%2Bb%3Dc", header)).toBe(true)
    expect(signed("op=updated", FORM_TYPE, "note=a%2Bb%3Dc&customer_name=Bowman%20%26%20S%c3%b6hne", header)).toBe(true)
  })

  test("takes JSON for JSON, whatever the content type calls it", () => {
    const body = ' {"item":{"item_id":"1","note":"a=b&op=deleted"}}'
    expect(signed("", FORM_TYPE, body, zohoSignature({ body }, TEXT))).toBe(true)
  })
})

describe("a signature", () => {
  const body = '{"invoice":{"invoice_id":"1"}}'
  const good = zohoSignature({ query: [["entity", "invoice"]], body }, TEXT)
  const cases: readonly [string, string | null][] = [
    ["absent", null],
    ["empty", ""],
    ["cut short", good.slice(0, -1)],
    ["with something behind it", `${good}0`],
    ["given twice in two headers", `${good}, ${good}`],
    ["prefixed as others do", `sha256=${good}`],
    ["in base64", Buffer.from(good, "hex").toString("base64")],
    ["of zeros", "0".repeat(64)],
    ["of no hex", "z".repeat(64)],
    ["of a megabyte", "a".repeat(1_000_000)],
    ["made with another secret", zohoSignature({ query: [["entity", "invoice"]], body }, "mysecretkey13")],
    ["made with an empty secret", zohoSignature({ query: [["entity", "invoice"]], body }, "")],
    ["of the body alone", zohoSignature({ body }, TEXT)],
  ]
  test.each(cases)("%s is refused", (_, header) => {
    expect(signed("entity=invoice", JSON_TYPE, body, header)).toBe(false)
  })

  test("of a hub without a secret, or with an empty one, never holds", () => {
    for (const secret of [null, new Secret("")])
      for (const header of [
        good,
        null,
        ...["", TEXT].map((key) => zohoSignature({ query: [["entity", "invoice"]], body }, key)),
      ])
        expect(signed("entity=invoice", JSON_TYPE, body, header, secret)).toBe(false)
  })

  test("of a body that was written anew does not hold", () => {
    const sent = '{"invoice": {"total": 10.0, "name": "S\\u00f6hne", "id": "1"}}'
    const header = zohoSignature({ body: sent }, TEXT)
    expect(signed("", JSON_TYPE, sent, header)).toBe(true)
    expect(signed("", JSON_TYPE, JSON.stringify(JSON.parse(sent)), header)).toBe(false)
  })
})

const name = fc.stringMatching(/^[a-z_]{1,8}$/)
const value = fc.string({ unit: "grapheme", maxLength: 12 })
const sending = fc.record({
  query: fc.uniqueArray(fc.tuple(name, value), { maxLength: 4, selector: ([n]) => n }),
  body: fc.oneof(
    fc.jsonValue().map((v) => JSON.stringify({ invoice: v })),
    fc.string({ unit: "binary" }),
    fc.constant(""),
  ),
})
const queryOf = (pairs: readonly (readonly [string, string])[]): string =>
  new URLSearchParams(pairs.map(([n, v]): [string, string] => [n, v])).toString()
/** One byte becomes another. */
const changed = (given: Uint8Array, at: number, by: number): Uint8Array => {
  const copy = Uint8Array.from(given)
  const index = at % copy.length
  copy[index] = ((copy[index] ?? 0) + 1 + (by % 255)) & 0xff
  return copy
}

describe("whatever is signed", () => {
  test("holds", () => {
    fc.assert(
      fc.property(sending, ({ query, body }) => {
        expect(signed(queryOf(query), JSON_TYPE, body, zohoSignature({ query, body }, TEXT))).toBe(true)
      }),
    )
  })

  test("holds as a form too", () => {
    const form = fc.uniqueArray(fc.tuple(name, value), { minLength: 1, maxLength: 5, selector: ([n]) => n })
    fc.assert(
      fc.property(form, (pairs) => {
        expect(signed("", FORM_TYPE, queryOf(pairs), zohoSignature({ form: pairs }, TEXT))).toBe(true)
      }),
    )
  })

  test("is refused with any byte of its body changed", () => {
    fc.assert(
      fc.property(sending, fc.nat(), fc.nat(), ({ query, body }, at, by) => {
        fc.pre(body !== "")
        const header = zohoSignature({ query, body }, TEXT)
        expect(signed(queryOf(query), JSON_TYPE, changed(bytes(body), at, by), header)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test("is refused with any byte of its signature changed, unless that is its case", () => {
    fc.assert(
      fc.property(sending, fc.nat(), fc.nat(), ({ query, body }, at, by) => {
        const header = zohoSignature({ query, body }, TEXT)
        const other = Buffer.from(changed(bytes(header), at, by)).toString("latin1")
        fc.pre(other.toLowerCase() !== header)
        expect(signed(queryOf(query), JSON_TYPE, body, other)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test("is refused with any byte of its query changed, unless that says the same in other bytes", () => {
    fc.assert(
      fc.property(sending, fc.nat(), fc.nat(), ({ query, body }, at, by) => {
        const text = queryOf(query)
        fc.pre(text !== "")
        const other = Buffer.from(changed(bytes(text), at, by)).toString("latin1")
        const same = queryOf([...new URLSearchParams(other)]) === queryOf([...new URLSearchParams(text)])
        const taken = signed(other, JSON_TYPE, body, zohoSignature({ query, body }, TEXT))
        expect(taken && !same).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe("what is signed without separators", () => {
  const query = [
    ["entity", "invoice"],
    ["op", "updated"],
  ] as const
  const body = '{"invoice":{"invoice_id":"1"}}'
  const header = zohoSignature({ query, body }, TEXT)

  test.each([
    ["entity&invoice&op=updated", body],
    ["entity=invoice&op&updated", body],
    ["entity=invoice&=opupdated", body],
    [`entity=invoice&op=updated&${encodeURIComponent(body)}=`, ""],
  ])("cannot be cut into %p", (recut, rest) => {
    expect(signed(recut, JSON_TYPE, rest, header)).toBe(false)
    expect(signed(recut, FORM_TYPE, rest, header)).toBe(false)
  })
})
