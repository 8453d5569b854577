/** Who may call a route: from the credential to the principal, or the refusal. */
import type { AddressRanges } from "../config/address-ranges.ts"
import type { Principal } from "../domain/principal.ts"
import type { Authenticate } from "./auth.ts"
import type { AuthFailure } from "./auth-failure.ts"
import { type Problem, problem, unavailable } from "./problem.ts"
import type { Access } from "./route.ts"

/** Whoever calls an open route: sees nothing of any tenant. */
const ANONYMOUS: Principal = {
  kind: "anonymous",
  label: "anonymous",
  recipient: null,
  service: false,
  admin: false,
  tenancy: [],
  expiresAt: null,
}

export interface Door {
  readonly authenticate: Authenticate
  /** Null: operator endpoints may be reached from anywhere. */
  readonly adminAllow: AddressRanges | null
}

/** The caller of a route, or why not. */
export function admit(
  access: Access,
  request: Request,
  address: () => string | null,
  door: Door,
): Principal | Problem | Promise<Principal | Problem> {
  if (access === "open") return ANONYMOUS
  const found = door.authenticate({
    authorization: request.headers.get("authorization"),
    apiKey: request.headers.get("x-api-key"),
  })
  return found instanceof Promise
    ? found.then((one) => allowed(access, one, address, door))
    : allowed(access, found, address, door)
}

function allowed(
  access: Exclude<Access, "open">,
  found: Principal | AuthFailure,
  address: () => string | null,
  door: Door,
): Principal | Problem {
  if ("failure" in found) return refusal(found)
  switch (access) {
    case "caller":
      return found
    case "service":
      return found.service || found.admin
        ? found
        : problem("forbidden", "this needs a key of scope service or admin, or a token with the role service or system")
    case "operator": {
      if (!found.admin) return problem("forbidden", "this needs a key of scope admin or a token with the role admin")
      if (door.adminAllow === null) return found
      const from = address()
      return from !== null && door.adminAllow.contains(from)
        ? found
        : problem("forbidden", "operator endpoints are not open to this address")
    }
  }
}

/** What a failed authentication answers. */
function refusal(failure: AuthFailure): Problem {
  switch (failure.failure) {
    case "missing":
      return problem("unauthenticated", "send `Authorization: Bearer <key or token>` or `X-API-Key: <key>`", {
        headers: { "www-authenticate": 'Bearer realm="hubbub"' },
      })
    case "refused":
      return problem("unauthenticated", failure.detail, {
        headers: { "www-authenticate": 'Bearer realm="hubbub", error="invalid_token"' },
      })
    case "unavailable":
      return unavailable(failure.detail)
  }
}
