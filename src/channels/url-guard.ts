/**
 * URLs that come from recipients and rules are not trusted: https, public addresses, no credentials inside. The name is resolved
 * here, once, every address is checked, and the caller connects to one of those: resolving again could lie.
 */
import { lookup } from "node:dns/promises"
import { BlockList, isIP } from "node:net"

export interface PinnedAddress {
  readonly address: string
  readonly family: 4 | 6
}

export type UrlVerdict =
  /** IPv4 first: a container often has addresses of the other kind and no way out for them. */
  | { readonly kind: "allowed"; readonly url: string; readonly pins: readonly PinnedAddress[] }
  | {
      readonly kind: "refused"
      readonly reason: "malformed" | "not_https" | "credentials_inside" | "port" | "not_public"
    }
  /** The name has no address now; it may have one later. */
  | { readonly kind: "unresolved" }

export type Resolve = (hostname: string) => Promise<readonly PinnedAddress[]>

const PORTS = new Set(["", "443", "8443"])

/** `loopback`: whether this machine itself may be named, with http and any port; for development alone. */
export async function guardUrl(
  text: string,
  options: { readonly loopback: boolean; readonly resolve?: Resolve | undefined },
): Promise<UrlVerdict> {
  const refused = (reason: Extract<UrlVerdict, { kind: "refused" }>["reason"]): UrlVerdict => ({
    kind: "refused",
    reason,
  })
  let url: URL
  try {
    // Also what turns 0x7f.1, 2130706433 and fullwidth digits into 127.0.0.1.
    url = new URL(text)
  } catch {
    return refused("malformed")
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return refused("not_https")
  if (url.username !== "" || url.password !== "") return refused("credentials_inside")
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "")
  if (host === "") return refused("malformed")

  const addresses = await addressesOf(host, options.resolve ?? resolveAll)
  if (addresses.length === 0) return { kind: "unresolved" }
  const pins = addresses.toSorted((a, b) => a.family - b.family)
  if (options.loopback && addresses.every(isLoopback)) return { kind: "allowed", url: url.href, pins }
  if (!addresses.every(isPublic)) return refused("not_public")
  if (url.protocol !== "https:") return refused("not_https")
  if (!PORTS.has(url.port)) return refused("port")
  return { kind: "allowed", url: url.href, pins }
}

async function addressesOf(host: string, resolve: Resolve): Promise<readonly PinnedAddress[]> {
  const literal = isIP(host)
  if (literal !== 0) return [{ address: host, family: literal === 6 ? 6 : 4 }]
  return resolve(host)
}

const RESOLVE_DEADLINE_MS = 5_000

async function resolveAll(hostname: string): Promise<readonly PinnedAddress[]> {
  const { promise: late, resolve } = Promise.withResolvers<readonly PinnedAddress[]>()
  const timer = setTimeout(() => resolve([]), RESOLVE_DEADLINE_MS)
  try {
    const found = lookup(hostname, { all: true }).then((all) =>
      all.map(({ address, family }): PinnedAddress => ({ address, family: family === 6 ? 6 : 4 })),
    )
    return await Promise.race([found, late])
  } catch {
    return []
  } finally {
    clearTimeout(timer)
  }
}

/** IANA's special-purpose registries: private, loopback, link-local, carrier, documentation, benchmarking, multicast. */
const SPECIAL_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
]
/** Within 2000::/3, outside of which nothing is public: Teredo and its neighbours, documentation, 6to4. */
const SPECIAL_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]

const special = new BlockList()
for (const range of SPECIAL_V4) special.addSubnet(...split(range), "ipv4")
for (const range of SPECIAL_V6) special.addSubnet(...split(range), "ipv6")
const global6 = new BlockList()
global6.addSubnet("2000::", 3, "ipv6")

function split(range: string): [string, number] {
  const [address = "", bits = ""] = range.split("/")
  return [address, Number(bits)]
}

const isPublic = ({ address, family }: PinnedAddress): boolean =>
  family === 4 ? !special.check(address, "ipv4") : global6.check(address, "ipv6") && !special.check(address, "ipv6")

/** Whether the URL says that it means this machine; what the name leads to is for `guardUrl` to see. */
export function namesLoopback(text: string): boolean {
  const host = URL.parse(text)?.hostname.replace(/\.+$/, "") ?? ""
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host)
}

const isLoopback = ({ address, family }: PinnedAddress): boolean =>
  family === 4 ? address.startsWith("127.") : address === "::1"
