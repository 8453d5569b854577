import { describe, expect, test } from "bun:test"
import { asRecipientId, newDeliveryId, newNotificationId, type RecipientId } from "./ids.ts"
import { linkTokens, type UnsubscribeLink } from "./link-token.ts"
import { Secret } from "./secret.ts"

const id = (text: string): RecipientId => {
  const made = asRecipientId(text)
  if (made === null) throw new Error(`${text} is no id`)
  return made
}
const key = (text: string) => new Secret(Buffer.from(text.padEnd(32, "k")).toString("base64"))
const tokens = linkTokens([key("one")])
const stop: UnsubscribeLink = {
  recipients: [id("u1"), id("a|b@c+d")],
  channel: "email",
  category: "عروض",
  commercial: true,
}
const until = Date.parse("2026-12-01T00:00:00Z")

describe("a link's token", () => {
  test("says what it was made for, in characters that no mail program breaks", () => {
    const token = tokens.unsubscribe(stop)
    expect(token).toMatch(/^[\w.-]+$/)
    expect(tokens.readUnsubscribe(token)).toEqual(stop)
    expect(tokens.readPreferences(tokens.preferences({ recipient: id("u1"), until }))).toEqual({
      recipient: id("u1"),
      until,
    })
    for (const told of [newDeliveryId(0), newNotificationId(0)])
      expect(tokens.readAcknowledge(tokens.acknowledge(told))).toBe(told)
  })

  test("is good for its own purpose alone", () => {
    const all = [
      tokens.unsubscribe(stop),
      tokens.preferences({ recipient: id("u1"), until }),
      tokens.acknowledge(newDeliveryId(0)),
    ]
    const readers = [tokens.readUnsubscribe, tokens.readPreferences, tokens.readAcknowledge]
    expect(readers.map((read) => all.map((token) => read(token) !== null))).toEqual([
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ])
  })

  test("that somebody changed, cut or made up is none", () => {
    const token = tokens.unsubscribe(stop)
    const [body = "", mac = ""] = token.split(".")
    const other = Buffer.from(JSON.stringify(["email", null, true, "u2"])).toString("base64url")
    const flipped = `${mac[0] === "A" ? "B" : "A"}${mac.slice(1)}`
    for (const forged of [
      `${other}.${mac}`,
      `${body}.${flipped}`,
      body,
      `${body}.`,
      `.${mac}`,
      "",
      "sample",
      token.slice(0, -1),
      `${token}A`,
      "x".repeat(9_000),
    ])
      expect(tokens.readUnsubscribe(forged)).toBeNull()
  })

  test("of an earlier key holds for as long as the hub has that key", () => {
    const token = tokens.acknowledge(newDeliveryId(0))
    expect(linkTokens([key("two"), key("one")]).readAcknowledge(token)).not.toBeNull()
    expect(linkTokens([key("two")]).readAcknowledge(token)).toBeNull()
  })
})
