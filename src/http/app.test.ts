import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { type Front, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { EVENT_BYTES, readJson } from "./body.ts"
import { problem } from "./problem.ts"
import { json, noContent, type Route } from "./route.ts"

const route = (given: Partial<Route> & Pick<Route, "path">): Route => ({
  method: "GET",
  access: "open",
  doc: null,
  handle: (call) => json(200, { params: call.params, who: call.principal.label, address: call.address() }),
  ...given,
})

const routes: readonly Route[] = [
  route({ path: "/open/:id" }),
  route({ path: "/open/:id", method: "DELETE", handle: noContent }),
  route({ path: "/caller", access: "caller" }),
  route({ path: "/service", access: "service" }),
  route({ path: "/operator", access: "operator" }),
  route({ path: "/conflict", handle: () => problem("conflict", "already done") }),
  route({
    path: "/bug",
    handle: () => {
      throw new Error("password=hunter2 of ahmed@example.com")
    },
  }),
  route({
    path: "/away",
    handle: () => {
      throw Object.assign(new Error("connect"), { code: "ECONNREFUSED" })
    },
  }),
  route({
    path: "/echo",
    method: "POST",
    handle: async ({ request }) => {
      const body = await readJson(request)
      return "kind" in body ? body : json(200, body.value)
    },
  }),
  route({
    path: "/own-headers",
    handle: () => json(200, {}, { "cache-control": "max-age=60", "x-own": "1" }),
  }),
  route({
    path: "/page",
    handle: () => new Response("hi", { headers: { "content-security-policy": "default-src 'self'" } }),
  }),
]

let front: Front
beforeAll(async () => {
  front = await startFront(() => [{ routes }], {
    HUB_ALLOWED_ORIGINS: "https://erp.example",
    HUB_TRUSTED_PROXIES: "127.0.0.1",
    HUB_ADMIN_ALLOW: "10.0.0.0/8",
    HUB_PUBLIC_URL: "https://erp.example/hub/",
  })
})
afterAll(() => front.stop())

/** The problem of a refusal, after the checks that hold for every one. */
async function problemOf(response: Response): Promise<JsonObject> {
  expect(response.headers.get("content-type")).toBe("application/problem+json")
  const body = (await response.json()) as JsonObject
  expect(Object.keys(body)).toEqual(
    expect.arrayContaining(["type", "title", "status", "detail", "instance", "code", "request_id"]),
  )
  expect(body["status"]).toBe(response.status)
  expect(body["request_id"]).toBe(response.headers.get("x-request-id") ?? "")
  expect(body["type"]).toBe(`/hub/docs#problem-${body["code"]}`)
  return body
}

describe("every refusal is problem details", () => {
  const chunked = (): ReadableStream<Uint8Array> =>
    new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) })
  const echo = (body: RequestInit["body"], type: string | null = "application/json"): RequestInit => ({
    method: "POST",
    ...(body === null ? {} : { body }),
    headers: type === null ? {} : { "content-type": type },
  })
  const cases: readonly [string, string, RequestInit, number, string][] = [
    ["an unknown path", "/nowhere?token=secret", {}, 404, "not_found"],
    ["a path that is no valid encoding", "/%E0%A4%A", {}, 404, "not_found"],
    ["a known path with another method", "/caller", { method: "POST" }, 405, "method_not_allowed"],
    ["a method nobody knows", "/caller", { method: "PROPFIND" }, 405, "method_not_allowed"],
    ["no credential", "/caller", {}, 401, "unauthenticated"],
    ["a state that forbids it", "/conflict", {}, 409, "conflict"],
    ["a bug", "/bug", {}, 500, "internal"],
    ["a database that is away", "/away", {}, 503, "unavailable"],
    ["another content type", "/echo", echo("{}", "text/plain"), 415, "unsupported_media_type"],
    ["no content type", "/echo", echo(new Blob(["{}"]), null), 415, "unsupported_media_type"],
    ["no body", "/echo", echo(null), 400, "malformed"],
    ["half a document", "/echo", echo('{"a":'), 400, "malformed"],
    ["bytes that are not UTF-8", "/echo", echo(new Uint8Array([0x22, 0xff, 0x22])), 400, "malformed"],
    ["two hundred thousand open brackets", "/echo", echo("[".repeat(200_000)), 400, "malformed"],
    ["arrays nested without end", "/echo", echo("[".repeat(100_000) + "]".repeat(100_000)), 422, "invalid"],
    ["a numeral that no double holds", "/echo", echo("[1e400]"), 422, "invalid"],
    ["a body over the limit that says so", "/echo", echo("x".repeat(EVENT_BYTES + 1)), 413, "too_large"],
    ["a body far beyond what Bun takes by itself", "/echo", echo(new Uint8Array(140 * 1024 * 1024)), 413, "too_large"],
    ["a body that never ends", "/echo", echo(chunked()), 413, "too_large"],
  ]
  for (const [what, path, init, status, code] of cases) {
    test(`${what} answers ${status} ${code}`, async () => {
      const response = await fetch(front.url + path, init)
      expect(response.status).toBe(status)
      const body = await problemOf(response)
      expect(body["code"]).toBe(code)
      expect(body["instance"]).toBe(path.split("?")[0] ?? "")
      expect(response.headers.get("retry-after")).toBe(status === 503 ? "2" : null)
    })
  }

  test("a bug never shows its message, and reaches telemetry scrubbed", async () => {
    const response = await front.call("/bug")
    expect(await response.text()).not.toMatch(/hunter2|ahmed|Error/)
    const found = front.emitted.findLast((event) => event.kind === "bug_found")
    expect(found).toMatchObject({ where: "/bug" })
    expect(JSON.stringify(front.emitted)).not.toMatch(/hunter2|ahmed@/)
  })

  test("a refused caller that sends on is cut off, whatever it was refused for", async () => {
    for (const path of ["/echo", "/service", "/nowhere"]) {
      const response = await fetch(front.url + path, {
        ...echo(chunked()),
        headers: { "content-type": "application/json" },
      })
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(response.headers.get("connection")).toBe("close")
      await problemOf(response)
    }
    expect(
      (await front.call("/echo", { body: "{", headers: { "content-type": "application/json" } })).headers.get(
        "connection",
      ),
    ).not.toBe("close")
  })

  test("405 names what the path knows", async () => {
    const response = await front.call("/open/1", { method: "PUT" })
    expect(response.headers.get("allow")).toBe("GET, DELETE, HEAD, OPTIONS")
  })

  test("401 says how to authenticate", async () => {
    expect((await front.call("/caller", { key: null })).headers.get("www-authenticate")).toBe('Bearer realm="hubbub"')
    const wrong = await front.call("/caller", { key: "x".repeat(24) })
    expect(wrong.headers.get("www-authenticate")).toContain('error="invalid_token"')
  })
})

