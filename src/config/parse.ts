/** From the text of one setting to its value. A parser says what it expected, never what it got: that may be secret. */
import { createPrivateKey } from "node:crypto"
import { resolve } from "node:path"
import { Secret } from "../domain/secret.ts"
import { type AddressRanges, addressRanges } from "./address-ranges.ts"

export type Parsed<T> = { readonly value: T } | { readonly expected: string }
/** Gets trimmed text that is not empty. */
export type Parser<T> = (text: string) => Parsed<T>

const ok = <T>(value: T): Parsed<T> => ({ value })
const expected = (what: string): Parsed<never> => ({ expected: what })

export const text: Parser<string> = ok
export const folder: Parser<string> = (value) => ok(resolve(value))

/** Ids that come from outside (contract §1). */
export const outsideId = /^[A-Za-z0-9_.-]{1,64}$/

export function oneOf<const T extends string>(...words: readonly T[]): Parser<T> {
  return (value) => {
    const word = words.find((candidate) => candidate === value.toLowerCase())
    return word === undefined ? expected(`one of ${words.join(", ")}`) : ok(word)
  }
}

export function integer(least: number, most: number): Parser<number> {
  return (value) => {
    const number = Number(value)
    const fits = /^\d{1,15}$/.test(value) && number >= least && number <= most
    return fits ? ok(number) : expected(`a whole number from ${least} to ${most}`)
  }
}

/** `25` or `25/s`, `20/m`, `500/h` → how many in a second. */
export const rate: Parser<number> = (value) => {
  const [, digits, unit = "s"] = /^(\d{1,9})(?:\s*\/\s*(s|m|h))?$/.exec(value) ?? []
  const word = units.find((candidate) => candidate === unit)
  const count = Number(digits ?? 0)
  return word !== undefined && count > 0
    ? ok((count * 1_000) / unitMs[word])
    : expected("a rate such as 25, 20/m or 500/h")
}

export const flag: Parser<boolean> = (value) => {
  if (/^(true|yes|on|1)$/i.test(value)) return ok(true)
  return /^(false|no|off|0)$/i.test(value) ? ok(false) : expected("true or false")
}

/** Anything of letters, digits and dots, an IPv4 or an IPv6 address. */
export const hostName: Parser<string> = (value) =>
  /^[A-Za-z0-9.:_-]{1,253}$/.test(value) ? ok(value) : expected("a host name or an address")

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/** `60s`, `15m`, `6h`, `90d`, `2w`, `250ms` → milliseconds, above zero. */
export const duration: Parser<number> = (value) => {
  const [, digits, unit] = /^(\d{1,9})\s*(ms|s|m|h|d|w)$/.exec(value) ?? []
  const word = units.find((candidate) => candidate === unit)
  const ms = word === undefined ? 0 : Number(digits) * unitMs[word]
  return ms > 0 ? ok(ms) : expected("a duration such as 60s, 15m, 6h or 90d")
}
const units = ["ms", "s", "m", "h", "d", "w"] as const

function parsedUrl(value: string, schemes: readonly string[]): URL | null {
  if (!URL.canParse(value)) return null
  const url = new URL(value)
  return schemes.includes(url.protocol.slice(0, -1)) && url.hostname !== "" ? url : null
}

/** http or https, without user name and query; a slash at its end is removed. */
export const httpUrl: Parser<string> = (value) => {
  const url = parsedUrl(value, ["http", "https"])
  if (url === null || url.username !== "" || url.hash !== "" || url.search !== "")
    return expected("a URL such as https://host or http://127.0.0.1:8080/path, without user name and query")
  return ok(value.replace(/\/+$/, ""))
}

/** A URL whose text is a credential, or may hold one. */
export function secretUrl(...schemes: readonly string[]): Parser<Secret> {
  return (value) =>
    parsedUrl(value, schemes) === null
      ? expected(`a URL that starts with ${alternatives(schemes)}`)
      : ok(new Secret(value))
}

/** PostgreSQL URLs may have several hosts or none (a socket), which `URL` can't read: the driver judges the rest. */
export const postgresUrl: Parser<Secret> = (value) =>
  /^postgres(ql)?:\/\/\S+$/.test(value)
    ? ok(new Secret(value))
    : expected("a URL such as postgres://user:password@host:5432/database")

