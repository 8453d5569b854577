/**
 * Zoho's signature: HMAC-SHA256 in hex over the parameters (of the query and of a form), sorted by name and written
 * name+value without separators, then the raw body where it is no form. Without separators one signature fits several
 * requests: `op=updated` and `o=pupdated` are the same string. What such a request could gain is refused here and in
 * `zoho-record.ts`. Neither path nor content type is signed, so the bytes themselves say whether they are a form.
 */
import type { Secret } from "../domain/secret.ts"
import { MAC_BYTES, macOf, sameMac } from "./webhook-signature.ts"

export type Parameter = readonly [name: string, value: string]

/** A request in the parts that its sender signed. */
export interface ZohoMessage {
  /** Of the query, then of a form; in the order they came, decoded. */
  readonly parameters: readonly Parameter[]
  /** The body where it is no form; may be empty. */
  readonly raw: Uint8Array
}

const FORM_TYPE = "application/x-www-form-urlencoded"

/** `query` without its question mark. Null where the parameters could be cut in another way than they are. */
export function zohoMessage(query: string, type: string, body: Uint8Array): ZohoMessage | null {
  const form = type === FORM_TYPE && !startsJson(body)
  const inQuery = parametersIn(query)
  const inForm = form ? parametersIn(Buffer.from(body).toString("utf8")) : []
  if (inQuery === null || inForm === null) return null
  return { parameters: [...inQuery, ...inForm], raw: form ? new Uint8Array(0) : body }
}

/** Whether the header holds the message's signature. No secret: never. */
export function isZohoSigned(message: ZohoMessage | null, header: string | null, secret: Secret | null): boolean {
  const key = secret === null ? null : Buffer.from(secret.reveal())
  const expected = macOf(
    key === null || key.length === 0 ? null : key,
    message === null ? "" : signedParameters(message.parameters),
    message?.raw ?? "",
  )
  return sameMac(expected, macIn(header)) && message !== null
}

/** The first part of what is signed: names in the order of their code units, as Java sorts them. */
export const signedParameters = (parameters: readonly Parameter[]): string =>
  parameters
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => name + value)
    .join("")

const HEX = new RegExp(`^[0-9a-f]{${MAC_BYTES * 2}}$`, "i")
const macIn = (header: string | null): Buffer | null =>
  header !== null && HEX.test(header) ? Buffer.from(header, "hex") : null

function parametersIn(text: string): readonly Parameter[] | null {
  // Zoho may end a query with "&".
  const pieces = text.split("&").filter((piece) => piece !== "")
  if (pieces.some((piece) => piece.indexOf("=") < 1)) return null
  const parameters = [...new URLSearchParams(pieces.join("&"))]
  // A name with a brace or a quote is a piece of JSON that was signed as a body.
  return parameters.some(([name]) => /[{}"]/.test(name)) ? null : parameters
}

const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d])
const OPENS = new Set([0x7b, 0x5b])

/** True where the first byte that is no space opens an object or a list: some of Zoho's senders call JSON a form. */
function startsJson(body: Uint8Array): boolean {
  const first = body.find((byte) => !SPACE.has(byte))
  return first !== undefined && OPENS.has(first)
}
