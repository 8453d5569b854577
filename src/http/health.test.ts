import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { type Front, startFront } from "../testing/front.ts"
import { docsRoutes } from "./docs.ts"
import { healthRoutes, type PartHealth } from "./health.ts"

const clock = fakeClock()
let front: Front
let draining = false
let away = false
let nats: () => PartHealth | Promise<PartHealth> = () => ({ status: "up" })
beforeAll(async () => {
  front = await startFront(({ db }) => [
    healthRoutes({
      clock,
      version: "1.2.3",
      draining: () => draining,
      pingDatabase: () => (away ? Promise.reject(new Error("password=hunter2")) : db.query("select 1")),
      parts: { nats: () => nats(), rules: () => ({ status: "up", detail: { revision: "abc", last_refusal: null } }) },
      metrics: () => Promise.resolve("# HELP x y\nx 1\n"),
    }),
    docsRoutes(),
  ])
})
afterAll(() => front.stop())

const get = (path: string): Promise<Response> => front.call(path, { key: null })

describe("health", () => {
  test("answers at both paths to anyone, quickly, whatever the database does", async () => {
    away = true
    for (const path of ["/health", "/api/health"]) {
      const began = performance.now()
      const response = await get(path)
      expect(performance.now() - began).toBeLessThan(100)
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({ status: "ok", version: "1.2.3" })
    }
    away = false
  })

  test("is ready while the database answers and nobody asked it to stop", async () => {
    expect((await get("/ready")).status).toBe(200)
    away = true
    const without = await get("/ready")
    expect(without.status).toBe(503)
    expect(without.headers.get("retry-after")).toBe("2")
    away = false
    draining = true
    const stopping = await get("/ready")
    expect(stopping.status).toBe(503)
    expect(await stopping.json()).toMatchObject({ code: "unavailable", detail: "the hub is stopping" })
    draining = false
  })

  test("in detail lists every part, and the worst of them is the whole", async () => {
    expect(await (await get("/health/detailed")).json()).toEqual({
      status: "ok",
      version: "1.2.3",
      draining: false,
      parts: {
        database: { status: "up", ms: expect.any(Number) },
        nats: { status: "up" },
        rules: { status: "up", revision: "abc", last_refusal: null },
      },
    })
    nats = () => ({ status: "degraded", detail: { reconnects: 3 } })
    expect(await (await get("/health/detailed")).json()).toMatchObject({ status: "degraded" })
    nats = () => Promise.reject(new Error("secret of the server"))
    away = true
    const text = await (await get("/health/detailed")).text()
    expect(JSON.parse(text)).toMatchObject({
      status: "down",
      parts: { database: { status: "down" }, nats: { status: "down" } },
    })
    expect(text).not.toMatch(/secret|hunter2/)
    away = false
    nats = () => ({ status: "up" })
  })

  test("a part that never answers is down after its deadline", async () => {
    let asked = (): void => {}
    const inside = new Promise<void>((resolve) => {
      asked = resolve
    })
    nats = () => {
      asked()
      return new Promise(() => {})
    }
    const answer = get("/health/detailed")
    await inside
    await clock.advance(2_000)
    expect(await (await answer).json()).toMatchObject({
      parts: { nats: { status: "down", reason: "no answer in time" } },
    })
    nats = () => ({ status: "up" })
  })

  test("metrics are Prometheus' text", async () => {
    const response = await get("/metrics")
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4")
    expect(await response.text()).toContain("x 1")
  })
})

describe("/docs", () => {
  test("loads nothing from other hosts and runs nothing but its own parts", async () => {
    const response = await get("/docs")
    const page = await response.text()
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8")
    expect(page).not.toMatch(/(?:src|href|url\()\s*=?\s*["']?(?:https?:)?\/\//i)
    const policy = response.headers.get("content-security-policy") ?? ""
    expect(policy).toStartWith("default-src 'none'")
    expect(policy).not.toContain("unsafe")
    for (const tag of ["script", "style"]) {
      const part = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? ""
      const hash = new Bun.CryptoHasher("sha256").update(part).digest("base64")
      expect(policy).toContain(`${tag}-src 'sha256-${hash}'`)
    }
  })
})
