import { describe, expect, test } from "bun:test"
import { addressRanges } from "../config/address-ranges.ts"
import { clientAddress } from "./client-address.ts"

const trusted = addressRanges(["10.0.0.0/8", "::1"])
if ("malformed" in trusted) throw new Error("ranges")

describe("the client's address", () => {
  const cases: readonly [string, string | null, string | null, string | null][] = [
    ["is the peer's without a header", "203.0.113.9", null, "203.0.113.9"],
    ["is the peer's when the peer is no trusted proxy", "203.0.113.9", "10.0.0.1", "203.0.113.9"],
    ["is what a trusted proxy says", "10.0.0.1", "203.0.113.9", "203.0.113.9"],
    [
      "is the nearest untrusted hop, whatever was forged before it",
      "10.0.0.1",
      "1.1.1.1, 203.0.113.9, 10.0.0.2",
      "203.0.113.9",
    ],
    ["is the farthest hop when all are trusted", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["sees a mapped IPv4 peer as IPv4", "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["is unknown without a peer", null, "203.0.113.9", null],
  ]
  for (const [title, peer, header, expected] of cases)
    test(title, () => expect(clientAddress(peer, header, trusted)).toBe(expected))
})
