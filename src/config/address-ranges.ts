/**
 * CIDR lists, for "whose X-Forwarded-For is believed" and "who may reach operator endpoints". An IPv4 client that
 * arrives on a dual-stack socket as `::ffff:10.0.0.1` is the same client as `10.0.0.1`.
 */
import { BlockList, isIP } from "node:net"

export interface AddressRanges {
  /** The entries as written. */
  readonly entries: readonly string[]
  /** Whether the address lies in one of the ranges; false for anything that is no IP address. */
  contains(address: string): boolean
}

/** Contains nothing. */
export const noRanges: AddressRanges = Object.freeze({ entries: [], contains: () => false })

/** Entries are addresses or CIDRs, v4 or v6. Returns the first malformed entry instead when there is one. */
export function addressRanges(entries: readonly string[]): AddressRanges | { readonly malformed: string } {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = "", prefix, ...rest] = entry.split("/")
    const version = isIP(address)
    const bits = version === 6 ? 128 : 32
    if (version === 0 || rest.length > 0 || (prefix !== undefined && !isPrefix(prefix, bits)))
      return { malformed: entry }
    list.addSubnet(address, prefix === undefined ? bits : Number(prefix), version === 6 ? "ipv6" : "ipv4")
  }
  return Object.freeze({
    entries: Object.freeze([...entries]),
    contains(address: string): boolean {
      const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
      const version = isIP(plain)
      return version !== 0 && list.check(plain, version === 6 ? "ipv6" : "ipv4")
    },
  })
}

function isPrefix(text: string, bits: number): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) <= bits
}
