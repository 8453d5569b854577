/**
 * How one and the same load client speaks to each server: what it upgrades, says and posts. Whatever the server, a message
 * is a frame of some 325 bytes and a frame of at least 200 is a delivery: answers and greetings are shorter.
 */
import { createHmac } from "node:crypto"
import { API_KEY } from "../servers.ts"

export interface Dialect {
  /** What the socket of this index upgrades. */
  path(index: number): string
  /** Said after each frame of the server's, until all is said and answered; nothing: it does not greet. */
  readonly greeting: readonly string[]
  /** Answered by one frame. */
  join(topic: string): string
  /** A sign of life, answered by one frame; null: none is needed. */
  readonly beat: string | null
  /** An HTTP request that publishes these messages to the topic, in one commit and one tick. */
  post(port: number, topic: string, numbers: readonly number[]): string
}

export const KINDS = ["hub", "bare", "storing", "socket.io"] as const
export type Kind = (typeof KINDS)[number]

export const topicName = (index: number): string => `resources:b1-l${index}`
const PLACE = "resources:b1-".length

/** Before the number, which has nine digits, in whatever frame. */
export const MARK = "m-"

/** A message as the resources server sends it; a frame around it has some 325 bytes, in the hub `_offset` included. */
const message = (topic: string, number: number): string =>
  `{"type":"resource_updated","resourceType":"reservation","businessId":"b1","locationId":"${topic.slice(PLACE)}",` +
  `"resourceId":"${MARK}${String(number).padStart(9, "0")}","shardId":"shard-001","timestamp":"2025-01-08T10:00:00.000Z",` +
  `"data":{"note":"the guest comes an hour later"}}`

const request = (port: number, path: string, headers: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`

const JSON_HEADERS = `authorization: Bearer ${API_KEY}\r\ncontent-type: application/json\r\n`

/** One message, or a list. */
const listed = (topic: string, numbers: readonly number[]): string => {
  const all = numbers.map((number) => message(topic, number))
  return all.length === 1 ? (all[0] ?? "") : `[${all.join(",")}]`
}

/** For the hub alone, whose sockets are people. */
export const JWT_SECRET = "bench-0123456789-0123456789-0123456789"

/** Somebody of all places of the business, each socket somebody else. */
function token(index: number): string {
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
  const claims = { sub: `u${index}`, business_id: "b1", exp: Math.floor(Date.now() / 1_000) + 3_600 }
  const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`
  return `${signed}.${createHmac("sha256", JWT_SECRET).update(signed).digest("base64url")}`
}

/** Is given whole frames, a line each: all that it does is to publish. */
const PLAIN: Dialect = {
  path: () => "/",
  greeting: [],
  join: (topic) => topic,
  beat: null,
  post: (port, topic, numbers) => {
    const frames = numbers.map((number) => `[null,null,"${topic}","resource_update",${message(topic, number)}]`)
    return request(port, `/${topic}`, "", frames.join("\n"))
  },
}

export const DIALECTS: Readonly<Record<Kind, Dialect>> = {
  hub: {
    path: (index) => `/socket/websocket?vsn=2.0.0&token=${token(index)}`,
    greeting: [],
    join: (topic) => JSON.stringify(["1", "1", topic, "phx_join", {}]),
    beat: JSON.stringify([null, "2", "phoenix", "heartbeat", {}]),
    post: (port, topic, numbers) => request(port, "/api/notifications", JSON_HEADERS, listed(topic, numbers)),
  },
  bare: PLAIN,
  storing: PLAIN,
  "socket.io": {
    path: () => "/socket.io/?EIO=4&transport=websocket",
    greeting: ["40"],
    join: (topic) => `420["join","${topic}"]`,
    beat: null,
    post: (port, topic, numbers) => request(port, `/${topic}`, JSON_HEADERS, listed(topic, numbers)),
  },
}
