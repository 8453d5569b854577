/**
 * HTTP requests for a fuzzer, by grammar and mutation, for every route of an OpenAPI document: a new route is fuzzed by
 * being described. `whole` requests are framed as the standard says and get one answer each; `odd` ones are not.
 */
import fc from "fast-check"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { byteChange, change, changed, NASTY_TEXT, nastyJson, nastyText, withBytes, written } from "./fuzz-nasty.ts"

export interface HttpInput {
  readonly bytes: Buffer
  readonly whole: boolean
}

interface Operation {
  readonly method: string
  readonly path: string
  readonly query: readonly string[]
  readonly headers: readonly string[]
  readonly bodies: readonly { readonly type: string; readonly example: Json }[]
}

/** What the document says of each route that answers. */
export function operationsOf(document: JsonObject): readonly Operation[] {
  const at = (value: Json | undefined, name: string): Json | undefined =>
    isJsonObject(value) ? value[name] : undefined
  const named = (parameters: Json | undefined, where: string): string[] =>
    (Array.isArray(parameters) ? (parameters as Json[]) : []) // Array.isArray gives any[]
      .filter((one) => at(one, "in") === where)
      .map((one) => String(at(one, "name")))
  return Object.entries(isJsonObject(document["paths"]) ? document["paths"] : {}).flatMap(([path, methods]) =>
    Object.entries(isJsonObject(methods) ? methods : {}).map(([method, operation]) => {
      const content = at(at(operation, "requestBody"), "content")
      return {
        method: method.toUpperCase(),
        path,
        query: named(at(operation, "parameters"), "query"),
        headers: named(at(operation, "parameters"), "header"),
        bodies: Object.entries(isJsonObject(content) ? content : {}).map(([type, media]) => ({
          type,
          example: at(media, "example") ?? {},
        })),
      }
    }),
  )
}

export interface FuzzWorld {
  readonly operations: readonly Operation[]
  /** Values of `Authorization`, the likelier ones more than once. */
  readonly credentials: readonly string[]
  /** Ids of things that are there. */
  readonly ids: readonly string[]
}

const encode = (text: string): string => encodeURIComponent(text.toWellFormed())
/** A header's value on the wire: what would end the line is for the odd ones. */
const headerText = (text: string): string =>
  Buffer.from(text.replace(/[\0\r\n]/g, ""), "utf8")
    .toString("latin1")
    .slice(0, 2_000)

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "FOO"]
const TYPES = [
  "application/json",
  "application/json; charset=utf-7",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "multipart/form-data",
  "text/plain",
  "text/xml",
  "application/octet-stream",
  "application/json, application/json",
  ";",
  "",
]
const HEADERS = [
  "Idempotency-Key",
  "X-Request-Id",
  "X-API-Key",
  "Origin",
  "Accept",
  "Accept-Encoding",
  "Range",
  "If-None-Match",
  "Cookie",
  "Content-Encoding",
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-HTTP-Method-Override",
  "traceparent",
  "Upgrade",
  "Sec-WebSocket-Key",
  "Sec-WebSocket-Protocol",
  "Access-Control-Request-Method",
  "Access-Control-Request-Headers",
  "ce-specversion",
  "ce-type",
  "ce-source",
  "ce-id",
  "ce-time",
  "ce-data",
  "webhook-id",
  "webhook-timestamp",
  "webhook-signature",
  "X-Zoho-Webhook-Signature",
  "__proto__",
]
const VALUES = [
  "1.0",
  "1",
  "a, b",
  "gzip",
  "bytes=0-",
  "http://evil.example",
  "websocket",
  "*/*;q=nan",
  "1.1.1.1, ::1, x",
  "POST",
  'W/"x"',
]

