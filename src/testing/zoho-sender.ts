/**
 * Signs as Zoho does, for tests: written from its knowledge base and apart from the hub's own reading of it, so that
 * both would have to be wrong in the same way.
 */
import { createHmac } from "node:crypto"

export interface ZohoSending {
  readonly query?: readonly (readonly [string, string])[]
  readonly form?: readonly (readonly [string, string])[]
  /** The raw body, where it is no form. */
  readonly body?: string
}

/** The hex signature of what is sent. */
export function zohoSignature({ query = [], form = [], body = "" }: ZohoSending, secret: string): string {
  const pairs = [...query, ...form].toSorted((a, b) => (a[0] === b[0] ? 0 : a[0] > b[0] ? 1 : -1))
  return createHmac("sha256", secret)
    .update(`${pairs.flat().join("")}${body}`, "utf8")
    .digest("hex")
}

/** Path, headers and body of a request, for `front.call`. */
export function zohoRequest(business: string, sending: ZohoSending, secret: string) {
  const encoded = (pairs: ZohoSending["query"] = []): string =>
    new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value])).toString()
  const { query, form, body = "" } = sending
  return {
    path: `/v1/sources/zoho/${business}${query === undefined ? "" : `?${encoded(query)}`}`,
    key: null,
    headers: {
      "content-type": form === undefined ? "application/json" : "application/x-www-form-urlencoded",
      "x-zoho-webhook-signature": zohoSignature(sending, secret),
    },
    body: form === undefined ? body : encoded(form),
    method: "POST",
  }
}
