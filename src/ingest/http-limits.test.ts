/** Limits at the door (`body.ts`, `server.ts`), each with the answer that a producer gets; written by hand, because clients are too polite. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { BATCH_BYTES, EVENT_BYTES } from "../http/body.ts"
import { ADMIN_KEY, type Front, startFront } from "../testing/front.ts"
import { type RawAnswer, type RawOptions, rawHttp } from "../testing/raw-http.ts"
import { createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"

let front: Front
let port: number
/** What takes its time is begun at once and awaited where it is asked about. */
let slow: Record<"headers" | "body" | "chunked" | "stalled" | "idle", Promise<RawAnswer>>
beforeAll(async () => {
  front = await startFront((parts) => [ingestRoutes({ ...parts, accept: createAccept(parts) })])
  port = Number(new URL(front.url).port)
  const drip = (...parts: readonly string[]): Promise<RawAnswer> =>
    rawHttp(port, { parts: [...parts], gapMs: 500, withinMs: 30_000 })
  const spaces = Array.from({ length: 80 }, () => " ")
  slow = {
    headers: drip("POST /v1/events HTTP/1.1\r\nHost: hub.example\r\nX-Slow: ", ...spaces),
    body: drip(`${HEAD}Content-Length: 300\r\n\r\n`, ...spaces),
    chunked: drip(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`, ...spaces.map((space) => `1\r\n${space}\r\n`)),
    stalled: drip(`${HEAD}Content-Length: 300\r\n\r\n{`),
    idle: drip(),
  }
})
afterAll(() => front.stop())

const HEAD = `POST /v1/events HTTP/1.1\r\nHost: hub.example\r\nAuthorization: Bearer ${ADMIN_KEY}\r\nContent-Type: application/json\r\n`
const EVENT = '{"type":"t","source":"limits"}'
const send = (options: Partial<RawOptions> & Pick<RawOptions, "parts">): Promise<RawAnswer> =>
  rawHttp(port, { until: "headers", ...options })
/** An event with more headers, or another first line. */
const event = (headers = "", body = EVENT, head = HEAD): Promise<RawAnswer> =>
  send({ parts: [`${head}${headers}Content-Length: ${body.length}\r\n\r\n${body}`] })
const isProblem = ({ text }: RawAnswer, code: string): void => {
  expect(text).toMatch(/content-type: application\/problem\+json/i)
  expect(text).toContain(`"code":"${code}"`)
}

describe("the head of a request", () => {
  test("may have 15 kB", async () => {
    expect((await event(`X-Long: ${"a".repeat(15_000)}\r\n`)).status).toBe(201)
    expect((await event("", EVENT, HEAD.replace(" HTTP", `?x=${"a".repeat(15_000)} HTTP`))).status).toBe(201)
  })

  test("over 16 KiB, in one header, in many or in the URL, is 431, and the connection is closed", async () => {
    const heads = [
      event(`X-Long: ${"a".repeat(17_000)}\r\n`),
      event(`X-Long: ${"a".repeat(1_000_000)}\r\n`),
      event(Array.from({ length: 1_000 }, (_, n) => `X-${n}: ${"a".repeat(20)}\r\n`).join("")),
      event("", EVENT, HEAD.replace(" HTTP", `?x=${"a".repeat(17_000)} HTTP`)),
    ]
    for (const answer of await Promise.all(heads)) {
      expect(answer.status).toBe(431)
      expect(answer.text).toMatch(/connection: close/i)
    }
  })

  const wrong: readonly [string, string][] = [
    ["two lengths", `${HEAD}Content-Length: ${EVENT.length}\r\nContent-Length: 5\r\n\r\n${EVENT}`],
    ["a length and chunks", `${HEAD}Content-Length: ${EVENT.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["a negative length", `${HEAD}Content-Length: -5\r\n\r\n${EVENT}`],
    ["a length in hexadecimal", `${HEAD}Content-Length: 0x19\r\n\r\n${EVENT}`],
    ["chunks without a size", `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n${EVENT}\r\n0\r\n\r\n`],
    ["a transfer encoding nobody takes", `${HEAD}Transfer-Encoding: gzip\r\n\r\n${EVENT}`],
    ["a control character in a header", `${HEAD}X-A: a\x01b\r\nContent-Length: 2\r\n\r\n{}`],
    ["no host", `POST /v1/events HTTP/1.1\r\nAuthorization: Bearer ${ADMIN_KEY}\r\nContent-Length: 2\r\n\r\n{}`],
    ["another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["TLS where none is", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ]
  for (const [what, text] of wrong)
    test(`with ${what} is 400, and the connection is closed: what follows is no request`, async () => {
      const answer = await send({ parts: [text], until: "closed" })
      expect(answer.status).toBe(400)
      expect(answer.closedAfterMs).not.toBeNull()
      expect(answer.text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    })
})

describe("a body", () => {
  test("of an event has 256 KiB, announced or not, and 413 says so in numbers", async () => {
    const filled = (bytes: number): string => {
      const shell = '{"type":"t","source":"limits","payload":{"a":""}}'
      return shell.replace('""', `"${"x".repeat(bytes - shell.length)}"`)
    }
    expect((await event("", filled(EVENT_BYTES))).status).toBe(201)
    const over = await event("", filled(EVENT_BYTES + 1))
    expect(over.status).toBe(413)
    isProblem(over, "too_large")
    expect(over.text).toContain(`at most ${EVENT_BYTES} bytes are taken here; got ${EVENT_BYTES + 1}`)
    const chunks = filled(EVENT_BYTES + 1).replace(
      /.{1,60000}/g,
      (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
    )
    const chunked = await send({ parts: [`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`] })
    expect(chunked.status).toBe(413)
    isProblem(chunked, "too_large")
  })

  test("that is announced too large is refused before it comes, and the connection is closed", async () => {
    for (const [path, limit] of [
      ["/v1/events", EVENT_BYTES],
      ["/v1/events/batch", BATCH_BYTES],
      ["/api/notifications", BATCH_BYTES],
    ] as const) {
      const head = HEAD.replace("/v1/events", path)
      const answer = await send({ parts: [`${head}Content-Length: ${limit + 1}\r\n\r\n{`], until: "closed" })
      expect(answer.status).toBe(413)
      expect(answer.closedAfterMs).not.toBeNull()
    }
  })

  test("that breaks off is nothing, and the hub goes on", async () => {
    await send({ parts: [`${HEAD}Content-Length: 300\r\n\r\n{`], until: "closed", withinMs: 50 })
    expect((await event()).status).toBe(201)
  })

  test("of whoever waits for 100 Continue is asked for", async () => {
    const parts = [`${HEAD}Expect: 100-continue\r\nConnection: close\r\nContent-Length: ${EVENT.length}\r\n\r\n`, EVENT]
    const answer = await send({ parts, gapMs: 50, until: "closed" })
    expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201/)
  })

  test("that is compressed is 415, which says that none is taken; identity is none", async () => {
    const packed = gzipSync(EVENT).toString("latin1")
    for (const encoding of ["gzip", "br", "gzip, identity"]) {
      const answer = await event(`Content-Encoding: ${encoding}\r\n`, packed)
      expect(answer.status).toBe(415)
      isProblem(answer, "unsupported_media_type")
      expect(answer.text).toMatch(/accept-encoding: identity/i)
    }
    expect((await event("Content-Encoding: Identity\r\n")).status).toBe(201)
  })

  const types = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/json",
    "application/xml",
    "application/cloudevents",
    "application/jsonx",
    "*/*",
    "",
  ]
  for (const type of types)
    test(`of type ${type === "" ? "none" : type} is 415, which names what is taken`, async () => {
      const head = HEAD.replace("application/json", type)
      const answer = await event("", EVENT, head)
      expect(answer.status).toBe(415)
      isProblem(answer, "unsupported_media_type")
      expect(answer.text).toMatch(/\r\naccept: application\/json, application\/cloudevents\+json/i)
    })

  test("of type JSON is taken however it is written", async () => {
    for (const type of ["APPLICATION/JSON", "application/json;charset=utf-8", " application/json ; a=b"])
      expect((await event("", EVENT, HEAD.replace("application/json", type))).status).toBe(201)
  })
})

describe("a method or path", () => {
  test("that the door does not know is 405 with Allow, whatever its body", async () => {
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"]) {
      const path = "/v1/events/batch"
      const head = HEAD.replace("POST /v1/events", `${method} ${path}`)
      const answer = await event("", EVENT, head)
      expect(answer.status).toBe(405)
      expect(answer.text).toMatch(/\r\nallow: POST, OPTIONS\r\n/i)
    }
  })

  test("OPTIONS says what there is, without a credential", async () => {
    const answer = await send({ parts: ["OPTIONS /v1/events HTTP/1.1\r\nHost: hub.example\r\n\r\n"] })
    expect(answer.status).toBe(204)
    expect(answer.text).toMatch(/\r\nallow: POST, OPTIONS\r\n/i)
  })

  test("a slash at the end is the same path; capitals, a second slash and an encoded letter are another", async () => {
    for (const host of ["hub.example", "h"]) {
      const head = HEAD.replace("hub.example", host).replace("/v1/events", "/v1/events/")
      expect((await event("", EVENT, head)).status).toBe(201)
    }
    for (const path of ["/V1/Events", "//v1/events", "/v1/%65vents"])
      expect((await event("", EVENT, HEAD.replace("/v1/events", path))).status).toBe(404)
  })

  test("two requests at once on one connection are two answers, a refusal first", async () => {
    const refused = HEAD.replace(ADMIN_KEY, "nobody")
    const whole = (head: string): string => `${head}Content-Length: ${EVENT.length}\r\n\r\n${EVENT}`
    const answer = await send({
      parts: [whole(refused) + whole(HEAD.replace("Host", "Connection: close\r\nHost"))],
      until: "closed",
    })
    expect(answer.text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 201"])
  })
})

describe("whoever is slow", () => {
  for (const how of ["body", "chunked", "stalled"] as const)
    test(`with a body (${how}) is told so after 15 s, and the connection is closed`, async () => {
      const answer = await slow[how]
      expect(answer.status).toBe(400)
      isProblem(answer, "malformed")
      expect(answer.text).toContain("did not arrive within 15 seconds")
      expect(answer.closedAfterMs).toBeGreaterThan(14_000)
      expect(answer.closedAfterMs).toBeLessThan(25_000)
    }, 40_000)

  test("with its headers, or never begins, is cut off without a word", async () => {
    for (const answer of [await slow.headers, await slow.idle]) {
      expect(answer.text).toBe("")
      expect(answer.closedAfterMs).toBeGreaterThan(7_000)
      expect(answer.closedAfterMs).toBeLessThan(25_000)
    }
  }, 40_000)
})
