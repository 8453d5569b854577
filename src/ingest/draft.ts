/**
 * What every spelling of an event is read into; then the defaults, whose it is, and the hash that tells a repeat from
 * another event under the same key.
 */
import type { Severity } from "../domain/event.ts"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { canonical, type JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { defaultBusiness, grantFor, maySee, type Tenancy } from "../domain/principal.ts"
import { resourceStream } from "../domain/stream.ts"
import type { Incoming } from "../store/events.ts"
import { contentHash, sha256 } from "./content-hash.ts"

/** An event as a producer spelled it; null where the producer left the hub to choose. */
export interface Draft {
  readonly type: string
  readonly source: string
  readonly severity: Severity
  readonly business: BusinessId | null
  readonly location: LocationId | null
  readonly occurredAt: number | null
  readonly idempotencyKey: string | null
  readonly correlationId: string | null
  readonly payload: JsonObject
  readonly extensions: JsonObject
  /** True: pushed to the streams of its place once committed, and a message without a key is known by its hash. */
  readonly pushed: boolean
  /** Where errors about its place and key point to. */
  readonly pointers: { readonly business: string; readonly location: string; readonly key: string }
}

export type ReadDraft = { readonly draft: Draft } | { readonly errors: readonly FieldError[] }

export type Placed =
  | { readonly kind: "placed"; readonly incoming: Incoming }
  /** Another tenant's business or location, or none: said in the same words. */
  | { readonly kind: "not_yours"; readonly code: "unknown_business" | "unknown_location"; readonly error: FieldError }

/** Who brings an event, and when. `now`: milliseconds since the Unix epoch. */
export interface Bringer {
  readonly tenancy: Tenancy
  readonly now: number
}

/** Confines an event to its bringer's tenancy and fills in the defaults. */
export function place(draft: Draft, bringer: Bringer): Placed {
  const business = draft.business ?? defaultBusiness(bringer.tenancy)
  if (grantFor(bringer.tenancy, business) === null) {
    const detail = draft.business === null ? "say which of your businesses" : "no business of this id that you can see"
    return { kind: "not_yours", code: "unknown_business", error: { pointer: draft.pointers.business, detail } }
  }
  if (!maySee(bringer.tenancy, business, draft.location)) {
    const detail = draft.location === null ? "say which of your locations" : "no location of this id that you can see"
    return { kind: "not_yours", code: "unknown_location", error: { pointer: draft.pointers.location, detail } }
  }
  const { type, source, severity, location, correlationId, payload, extensions } = draft
  const idempotencyKey = draft.idempotencyKey ?? (draft.pushed ? sha256(canonical(payload)).toString("hex") : null)
  const occurredAt = draft.occurredAt ?? bringer.now
  const whole = resourceStream(business, null)
  return {
    kind: "placed",
    incoming: {
      event: {
        type,
        source,
        severity,
        business,
        location,
        occurredAt,
        idempotencyKey,
        correlationId,
        payload,
        extensions,
      },
      contentHash: contentHash(type, severity, location, payload),
      streams: !draft.pushed ? [] : location === null ? [whole] : [resourceStream(business, location), whole],
    },
  }
}

/** The key of the `Idempotency-Key` header put together with the field's: equal, or one of them. */
export function withHeaderKey(draft: Draft, header: string | null): ReadDraft {
  if (header === null || header === draft.idempotencyKey) return { draft }
  if (draft.idempotencyKey === null) return { draft: { ...draft, idempotencyKey: header } }
  return { errors: [{ pointer: draft.pointers.key, detail: "differs from the header Idempotency-Key" }] }
}
