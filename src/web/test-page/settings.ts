/**
 * What the person gives the page. Fields are filled once, before anybody can type: from the link, and from what this
 * tab kept. Secrets stay in the tab; whoever came from another page of the hub brings their token along.
 */
import { part } from "../shared/dom.ts"
import { keepToken, keptToken, readToken, tokenInFragment } from "../shared/session.ts"
import { type Linked, readLink, type TransportName, versionFor } from "./link.ts"
import type { Version } from "./wire.ts"

const KEPT = ["token", "name", "key"] as const

export interface Settings {
  readonly transport: HTMLSelectElement
  readonly version: HTMLSelectElement
  readonly input: (id: string) => HTMLInputElement
  token(): string
  /** Whose token it is; null for a key, or none. */
  person(): string | null
  name(): string
  /** The service key, else the token. */
  key(): string
  chosen(): { readonly transport: TransportName; readonly version: Version }
  /** What must never be shown. */
  secrets(): readonly string[]
}

const kept = (id: string): string => sessionStorage.getItem(`hub-test:${id}`) ?? ""

/** Fills the fields and answers with what the address asked for. */
export function fillSettings(): { readonly settings: Settings; readonly linked: Linked } {
  const given = tokenInFragment(location.hash)
  const linked = readLink(location.hash)
  if (given !== null) keepToken(given)
  const input = (id: string): HTMLInputElement => part(id, HTMLInputElement)
  const transport = part("transport", HTMLSelectElement)
  const version = part("version", HTMLSelectElement)
  for (const id of KEPT) {
    const field = input(id)
    field.value = id === "token" ? (given ?? (kept(id) || (keptToken() ?? ""))) : kept(id)
    field.addEventListener("input", () => sessionStorage.setItem(`hub-test:${id}`, field.value))
  }
  // What is no secret may come with the link: /test?business=b1&location=l1
  const query = new URLSearchParams(location.search)
  for (const id of ["business", "location"]) input(id).value = query.get(id) ?? ""
  transport.value = linked.transport
  version.value = linked.version
  const settings: Settings = {
    transport,
    version,
    input,
    token: () =>
      input("token")
        .value.trim()
        .replace(/^bearer +/i, ""),
    person: () => {
      const reading = readToken(settings.token())
      return reading.kind === "session" ? reading.session.person : null
    },
    name: () => input("name").value.trim(),
    key: () => input("key").value.trim() || settings.token(),
    chosen: () => {
      const name = transport.value === "longpoll" ? "longpoll" : "websocket"
      return { transport: name, version: versionFor(name, version.value === "1.0.0" ? "1.0.0" : "2.0.0") }
    },
    secrets: () => [settings.token(), settings.key()],
  }
  return { settings, linked }
}