describe("who may call", () => {
  const from = (address: string): Readonly<Record<string, string>> => ({ "x-forwarded-for": address })

  test("anyone known may call `caller` routes, with the principal in hand", async () => {
    const response = await front.call("/caller", { key: await tokenFor({ sub: "u1" }) })
    expect(await response.json()).toMatchObject({ who: "person" })
  })

  test("a person without a role may not call `service` or `operator` routes", async () => {
    const key = await tokenFor({ sub: "u1", roles: ["accountant"] })
    for (const path of ["/service", "/operator"]) {
      const response = await front.call(path, { key, headers: from("10.1.2.3") })
      expect(response.status).toBe(403)
      await problemOf(response)
    }
  })

  test("a service key is no operator", async () => {
    expect((await front.call("/service", { key: SERVICE_KEY })).status).toBe(200)
    expect((await front.call("/operator", { key: SERVICE_KEY, headers: from("10.1.2.3") })).status).toBe(403)
  })

  test("an admin is an operator from an allowed address alone", async () => {
    expect((await front.call("/operator", { headers: from("10.1.2.3") })).status).toBe(200)
    expect((await front.call("/operator", { headers: from("203.0.113.9") })).status).toBe(403)
    expect((await front.call("/operator", { headers: from("10.1.2.3, 203.0.113.9") })).status).toBe(403)
  })
})

describe("what every answer carries", () => {
  test("a plain request id comes back, anything else is replaced", async () => {
    const kept = await front.call("/open/1", { headers: { "x-request-id": "req-1:a.b" } })
    expect(kept.headers.get("x-request-id")).toBe("req-1:a.b")
    const replaced = await front.call("/open/1", { headers: { "x-request-id": '"} injected' } })
    expect(replaced.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/)
  })

  test("security headers are on all of them, and a page's own policy wins", async () => {
    for (const path of ["/open/1", "/nowhere", "/page"]) {
      const response = await front.call(path)
      expect(response.headers.get("x-content-type-options")).toBe("nosniff")
      expect(response.headers.get("content-security-policy")).toBe(
        path === "/page" ? "default-src 'self'" : "default-src 'none'; frame-ancestors 'none'",
      )
    }
  })

  test("an answer's own headers win, and are on no other answer", async () => {
    const own = await front.call("/own-headers", { headers: { origin: "https://erp.example" } })
    expect([own.headers.get("cache-control"), own.headers.get("x-own")]).toEqual(["max-age=60", "1"])
    expect(own.headers.get("content-type")).toBe("application/json")
    const next = await front.call("/open/1")
    expect([next.headers.get("cache-control"), next.headers.get("x-own")]).toEqual(["no-store", null])
    expect(next.headers.get("access-control-allow-origin")).toBeNull()
    expect(next.headers.get("x-request-id")).not.toBe(own.headers.get("x-request-id"))
  })

  test("HEAD is GET without its body", async () => {
    const response = await front.call("/open/1", { method: "HEAD" })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe("")
  })

  test("path parameters arrive decoded", async () => {
    expect(await (await front.call("/open/a%20b%2Fc")).json()).toMatchObject({ params: { id: "a b/c" } })
  })

  test("an allowed origin may read, another may not", async () => {
    const allowed = await front.call("/open/1", { headers: { origin: "https://erp.example" } })
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://erp.example")
    const refusal = await front.call("/nowhere", { headers: { origin: "https://erp.example" } })
    expect(refusal.headers.get("access-control-allow-origin")).toBe("https://erp.example")
    const other = await front.call("/open/1", { headers: { origin: "https://evil.example" } })
    expect(other.headers.get("access-control-allow-origin")).toBeNull()
  })

  test("a preflight needs no credential and names methods and headers", async () => {
    const response = await front.call("/caller", {
      method: "OPTIONS",
      key: null,
      headers: { origin: "https://erp.example", "access-control-request-headers": "authorization, idempotency-key" },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get("access-control-allow-methods")).toBe("GET")
    expect(response.headers.get("access-control-allow-headers")).toBe("authorization, idempotency-key")
  })

  test("telemetry hears the pattern and the status, never the path", async () => {
    await front.call("/open/secret-thing")
    const heard = front.emitted.findLast((event) => event.kind === "http_request")
    expect(heard).toMatchObject({ method: "GET", route: "/open/:id", status: 200 })
    expect(JSON.stringify(front.emitted)).not.toContain("secret-thing")
  })
})
