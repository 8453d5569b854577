/**
 * Who is looking. The token comes once in the page's fragment (which no server and no log ever sees), is taken out of
 * the address bar, and stays in this tab's session storage. Nothing here or elsewhere writes it anywhere else.
 */

export interface Session {
  readonly token: string
  /** The token's `sub`: whose inbox this is. */
  readonly person: string
  readonly roles: readonly string[]
}

/** `unreadable`: text that is no person's token; `why` is a sentence for whoever pasted it. */
export type TokenReading =
  | { readonly kind: "session"; readonly session: Session }
  | { readonly kind: "unreadable"; readonly why: string }

const KEPT_AS = "hubbub.token"

/** Reads the claims without checking the signature: that is the hub's business, this only needs to know whose it is. */
export function readToken(text: string): TokenReading {
  const token = text.trim().replace(/^bearer +/i, "")
  const parts = token.split(".")
  if (parts.length !== 3) {
    return {
      kind: "unreadable",
      why: "This is not a person's token. An API key has no inbox: make a token with the command below.",
    }
  }
  const claims = decode(parts[1] ?? "")
  const person = claims?.["sub"]
  if (claims === null || typeof person !== "string" || person === "") {
    return { kind: "unreadable", why: "This token names nobody: it has no sub claim, or was cut off while copying." }
  }
  const roles = claims["roles"] ?? claims["role"] ?? []
  const words: readonly unknown[] = Array.isArray(roles) ? roles : [roles]
  return {
    kind: "session",
    session: { token, person, roles: words.filter((word) => typeof word === "string") },
  }
}

/** The token of an address's fragment (`#token=…`), or null. */
export function tokenInFragment(hash: string): string | null {
  const found = new URLSearchParams(hash.replace(/^#/, "")).get("token")
  return found === null || found === "" ? null : found
}

/** Takes a token out of the address bar into this tab's keeping, and answers what is kept. */
export function keptToken(): string | null {
  const given = tokenInFragment(location.hash)
  if (given !== null) {
    keepToken(given)
    history.replaceState(null, "", `${location.pathname}${location.search}`)
  }
  return sessionStorage.getItem(KEPT_AS)
}

export const keepToken = (token: string): void => sessionStorage.setItem(KEPT_AS, token)
export const forgetToken = (): void => sessionStorage.removeItem(KEPT_AS)

function decode(part: string): Record<string, unknown> | null {
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0))
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === "object" && value !== null ? { ...value } : null
  } catch {
    return null
  }
}
