/** Where the hub listens, and where the links of its messages lead. */
import { createServer } from "node:net"
import type { Config } from "../config.ts"
import { describeError } from "../telemetry/scrub.ts"
import { type Check, type Finding, fail, ok, warn } from "./check.ts"

const ASK_DEADLINE_MS = 3_000

export const portCheck = ({ http }: Config): Check => ({
  name: "port",
  async run() {
    const { host, port } = http
    if (port === 0) return { findings: [ok("port", "any that is free")] }
    const near = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
    const version = await hubAt(`http://${near.includes(":") ? `[${near}]` : near}:${port}`)
    if (version !== null) return { findings: [ok("port", `a hub answers on ${port}: version ${version}`)] }
    const code = await listenOnce(host, port)
    const where = `${host}:${port}`
    if (code === null) return { findings: [ok("port", `${where} is free`)] }
    if (code === "EADDRINUSE") {
      return { findings: [fail("port", `${where} is taken, and not by a hub`, "stop what listens there, or set PORT")] }
    }
    return {
      findings: [
        fail(
          "port",
          `${where} may not be listened on: ${code}`,
          "set PORT to 1024 or more, and HOST to an address of this machine",
        ),
      ],
    }
  },
})

export const publicUrlCheck = ({ http, production }: Config): Check => ({
  name: "public URL",
  async run() {
    const { publicUrl } = http
    const findings: Finding[] = []
    const { hostname, protocol } = new URL(publicUrl)
    const local = /^(localhost|127\..*|\[::1\]|0\.0\.0\.0)$/.test(hostname)
    if (production && local) {
      findings.push(
        warn(
          "public URL",
          `${publicUrl} leads nowhere but on this machine`,
          "set HUB_PUBLIC_URL to what readers can open",
        ),
      )
    } else if (production && protocol === "http:") {
      findings.push(
        warn("public URL", `${publicUrl} is not encrypted`, "put TLS before the hub, and https:// into HUB_PUBLIC_URL"),
      )
    } else if (!local && (await hubAt(publicUrl)) === null) {
      findings.push(
        warn(
          "public URL",
          `no hub answers at ${publicUrl}, as seen from here`,
          "see that the proxy leads to the hub, or start it",
        ),
      )
    } else findings.push(ok("public URL", publicUrl))
    return { findings }
  },
})

/** The version of the hub that answers at a URL; null where none does. */
async function hubAt(url: string): Promise<string | null> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(ASK_DEADLINE_MS), redirect: "manual" })
    const body: { readonly status?: unknown; readonly version?: unknown } = JSON.parse(await response.text())
    return response.ok && body.status === "ok" && typeof body.version === "string" ? body.version : null
  } catch {
    // Nobody, somebody else, or too late: in any case no hub.
    return null
  }
}

/** Null where it can be listened on; else the error's code. */
function listenOnce(host: string, port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const server = createServer()
  server.once("error", (error) => resolve("code" in error ? String(error.code) : describeError(error)))
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  return promise
}
