import { expect, test } from "bun:test"
import { getExpectedTwilioSignature, validateRequest } from "twilio/lib/webhooks/webhooks.js"
import { Secret } from "../domain/secret.ts"
import { isTwilioSigned } from "./twilio-signature.ts"

const TOKEN = "canary-twilio-auth-token-0123456"
const fields = { MessageSid: `SM${"0123456789abcdef".repeat(2)}`, Body: "STOP & more", MediaUrl: ["b", "a", "a"] }

/** What Twilio's own library says of the same request, and what we say. */
function verdicts(signedUrl: string, askedUrl: string) {
  const signature = getExpectedTwilioSignature(TOKEN, signedUrl, fields)
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) form.append(name, one)
  const ours = isTwilioSigned({ urls: [askedUrl], form, signature }, new Secret(TOKEN))
  return { theirs: validateRequest(TOKEN, signature, askedUrl, fields), ours }
}

test.each([
  ["https://hub.example/in", "https://hub.example/in", true],
  ["https://hub.example/in?delivery=a&b=%2B1", "https://hub.example/in?delivery=a&b=%2B1", true],
  ["https://hub.example:443/in", "https://hub.example/in", true],
  ["https://hub.example/in", "https://hub.example:443/in", true],
  ["http://hub.example:80/in", "http://hub.example/in", true],
  ["https://hub.example:8443/in", "https://hub.example:8443/in", true],
  // Twilio is known to leave it out.
  ["https://hub.example/in", "https://hub.example:8443/in", true],
  ["https://hub.example:8443/in", "https://hub.example/in", false],
  ["https://hub.example:8443/in", "https://hub.example:9443/in", false],
  ["https://evil.example/in", "https://hub.example:8443/in", false],
  ["http://hub.example/in", "https://hub.example:8443/in", false],
])("a request that was signed for %s and asked of %s: %p, as Twilio's library has it", (signed, asked, good) => {
  expect(verdicts(signed, asked)).toEqual({ theirs: good, ours: good })
})
