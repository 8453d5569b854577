import { describe, expect, test } from "bun:test"
import { loadConfig } from "../config.ts"
import { systemClock } from "../runtime/clock.ts"
import { silent } from "../telemetry/bus.ts"
import { createApp } from "./app.ts"
import { json, type Route } from "./route.ts"
import { type Listening, listen } from "./server.ts"

const loaded = loadConfig(
  {
    NODE_ENV: "production",
    DATABASE_URL: "postgres://unused",
    HUB_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
    HUB_API_KEYS: `${"k".repeat(24)}:admin`,
    JWT_SECRET: "a-secret-for-tests-that-is-long-enough",
  },
  false,
)
if (loaded.ok === undefined) throw new Error(JSON.stringify(loaded.errors))
const config = loaded.ok

function start(routes: readonly Route[], port = 0): Listening {
  const authenticate = () => Promise.resolve({ failure: "missing" } as const)
  const app = createApp({ config, authenticate, clock: systemClock, telemetry: silent, files: [{ routes }] })
  return listen({
    app,
    port,
    host: "127.0.0.1",
    websocket: {
      open(socket) {
        socket.send("open")
      },
      message(socket, text) {
        socket.send(`raw:${text}`)
      },
    },
  })
}
const get = (path: string, handle: Route["handle"]): Route => ({
  method: "GET",
  path,
  access: "open",
  doc: null,
  handle,
})
const ok = get("/ok", () => json(200, {}))

describe("the listener", () => {
  test("lets a request in flight finish, and takes no new one", async () => {
    let arrived = (): void => {}
    const inside = new Promise<void>((resolve) => {
      arrived = resolve
    })
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = get("/slow", async () => {
      arrived()
      await held
      return json(200, { done: true })
    })
    const listening = start([slow, ok])
    const url = `http://127.0.0.1:${listening.port}`
    const answer = fetch(`${url}/slow`)
    await inside
    const stopped = listening.stop(5_000)
    expect(await fetch(`${url}/ok`, { keepalive: false }).catch(() => "refused")).toBe("refused")
    release()
    expect(await (await answer).json()).toEqual({ done: true })
    await stopped
  })

  test("cuts what is still there at the deadline", async () => {
    let arrived = (): void => {}
    const inside = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const listening = start([
      get("/forever", () => {
        arrived()
        return new Promise<Response>(() => {})
      }),
    ])
    const answer = fetch(`http://127.0.0.1:${listening.port}/forever`).catch(() => "cut")
    await inside
    await listening.stop(20)
    expect(await answer).toBe("cut")
  })

  test("is not kept by an idle connection that a client holds open", async () => {
    const listening = start([ok])
    await fetch(`http://127.0.0.1:${listening.port}/ok`)
    const began = performance.now()
    await listening.stop(5_000)
    expect(performance.now() - began).toBeLessThan(4_000)
  })

  test("refuses a port that is taken", async () => {
    const listening = start([ok])
    expect(() => start([ok], listening.port)).toThrow(/EADDRINUSE|in use/i)
    await listening.stop(1_000)
  })

  test("gives sockets to the native handler, text as it came", async () => {
    const up = get("/up", ({ request, server }) =>
      server?.upgrade(request, { data: undefined }) === true ? undefined : json(426, {}),
    )
    const listening = start([up])
    const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/up`)
    const heard: string[] = []
    await new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => {
        heard.push(String(data))
        if (heard.length === 1) socket.send("[1, 2]")
        else resolve()
      }
    })
    expect(heard).toEqual(["open", "raw:[1, 2]"])
    socket.close()
    await listening.stop(1_000)
  })
})
