/** The settings whose entries are made of parts: API keys, encryption keys, webhook sources, the VAPID pair. */
import { createECDH } from "node:crypto"
import { HUB_SOURCE } from "../domain/event.ts"
import { Secret } from "../domain/secret.ts"
import { bytesOf, outsideId, type Parser } from "./parse.ts"
import type { ApiKeySetting, EncryptionKeySetting, WebhookSecretSetting, WebhookSourceSetting } from "./shape.ts"

const leastApiKeyLength = 24
const encryptionKeyBytes = 32
/** Standard Webhooks: secrets are 24 to 64 bytes. */
const leastWebhookSecretBytes = 24

export const apiKey: Parser<ApiKeySetting> = (entry) => {
  const [key = "", scope, business, ...rest] = entry.split(":")
  if (key.length < leastApiKeyLength)
    return { expected: `key:scope with a key of ${leastApiKeyLength} characters or more` }
  if (scope !== "service" && scope !== "admin")
    return { expected: "key:scope or key:scope:business, scope service or admin" }
  if (rest.length > 0 || (business !== undefined && !outsideId.test(business)))
    return { expected: "key:scope:business with a business of letters, digits, _ . - (at most 64)" }
  return { value: { key: new Secret(key), scope, business: business ?? null } }
}

export const encryptionKey: Parser<EncryptionKeySetting> = (entry) => {
  const [id = "", base64 = "", ...rest] = entry.split(":")
  const bytes = bytesOf(base64)
  if (!outsideId.test(id) || rest.length > 0 || bytes?.length !== encryptionKeyBytes)
    return { expected: `id:key, the key ${encryptionKeyBytes} bytes in base64 (openssl rand -base64 32)` }
  return { value: { id, key: new Secret(bytes.toString("base64")) } }
}

export const webhookSource: Parser<WebhookSourceSetting> = (entry) => {
  const [name = "", business = "", secret = "", ...rest] = entry.split(":")
  const bytes = secret.startsWith("whsec_") ? bytesOf(secret.slice("whsec_".length)) : null
  if (
    !outsideId.test(name) ||
    !outsideId.test(business) ||
    rest.length > 0 ||
    (bytes?.length ?? 0) < leastWebhookSecretBytes
  )
    return { expected: `name:business:whsec_…, the secret ${leastWebhookSecretBytes} bytes or more in base64` }
  // The name becomes the source of its events.
  if (name === HUB_SOURCE)
    return { expected: `another name than "${HUB_SOURCE}", which is the source of the hub's own events` }
  return { value: { name, business, secret: new Secret(secret) } }
}

export const webhookSecret: Parser<WebhookSecretSetting> = (entry) => {
  const [name = "", secret = "", ...rest] = entry.split(":")
  const bytes = secret.startsWith("whsec_") ? bytesOf(secret.slice("whsec_".length)) : null
  // A rule could not tell such a name from a secret.
  const named = outsideId.test(name) && !name.startsWith("whsec_")
  if (!named || rest.length > 0 || (bytes?.length ?? 0) < leastWebhookSecretBytes)
    return { expected: `name:whsec_…, the secret ${leastWebhookSecretBytes} bytes or more in base64` }
  return { value: { name, secret: new Secret(secret) } }
}

/** An uncompressed P-256 point, base64url. */
export const vapidPublicKey: Parser<string> = (value) => {
  const bytes = bytesOf(value)
  return bytes?.length === 65 && bytes[0] === 4
    ? { value: bytes.toString("base64url") }
    : { expected: "an uncompressed P-256 public key in base64url (65 bytes)" }
}

export const vapidPrivateKey: Parser<Secret> = (value) => {
  const bytes = bytesOf(value)
  return bytes?.length === 32
    ? { value: new Secret(bytes.toString("base64url")) }
    : { expected: "a P-256 private key in base64url (32 bytes)" }
}

export const vapidSubject: Parser<string> = (value) =>
  /^(mailto:\S+@\S+|https:\/\/\S+)$/.test(value)
    ? { value }
    : { expected: "mailto:someone@example.com or an https URL, whom a push service may contact" }

/** Whether the public key is the private key's: a wrong pair is refused by every push service, one message at a time. */
export function isVapidPair(publicKey: string, privateKey: Secret): boolean {
  const pair = createECDH("prime256v1")
  try {
    pair.setPrivateKey(Buffer.from(privateKey.reveal(), "base64url"))
  } catch {
    return false
  }
  return pair.getPublicKey("base64url") === publicKey
}
