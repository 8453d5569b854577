/**
 * Who may open a socket. All refusals are 403 with an empty body, as Phoenix has it: a browser sees only that the
 * connection failed. The token comes in the URL or, better, as a sub-protocol; it is never logged and never echoed.
 */
import type { Principal } from "../domain/principal.ts"
import { type Serializer, serializerFor } from "./frame.ts"
import { looksLikeSession } from "./longpoll-token.ts"

const TOKEN_PROTOCOL = "base64url.bearer.phx."
/** Twice the largest token anybody issues; more is not worth a look. */
const MOST_TOKEN_CHARS = 16_384

export interface HandshakeSettings {
  /** Null: nobody. `unavailable`: it cannot be found out now. */
  readonly authenticate: (token: string) => Promise<Principal | null | "unavailable">
  readonly anonymousTopics: boolean
  readonly allowedOrigins: "any" | "same_origin" | readonly string[]
  readonly publicUrl: string
}

export type Handshake =
  | {
      readonly kind: "accepted"
      readonly principal: Principal
      readonly serializer: Serializer
      /** What to answer as `sec-websocket-protocol`; empty: no such header. */
      readonly protocol: "phoenix" | ""
    }
  /** Answered with 503, so that nobody takes a database that is away for a bad token. */
  | { readonly kind: "unavailable" }
  | { readonly kind: "refused"; readonly reason: "vsn" | "origin" | "protocol" | "token" | "anonymous" }

/** Sees everything of every business, but only on `resources:*`: for development and closed networks. */
const anonymous: Principal = {
  kind: "anonymous",
  label: "anonymous",
  recipient: null,
  service: false,
  admin: false,
  tenancy: "*",
  expiresAt: null,
}

/** Of parameters that come twice the last one counts, as in Phoenix. */
export async function shakeHands(
  request: Request,
  settings: HandshakeSettings,
  transport: "websocket" | "longpoll" = "websocket",
): Promise<Handshake> {
  // Not as a URL: the host is the client's word, and may be none that a URL can hold.
  const searchParams = new URLSearchParams(request.url.replace(/^[^?]*/, ""))
  const serializer = serializerFor(searchParams.getAll("vsn").at(-1) ?? null)
  if (serializer === null) return { kind: "refused", reason: "vsn" }
  if (!originAllowed(request.headers.get("origin"), request.headers.get("host"), settings)) {
    return { kind: "refused", reason: "origin" }
  }
  const offered =
    transport === "websocket"
      ? offeredProtocols(request.headers.get("sec-websocket-protocol"))
      : { protocol: "" as const, token: request.headers.get("x-phoenix-authtoken") ?? undefined }
  if (offered === null) return { kind: "refused", reason: "protocol" }
  const { protocol } = offered
  // A client whose session is gone sends its name beside who it is, under the same name.
  const token = offered.token ?? searchParams.getAll("token").findLast((each) => !looksLikeSession(each)) ?? ""
  if (token === "") {
    return settings.anonymousTopics
      ? { kind: "accepted", principal: anonymous, serializer, protocol }
      : { kind: "refused", reason: "anonymous" }
  }
  const principal = token.length > MOST_TOKEN_CHARS ? null : await settings.authenticate(token)
  if (principal === "unavailable") return { kind: "unavailable" }
  return principal === null
    ? { kind: "refused", reason: "token" }
    : { kind: "accepted", principal, serializer, protocol }
}

/** No header: no browser, allowed. Else the page must come from where the hub itself is reached, or be listed. */
export function originAllowed(
  origin: string | null,
  host: string | null,
  { allowedOrigins, publicUrl }: Pick<HandshakeSettings, "allowedOrigins" | "publicUrl">,
): boolean {
  if (origin === null || allowedOrigins === "any") return true
  if (allowedOrigins !== "same_origin" && allowedOrigins.includes(origin)) return true
  const parsed = URL.parse(origin)
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) return false
  // Behind a proxy the scheme that we see may not be the browser's, so it is the host that must be ours.
  return parsed.origin === origin && (origin === URL.parse(publicUrl)?.origin || parsed.host === host)
}

interface Offered {
  readonly protocol: "phoenix" | ""
  readonly token?: string | undefined
}

/** `phoenix` and the token among the offered sub-protocols; null: only others, or a token that is no base64. */
function offeredProtocols(header: string | null): Offered | null {
  if (header === null) return { protocol: "" }
  const offered = header.split(",").map((item) => item.trim())
  const protocol = offered.includes("phoenix") ? "phoenix" : ""
  const carrier = offered.find((item) => item.startsWith(TOKEN_PROTOCOL))
  if (carrier === undefined) return protocol === "" ? null : { protocol }
  const token = decodeToken(carrier.slice(TOKEN_PROTOCOL.length))
  return token === null ? null : { protocol, token }
}

/** Despite the protocol's name the client writes standard base64 without padding; the other alphabet does no harm. */
function decodeToken(encoded: string): string | null {
  if (!/^[A-Za-z0-9+/_-]+$/.test(encoded) || encoded.length > MOST_TOKEN_CHARS * 2) return null
  return Buffer.from(encoded.replaceAll("-", "+").replaceAll("_", "/"), "base64").toString("latin1")
}
