/** A hub to be fuzzed: a process of its own over a database of its own, with something in it to ask for. */
import { SignJWT } from "jose"
import { ADMIN_KEY, JWT_SECRET, SERVICE_KEY } from "./front.ts"
import type { FuzzOptions } from "./fuzz-run.ts"
import { startHubProcess } from "./hub-process.ts"
import { testDatabase } from "./postgres.ts"

export interface FuzzHub extends Pick<FuzzOptions, "hub" | "apiKey" | "credentials" | "ids" | "tokens"> {
  remove(): Promise<void>
}

/** `settings` are environment variables that add to those that open every way in. */
export async function startFuzzHub(settings: Readonly<Record<string, string>> = {}): Promise<FuzzHub> {
  const database = await testDatabase()
  const hub = await startHubProcess({
    databaseUrl: database.url,
    settings: {
      ZOHO_WEBHOOK_SECRET: "mysecretkey12",
      HUB_WEBHOOK_SOURCES: `crm:b1:whsec_${Buffer.alloc(32, 1).toString("base64")}`,
      ...settings,
    },
  })
  const token = (claims: Readonly<Record<string, unknown>>): Promise<string> =>
    new SignJWT({ sub: "u1", ...claims })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("6h")
      .sign(new TextEncoder().encode(JWT_SECRET))
  const person = await token({ tenants: [{ business: "b1", locations: ["l1"] }] })
  const operator = await token({ roles: ["admin"], tenants: "*" })
  // Of somebody whom no request names: one of them kicks people, and a socket that was kicked would look like one that broke.
  const onSockets = [
    await token({ sub: "u2", tenants: [{ business: "b1", locations: ["l1"] }] }),
    await token({ sub: "u2", roles: ["admin"], tenants: "*" }),
  ]
  const admin = `Bearer ${ADMIN_KEY}`
  const service = `Bearer ${SERVICE_KEY}`
  return {
    hub,
    apiKey: ADMIN_KEY,
    // Most requests should get past the door.
    credentials: [
      ...Array.from({ length: 14 }, () => admin),
      service,
      service,
      `Bearer ${person}`,
      `Bearer ${person}`,
      `Bearer ${operator}`,
      "",
      "Bearer x",
    ],
    ids: ["u1", "crm", "b1", ...(await things(hub.port))],
    tokens: ["", ...onSockets],
    async remove() {
      hub.signal("SIGKILL")
      await hub.exited
      await database.drop()
    },
  }
}

/** Ids of an event and a recipient that are there. */
async function things(port: number): Promise<readonly string[]> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" }
  const body = JSON.stringify({
    type: "invoice.overdue",
    source: "fuzz",
    business_id: "b1",
    payload: { days_overdue: 9 },
  })
  const event = await fetch(`http://127.0.0.1:${port}/v1/events`, { method: "POST", headers, body })
  if (!event.ok) return []
  const { id } = (await event.json()) as { id: string } // an accepted event
  return [id]
}
