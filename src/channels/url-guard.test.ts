import { describe, expect, test } from "bun:test"
import { guardUrl, type PinnedAddress } from "./url-guard.ts"

const at = (...addresses: readonly string[]) => {
  const found = addresses.map((address): PinnedAddress => ({ address, family: address.includes(":") ? 6 : 4 }))
  return () => Promise.resolve(found)
}
const guard = (url: string, resolve = at("93.184.215.14"), loopback = false) => guardUrl(url, { loopback, resolve })

describe("a URL from a recipient", () => {
  test("with https and a public address is allowed, and pinned to that address", async () => {
    const url = "https://hooks.slack.com/services/T0/B0/x"
    expect(await guard(url)).toEqual({ kind: "allowed", url, pins: [{ address: "93.184.215.14", family: 4 }] })
    expect(await guard(url, at("2606:4700::6810:1"))).toMatchObject({ pins: [{ family: 6 }] })
    expect(await guard(url, at("2606:4700::6810:1", "93.184.215.14"))).toMatchObject({
      pins: [{ family: 4 }, { family: 6 }],
    })
  })

  for (const host of [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "１２７.0.0.1",
    "127.0.0.1.",
    "127。0。0。1",
    "0",
    "0.0.0.0",
    "10.0.0.8",
    "100.64.0.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "100.127.255.255",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[ff02::1]",
  ]) {
    test(`that spells a place inside as ${host} is refused`, async () => {
      expect(await guard(`https://${host}/x`)).toEqual({ kind: "refused", reason: "not_public" })
    })
  }

  test("whose name leads inside is refused, also when only one of its addresses does", async () => {
    expect(await guard("https://inside.example.com/", at("10.0.0.1"))).toMatchObject({ reason: "not_public" })
    expect(await guard("https://both.example.com/", at("93.184.215.14", "::1"))).toMatchObject({ reason: "not_public" })
  })

  test("with another scheme, credentials, another port or no sense is refused", async () => {
    expect(await guard("http://example.com/")).toMatchObject({ kind: "refused", reason: "not_https" })
    expect(await guard("file:///etc/hostname")).toMatchObject({ kind: "refused", reason: "not_https" })
    expect(await guard("https://user:pass@example.com/")).toMatchObject({ reason: "credentials_inside" })
    expect(await guard("https://example.com:22/")).toMatchObject({ kind: "refused", reason: "port" })
    expect(await guard("https://")).toMatchObject({ kind: "refused", reason: "malformed" })
    expect(await guard("hooks.slack.com/x")).toMatchObject({ kind: "refused", reason: "malformed" })
  })

  test("whose name has no address now may have one later", async () => {
    expect(await guard("https://example.com/", at())).toEqual({ kind: "unresolved" })
  })

  test("may name this machine in development, and still no other machine inside", async () => {
    const own = await guard("http://127.0.0.1:4999/services/x", at(), true)
    expect(own).toMatchObject({ kind: "allowed", pins: [{ address: "127.0.0.1" }] })
    expect(await guard("http://localhost:4999/x", at("127.0.0.1", "::1"), true)).toMatchObject({ kind: "allowed" })
    expect(await guard("http://10.0.0.1/x", at(), true)).toMatchObject({ kind: "refused", reason: "not_public" })
    expect(await guard("http://x.example.com/", at("127.0.0.1", "10.0.0.1"), true)).toMatchObject({ kind: "refused" })
  })
})
