import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rawUpgrade } from "../testing/raw-http.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"
import { originAllowed } from "./handshake.ts"

let room: Room
beforeAll(async () => {
  room = await startRoom({
    people: { secret: person("u1", "*"), "a+/b?>": person("u2", "*") },
    anonymousTopics: false,
    allowedOrigins: "same_origin",
    publicUrl: "https://hub.example.com/prefix",
  })
})
afterAll(async () => {
  await room.stop()
})

/** Status line and headers of an upgrade, as they stand on the wire. */
async function upgrade(
  query: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; protocol: string | null; body: string }> {
  const { status, headers: answered, body } = await rawUpgrade(room.server.port ?? 0, query, headers)
  return { status, protocol: answered.get("sec-websocket-protocol") ?? null, body }
}
const bearer = (token: string) => `base64url.bearer.phx.${btoa(token).replaceAll("=", "")}`

describe("the upgrade", () => {
  const cases: readonly (readonly [string, string, Record<string, string>, number, string | null])[] = [
    ["a good token in the URL", "vsn=2.0.0&token=secret", {}, 101, null],
    ["version 1", "vsn=1.0.7&token=secret", {}, 101, null],
    ["no version means 1", "token=secret", {}, 101, null],
    ["a later patch of version 2", "vsn=2.0.9&token=secret", {}, 101, null],
    ["a version nobody speaks", "vsn=2.1.0&token=secret", {}, 403, null],
    ["a version that is none", "vsn=abc&token=secret", {}, 403, null],
    ["a bad token", "vsn=2.0.0&token=wrong", {}, 403, null],
    ["no token where one is needed", "vsn=2.0.0", {}, 403, null],
    ["an empty token", "vsn=2.0.0&token=", {}, 403, null],
    ["authToken", "vsn=2.0.0", { "Sec-WebSocket-Protocol": `phoenix, ${bearer("secret")}` }, 101, "phoenix"],
    [
      "authToken with + and /",
      "vsn=2.0.0",
      { "Sec-WebSocket-Protocol": `phoenix, ${bearer("a+/b?>")}` },
      101,
      "phoenix",
    ],
    [
      "authToken before phoenix",
      "vsn=2.0.0",
      { "Sec-WebSocket-Protocol": `${bearer("secret")}, phoenix` },
      101,
      "phoenix",
    ],
    ["authToken alone, never echoed", "vsn=2.0.0", { "Sec-WebSocket-Protocol": bearer("secret") }, 101, null],
    [
      "a bad authToken beside a good token",
      "vsn=2.0.0&token=secret",
      { "Sec-WebSocket-Protocol": `phoenix, ${bearer("wrong")}` },
      403,
      null,
    ],
    [
      "an authToken that is no base64",
      "vsn=2.0.0",
      { "Sec-WebSocket-Protocol": "phoenix, base64url.bearer.phx.!!!" },
      403,
      null,
    ],
    ["another protocol", "vsn=2.0.0&token=secret", { "Sec-WebSocket-Protocol": "other" }, 403, null],
    [
      "phoenix offered without a token in it",
      "vsn=2.0.0&token=secret",
      { "Sec-WebSocket-Protocol": "phoenix" },
      101,
      "phoenix",
    ],
    ["the hub's own origin", "vsn=2.0.0&token=secret", { Origin: "https://hub.example.com" }, 101, null],
    ["the origin of the address it is reached by", "vsn=2.0.0&token=secret", { Origin: "http://hub.test" }, 101, null],
    ["another origin", "vsn=2.0.0&token=secret", { Origin: "https://evil.example" }, 403, null],
  ]
  for (const [title, query, headers, status, protocol] of cases) {
    test(`${title}: ${status}`, async () => {
      const got = await upgrade(query, headers)
      expect({ status: got.status, protocol: got.protocol }).toEqual({ status, protocol })
      if (status === 403) expect(got.body).toBe("")
    })
  }

  test("a plain GET is told what speaks here, and other methods get an empty 400", async () => {
    const url = `http://127.0.0.1:${room.server.port}/socket/websocket?vsn=2.0.0`
    const get = await fetch(url)
    expect([get.status, await get.text()]).toEqual([400, expect.stringContaining("phoenix")])
    const post = await fetch(url, { method: "POST" })
    expect([post.status, await post.text()]).toEqual([400, ""])
  })

  test("no token is ever told to telemetry", () => {
    expect(JSON.stringify(room.events)).not.toMatch(/secret|wrong|bearer/)
  })
})

describe("origins", () => {
  const settings = { allowedOrigins: ["https://app.example.com"], publicUrl: "https://hub.example.com" } as const
  const cases: readonly (readonly [string | null, boolean])[] = [
    [null, true],
    ["https://app.example.com", true],
    ["https://hub.example.com", true],
    ["https://app.example.com.evil.test", false],
    ["https://evil.app.example.com", false],
    ["http://app.example.com", false],
    ["https://app.example.com:8443", false],
    ["https://APP.example.com", false],
    ["null", false],
    ["file://", false],
    ["https://good@hub.example.com", false],
    ["", false],
  ]
  for (const [origin, allowed] of cases) {
    test(`${origin ?? "none"} is ${allowed ? "allowed" : "refused"}`, () => {
      expect(originAllowed(origin, "internal:4000", settings)).toBe(allowed)
    })
  }
})