const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)
const MULTIPART = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{"__proto__":{"b":1}}\r\n--x--\r\n'
const BODIES = [
  deep(33),
  deep(2_000),
  deep(60_000),
  `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  '{"__proto__":{"polluted":true},"type":"a.b","source":"s"}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"type":"a.b","type":"c.d","source":"s"}',
  '{"type":"a.b","source":"s","payload":{"n":1e400}}',
  '{"type":"a.b","source":"s","payload":{"n":123456789012345678901234567890.1234567890}}',
  '{"type":"a.b","source":"s","payload":{"\\u0000":"\\ud800"}}',
  "a=1&a=%7B%22b%22%3A1%7D&__proto__[x]=1&constructor.prototype.y=2",
  MULTIPART,
  "\ufeff{}",
  "[",
  "nul",
  "NaN",
  '"',
  "{}{}",
  "",
  `{"type":"a.b","source":"s","payload":{"t":"${"x".repeat(70_000)}"}}`,
]

export function requests(world: FuzzWorld): fc.Arbitrary<HttpInput> {
  const whole = wholeRequest(world)
  return fc.oneof(
    { weight: 85, arbitrary: whole.map((bytes) => ({ bytes, whole: true })) },
    { weight: 15, arbitrary: odd(whole).map((bytes) => ({ bytes, whole: false })) },
  )
}

function wholeRequest({ operations, credentials, ids }: FuzzWorld): fc.Arbitrary<Buffer> {
  const id = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...ids).map(encode) },
    { weight: 2, arbitrary: nastyText.map((text) => encode(text.slice(0, 400))) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...NASTY_TEXT.filter((text) => /^[!-~]{1,400}$/.test(text) && !/[?#]/.test(text))),
    },
  )
  const value = fc.oneof(
    nastyText.map((text) => encode(text.slice(0, 200))),
    fc.constantFrom("10", "1000000", "2026-01-01", ...ids),
  )
  const header = fc.tuple(fc.constantFrom(...HEADERS), fc.oneof(nastyText.map(headerText), fc.constantFrom(...VALUES)))
  const body = (example: Json): fc.Arbitrary<Buffer> => {
    const mutated = fc.array(change, { maxLength: 3 }).map((changes) => Buffer.from(changed(example, changes)))
    return fc.oneof(
      { weight: 10, arbitrary: mutated },
      {
        weight: 3,
        arbitrary: fc
          .tuple(mutated, fc.array(byteChange, { minLength: 1, maxLength: 3 }))
          .map(([bytes, changes]) => withBytes(bytes, changes)),
      },
      { weight: 2, arbitrary: nastyJson.map((json) => Buffer.from(written(json))) },
      { weight: 2, arbitrary: fc.constantFrom(...BODIES).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
    )
  }
  // Made once for each operation: to make them for each draw would cost more than all the rest.
  const made = operations.map((operation) =>
    fc
      .record({
        method: fc.oneof(
          { weight: 9, arbitrary: fc.constant(operation.method) },
          { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
        ),
        id: fc.tuple(id, id),
        tail: fc.oneof(
          { weight: 12, arbitrary: fc.constant("") },
          { weight: 1, arbitrary: fc.constantFrom("/", "//", "/..", "/%2e%2e/", ";x=1", "%20", "?", "/x", "%0d%0a") },
        ),
        query: fc.array(
          fc.tuple(fc.constantFrom("x", "__proto__", "a[b]", "", ...operation.query, ...operation.query), value),
          { maxLength: 3 },
        ),
        credential: fc.constantFrom(...credentials),
        headers: fc.array(header, { maxLength: 2 }),
        own: fc.array(fc.tuple(fc.constantFrom("Idempotency-Key", ...operation.headers), nastyText.map(headerText)), {
          maxLength: 1,
        }),
        media: fc.nat(),
        otherType: fc.oneof(
          { weight: 6, arbitrary: fc.constant(null) },
          { weight: 1, arbitrary: fc.constantFrom(...TYPES) },
        ),
        body:
          operation.bodies.length === 0 ? body({}) : fc.oneof(...operation.bodies.map(({ example }) => body(example))),
        withBody: fc.nat(9),
        chunks: fc.nat(40),
      })
      .map((drawn) => {
        const path = operation.path.replace(/\{\w+\}/, drawn.id[0]).replace(/\{\w+\}/g, drawn.id[1])
        const query = drawn.query.map(([name, text]) => `${encode(name)}=${text}`).join("&")
        const lines = [`${drawn.method} ${path}${drawn.tail}${query === "" ? "" : `?${query}`} HTTP/1.1`, "Host: hub"]
        if (drawn.credential !== "") lines.push(`Authorization: ${drawn.credential}`)
        for (const [name, text] of [...drawn.headers, ...drawn.own]) lines.push(`${name}: ${text}`)
        const { bodies } = operation
        const sends = bodies.length > 0 ? drawn.withBody > 0 : drawn.withBody === 0
        if (!sends) return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1")
        const type = drawn.otherType ?? bodies[drawn.media % Math.max(1, bodies.length)]?.type ?? "application/json"
        lines.push(`Content-Type: ${type}`)
        return drawn.chunks > 34
          ? chunked(lines, drawn.body, drawn.chunks)
          : head([...lines, `Content-Length: ${drawn.body.length}`], drawn.body)
      }),
  )
  return fc.oneof(...made)
}

const head = (lines: readonly string[], body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body])

function chunked(lines: readonly string[], body: Buffer, size: number): Buffer {
  const step = Math.max(size, Math.ceil(body.length / 20))
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; at += step) {
    const piece = body.subarray(at, at + step)
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"))
  }
  return head([...lines, "Transfer-Encoding: chunked"], Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]))
}

const POST = "POST /v1/events HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`
/** What no client writes: lengths that disagree, chunks that lie, lines that end otherwise, other protocols. */
const ODDITIES: readonly string[] = [
  ...["-1", "+2", "0x2", "2, 2", "2, 3", "99999999999999999999", "1e1", " ", "2;", "18446744073709551615", "NaN"].map(
    (length) => `${POST}Content-Length: ${length}\r\n\r\n{}`,
  ),
  `${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`,
  `${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding: chunked\r\nContent-Length: 50\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /admin/actors HTTP/1.1\r\n\r\n`,
  ...[
    "identity",
    "chunked, identity",
    "identity, chunked",
    "xchunked",
    "chunked\0",
    "chunked, chunked",
    "gzip, chunked",
    "CHUNKED",
  ].map((coding) => `${POST}Transfer-Encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
  `${POST}Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ...[
    "-2",
    "zz",
    "",
    "0x2",
    "2 ",
    "2;ext=1",
    `2;${"e".repeat(20_000)}`,
    "ffffffffffffffff",
    "fffffffffffffffff",
    "+2",
  ].map((size) => `${CHUNKED}${size}\r\n{}\r\n0\r\n\r\n`),
  `${CHUNKED}2\r\n{}x0\r\n\r\n`,
  `${CHUNKED}2\n{}\n0\n\n`,
  `${CHUNKED}2\r\n{}\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n`,
  `${CHUNKED}${"1\r\n \r\n".repeat(3_000)}0\r\n\r\n`,
  `${CHUNKED}40001\r\n${"x".repeat(0x1000)}`,
  "GET / HTTP/1.1\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/0.9\r\n\r\n",
  "GET / HTTP/9.9\r\nHost: hub\r\n\r\n",
  "GET /\r\n\r\n",
  "GET\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: hub\r\n\r\n",
  "CONNECT hub:443 HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET http://[::1:x/ HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET http://hub/v1/events HTTP/1.1\r\nHost: other\r\n\r\n",
  "GET //hub//v1//events HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET /v1/events#x HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET /\u00e9\u00ff HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET /a b HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET /\0 HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET / HTTP/1.1\nHost: hub\n\n",
  "\r\n\r\nGET / HTTP/1.1\r\nHost: hub\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: \r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a:b:c\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: \u00e9@/?#\r\n\r\n",
  "GET / HTTP/1.1\r\nHost hub\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: hub\r\n: x\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: hub\r\nX: a\0b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: hub\r\n folded: x\r\n\r\n",
  `GET /${"a".repeat(70_000)} HTTP/1.1\r\nHost: hub\r\n\r\n`,
  `GET /?${"a=1&".repeat(3_500)} HTTP/1.1\r\nHost: hub\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: hub\r\n${Array.from({ length: 1_000 }, (_, i) => `X${i}: 1\r\n`).join("")}\r\n`,
  `GET / HTTP/1.1\r\nHost: hub\r\nX: ${"y".repeat(70_000)}\r\n\r\n`,
  `${POST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}Expect: everything\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}Content-Length: 300000\r\n\r\n${"x".repeat(1_000)}`,
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
  "\0\0\0\0",
  "GET /socket/websocket HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n\r\n",
]

function odd(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...ODDITIES).map((text) => Buffer.from(text, "latin1")) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...ODDITIES), fc.array(byteChange, { minLength: 1, maxLength: 3 }))
        .map(([text, changes]) => withBytes(Buffer.from(text, "latin1"), changes)),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(whole, fc.array(byteChange, { minLength: 1, maxLength: 4 }))
        .map(([bytes, changes]) => withBytes(bytes, changes)),
    },
    { weight: 1, arbitrary: fc.tuple(whole, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % bytes.length)) }, // half a request
    { weight: 2, arbitrary: fc.array(whole, { minLength: 2, maxLength: 6 }).map((all) => Buffer.concat(all)) }, // pipelined
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  )
}
