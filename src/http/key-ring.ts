/**
 * API keys: those of the settings, and those of the database. Keys are known by hash alone. What the database said is
 * believed for two seconds, so that a revoked key dies soon and a busy one costs a query every two seconds.
 */
import { timingSafeEqual } from "node:crypto"
import type { Config } from "../config.ts"
import { asBusinessId, type BusinessId } from "../domain/ids.ts"
import type { Principal } from "../domain/principal.ts"
import type { Clock } from "../runtime/clock.ts"
import { hashOfKey, idOfKey, liveApiKeys } from "../store/api-keys.ts"
import { createBatcher } from "../store/batcher.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { type AuthFailure, refused } from "./auth-failure.ts"
import { createRecent } from "./recent.ts"

/** How a key's principal is called. */
const LABEL = "key:"
const BELIEVED_MS = 2_000
const REMEMBERED = 10_000
/** Lookups that may wait: strangers with made-up keys must not queue up behind the database without end. */
const MAX_LOOKUPS = 1_000

export interface KeyRing {
  /** The caller of a key from HUB_API_KEYS, or null. */
  configured(key: string): Principal | null
  /** The caller of a key from the database. */
  stored(key: string): Promise<Principal | AuthFailure>
  /** Of principals' labels those whose key was revoked since. Rejects while the database is away. */
  revokedOf(labels: readonly string[]): Promise<readonly string[]>
}

type Found = Awaited<ReturnType<typeof liveApiKeys>> extends ReadonlyMap<string, infer Entry> ? Entry : never

export function createKeyRing(settings: Config["apiKeys"], db: Database, clock: Clock): KeyRing {
  const configured = new Map<string, Principal>()
  settings.forEach(({ key, scope, business }, index) => {
    const id = business === null ? null : asBusinessId(business)
    if (business !== null && id === null) throw new Error("HUB_API_KEYS names a business that is no id")
    configured.set(hashOfKey(key.reveal()).toString("hex"), principalOf(`${LABEL}setting-${index + 1}`, scope, id))
  })

  // One query for all keys that are asked for at the same time.
  const lookups = createBatcher<string, Found | "none">({
    run: async (ids) => {
      const found = await liveApiKeys(db, [...new Set(ids)])
      return ids.map((id) => found.get(id) ?? "none")
    },
    maxItems: 200,
    maxInFlight: 1,
    maxWaiting: MAX_LOOKUPS,
  })
  const recent = createRecent<Found | "none">(REMEMBERED, clock)

  return {
    configured(key) {
      // Finding by hash tells a listening clock nothing about the key.
      return configured.get(hashOfKey(key).toString("hex")) ?? null
    },
    async stored(key) {
      const id = idOfKey(key)
      if (id === null) return refused("the key is not known")
      let found = recent.get(id)
      if (found === undefined) {
        try {
          found = (await lookups.submit(id)) ?? undefined
        } catch (error) {
          if (databaseProblem(error) !== "away") throw error
        }
        if (found === undefined) return { failure: "unavailable", detail: "keys cannot be checked now; try again" }
        recent.set(id, found, clock.now() + BELIEVED_MS)
      }
      if (found === "none" || !timingSafeEqual(found.hash, hashOfKey(key))) return refused("the key is not known")
      return principalOf(LABEL + id, found.apiKey.scope, found.apiKey.business)
    },
    async revokedOf(labels) {
      // Keys of the settings end with the process.
      const stored = labels.filter((label) => label.startsWith(LABEL) && !label.startsWith(`${LABEL}setting-`))
      if (stored.length === 0) return []
      const live = await liveApiKeys(
        db,
        stored.map((label) => label.slice(LABEL.length)),
      )
      const revoked = stored.filter((label) => !live.has(label.slice(LABEL.length)))
      // Or its client would come back on the strength of what was believed.
      for (const label of revoked) recent.set(label.slice(LABEL.length), "none", clock.now() + BELIEVED_MS)
      return revoked
    },
  }
}

const principalOf = (label: string, scope: "service" | "admin", business: BusinessId | null): Principal => ({
  kind: "key",
  label,
  recipient: null,
  service: true,
  admin: scope === "admin",
  tenancy: business === null ? "*" : [{ business, locations: null }],
  expiresAt: null,
})
