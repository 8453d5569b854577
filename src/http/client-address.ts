/** Whose request it is, behind proxies: `X-Forwarded-For` is believed as far as the proxies that wrote it are trusted. */
import type { AddressRanges } from "../config/address-ranges.ts"

/** Addresses that one header may list; more is no honest chain of proxies. */
const MAX_HOPS = 32

/** The nearest address, from the right, that is no trusted proxy. `peer` is the socket's other end. */
export function clientAddress(peer: string | null, forwardedFor: string | null, trusted: AddressRanges): string | null {
  if (peer === null || forwardedFor === null || !trusted.contains(peer)) return peer
  const hops = forwardedFor.split(",").slice(-MAX_HOPS)
  let client = peer
  for (const hop of hops.reverse()) {
    client = hop.trim()
    if (!trusted.contains(client)) return client
  }
  return client
}