export const natsUrl: Parser<Secret> = (value) => {
  const good = listed(value).every(
    (server) => parsedUrl(server, ["nats", "tls", "ws", "wss"]) !== null || /^[A-Za-z0-9.-]+(:\d{1,5})?$/.test(server),
  )
  return good ? ok(new Secret(value)) : expected("a URL such as nats://host:4222, or a comma list of them")
}

/** Anything that git clones: https, ssh, git, file, `git@host:path` or a folder. */
export const gitUrl: Parser<Secret> = (value) =>
  /^-|\s/.test(value) ? expected("a URL that git can clone") : ok(new Secret(value))

export const secret: Parser<Secret> = (value) => ok(new Secret(value))

export const sender: Parser<string> = (value) =>
  /^[^\r\n]{0,200}[^\s<>@]+@[^\s<>@]+>?$/.test(value)
    ? ok(value)
    : expected('an address such as "Hub <hub@example.com>"')

export const accountSid: Parser<string> = (value) =>
  /^AC\w+$/.test(value) ? ok(value) : expected("an account SID, which starts with AC")

export const ranges: Parser<AddressRanges> = (value) => {
  const parsed = addressRanges(listed(value))
  return "malformed" in parsed ? expected("a comma list of addresses and CIDRs such as 10.0.0.0/8") : ok(parsed)
}

export const origins: Parser<"any" | readonly string[]> = (value) => {
  if (value === "*") return ok("any")
  const list = listed(value).map((entry) => entry.replace(/\/$/, "").toLowerCase())
  const good = list.every((entry) => parsedUrl(entry, ["http", "https"])?.origin === entry)
  return good ? ok(list) : expected("a comma list of origins such as https://app.example.com, or *")
}

/** `name=value,…` over a closed set of names; those that are not given are absent. */
export function assignments<const K extends string, T>(
  names: readonly K[],
  parse: Parser<T>,
): Parser<Readonly<Partial<Record<K, T>>>> {
  return (value) => {
    const found: Partial<Record<K, T>> = {}
    for (const entry of listed(value)) {
      const [left = "", right = "", ...rest] = entry.split("=").map((part) => part.trim())
      const name = names.find((candidate) => candidate === left)
      if (name === undefined || rest.length > 0)
        return expected(`a comma list of name=value, names: ${names.join(", ")}`)
      const parsed = parse(right)
      if ("expected" in parsed) return expected(`${name} to be ${parsed.expected}`)
      found[name] = parsed.value
    }
    return ok(found)
  }
}

/** A comma list; every entry's fault is told with its place, so a secret list never has to be quoted. */
export function listOf<T>(parse: Parser<T>): Parser<readonly T[]> {
  return (value) => {
    const values: T[] = []
    for (const [index, entry] of listed(value).entries()) {
      const parsed = parse(entry)
      if ("expected" in parsed) return expected(`entry ${index + 1} to be ${parsed.expected}`)
      values.push(parsed.value)
    }
    return values.length > 0 ? ok(values) : expected("at least one entry")
  }
}

/** The PEM text of an elliptic-curve key; `\n` written as two characters, as one-line settings have it, is taken. */
export const pemKey: Parser<Secret> = (value) => {
  const pem = value.replaceAll("\\n", "\n")
  try {
    if (createPrivateKey(pem).asymmetricKeyType === "ec") return ok(new Secret(pem))
  } catch {
    // Not a key: the answer below says what is.
  }
  return expected("the text of a .p8 key file (or set the _FILE name to its path)")
}

export const serviceAccount: Parser<Secret> = (value) => {
  const wanted = ["project_id", "client_email", "private_key"]
  try {
    const account: unknown = JSON.parse(value)
    if (typeof account === "object" && account !== null && wanted.every((key) => key in account))
      return ok(new Secret(value))
  } catch {
    // Not JSON: the answer below says what is expected.
  }
  return expected(`a service account's JSON with ${wanted.join(", ")} (or set the _FILE name to its path)`)
}

/** Base64 or base64url, padded or not → its bytes; null for anything else. */
export function bytesOf(base64: string): Buffer | null {
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(base64) ? Buffer.from(base64, "base64") : null
}

function listed(value: string): string[] {
  return value
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
}

function alternatives(schemes: readonly string[]): string {
  return schemes.map((scheme) => `${scheme}://`).join(" or ")
}
