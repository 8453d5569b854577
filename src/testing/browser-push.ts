// A browser that has subscribed: its keys, and how it reads what a push service brings it (RFC 8188, RFC 8291), done here
// by hand, so that what the library encrypts is not judged by the library.
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto"
import type { PushSubscription } from "../domain/push-subscription.ts"

export interface BrowserPush {
  readonly subscription: PushSubscription
  read(body: Buffer): unknown
}

export function browserPush(endpoint: string): BrowserPush {
  const own = createECDH("prime256v1")
  own.generateKeys()
  const auth = randomBytes(16)
  const derive = (secret: Buffer, salt: Buffer, info: Buffer | string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", secret, salt, info, length))
  return {
    subscription: { endpoint, keys: { p256dh: own.getPublicKey("base64url"), auth: auth.toString("base64url") } },
    read(body) {
      const salt = body.subarray(0, 16)
      const keyLength = body.readUInt8(20)
      const theirs = body.subarray(21, 21 + keyLength)
      const info = Buffer.concat([Buffer.from("WebPush: info\0"), own.getPublicKey(), theirs])
      const secret = derive(own.computeSecret(theirs), auth, info, 32)
      const key = derive(secret, salt, "Content-Encoding: aes128gcm\0", 16)
      const nonce = derive(secret, salt, "Content-Encoding: nonce\0", 12)
      const sealed = body.subarray(21 + keyLength)
      const decipher = createDecipheriv("aes-128-gcm", key, nonce)
      decipher.setAuthTag(sealed.subarray(-16))
      const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
      // One record, ended by a 2 (RFC 8188).
      return JSON.parse(plain.subarray(0, plain.lastIndexOf(2)).toString("utf8"))
    },
  }
}
