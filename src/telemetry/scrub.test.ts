import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { describeError, scrub } from "./scrub.ts"

describe("scrubbed text", () => {
  const canaries: readonly (readonly [string, string, string])[] = [
    ["an e-mail address", "550 no such user layla.hassan+erp@example.co.uk here", "layla"],
    ["an e-mail address in brackets", 'to "Layla" <layla@example.com>', "layla@"],
    ["an e-mail address in another script", "إلى ليلى@مثال.شبكة", "ليلى@"],
    ["an e-mail address in a URL's path", "GET https://api.example.com/users/layla@example.com/x", "layla"],
    ["a phone number", "The 'To' number +9647701234567 is not valid", "7701234567"],
    ["a phone number with spaces", "call (0770) 123-45-67 later", "123-45-67"],
    ["a phone number in Arabic digits", "رقم ٠٧٧٠١٢٣٤٥٦٧ غير صحيح", "٧٧٠١٢٣"],
    ["a bot token", "Unauthorized 123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "AAHdq"],
    [
      "a bot token in a URL",
      "fetch https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/send",
      "AAHdq",
    ],
    ["a database password", "connect postgres://hub:pa:ss-canary@db:5432/hub failed", "canary"],
    ["a token before a host", "clone https://canary@git.example.com/x.git", "canary"],
    ["a URL's query", "GET https://hub.example.com/socket?token=abc&x=canary 403", "canary"],
    ["a Slack webhook", "POST https://hooks.slack.com/services/T000/B000/canaryXXXXXXXX 404", "canary"],
    ["a Slack token", "invalid_auth xoxb-12-canary-abcdef", "canary"],
    ["a Resend key", "API key re_canary123456_abc is invalid", "canary"],
    ["a webhook secret", "whsec_canaryMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "canary"],
    ["a hub key", "key hub_canary01234567890123 unknown", "canary"],
    ["a bearer token", "Authorization: Bearer canary.0123456789", "canary"],
    ["a JWT", "bad eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln", "eyJzdWIi"],
    ["a password in a key=value text", "password=canary1 host=db", "canary"],
    ["a secret in JSON", '{"client_secret":"canary","a":1}', "canary"],
    ["a private key", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----", "canary"],
    ["a private key that is cut off", "-----BEGIN EC PRIVATE KEY-----\ncanary", "canary"],
    ["an account id", "account AC0123456789abcdef0123456789abcdef suspended", "0123456789abcdef"],
    ["any long opaque word", `x ${"aB3".repeat(20)} y`, "aB3aB3"],
  ]
  for (const [what, text, canary] of canaries) {
    test(`does not show ${what}`, () => {
      expect(text).toContain(canary)
      expect(scrub(text)).not.toContain(canary)
    })
  }

  const kept = [
    "connect ECONNREFUSED 127.0.0.1:5432",
    "evt_01hzxq3k5m8n2p4r6s7t9v0w1x was not found",
    "invoice.overdue: rules/billing.yaml:12:7 expected a number, got a string",
    "delivery took 1234567 ms at 2026-01-05T09:00:00.000Z",
    "duplicate key value violates unique constraint events_pkey",
    "POST https://api.telegram.org/ answered 502",
  ]
  for (const text of kept) {
    test(`keeps "${text}"`, () => {
      expect(String(scrub(text))).toBe(text)
    })
  }

  test("is one line of at most 300 characters, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (text) => {
        const clean = scrub(text)
        expect(clean.length).toBeLessThanOrEqual(300)
        expect(/[\p{Cc}\p{Zl}\p{Zp}]/u.test(clean)).toBe(false)
      }),
    )
  })

  test("hides an address wherever it stands", () => {
    const words = fc.array(
      fc.constantFrom("failed", "<", ">", '"', "(", ";", "=", " ", "\n", "42", "https://x.example/"),
      {
        maxLength: 10,
      },
    )
    fc.assert(
      fc.property(words, words, (before, after) => {
        expect(scrub(`${before.join("")}canary.person@example.com${after.join("")}`)).not.toContain("canary.person@")
      }),
    )
  })

  test("takes linear time on hostile text", () => {
    for (const piece of ["a@", "1 ", "1-", "a.", "eyJ.", "https://", "-----BEGIN A", "aB3", "=", "token="]) {
      const started = performance.now()
      scrub(piece.repeat(1_000_000 / piece.length))
      expect(performance.now() - started).toBeLessThan(250)
    }
  })
})

describe("an error's description", () => {
  test("has its name, message, code and cause", () => {
    const cause = new TypeError("bad layla@example.com")
    const error = Object.assign(new Error("could not send", { cause }), { code: "ETIMEDOUT" })
    expect(String(describeError(error))).toBe("Error: could not send (ETIMEDOUT); caused by TypeError: bad «e-mail»")
  })

  test("is made of anything that can be thrown", () => {
    const hostile = new Error("x")
    Object.defineProperty(hostile, "message", {
      get() {
        throw new Error("no")
      },
    })
    for (const thrown of [undefined, null, 1, "text", {}, Symbol("s"), [], hostile]) {
      expect(describeError(thrown).length).toBeGreaterThan(0)
    }
  })
})
