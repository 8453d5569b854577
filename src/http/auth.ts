/** Who is calling: an API key or a JWT becomes a `Principal`, or the reason why not. */
import type { Principal } from "../domain/principal.ts"

export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | null
  /** The `X-API-Key` header. */
  readonly apiKey: string | null
}

/** `detail` is for the caller: it never quotes the credential. */
export type AuthFailure =
  | { readonly failure: "missing" }
  | { readonly failure: "refused"; readonly detail: string }
  | { readonly failure: "unavailable"; readonly detail: string }

export type Authenticate = (credentials: Credentials) => Promise<Principal | AuthFailure>
