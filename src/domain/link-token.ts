/**
 * Links in messages that act without a login: what one may do is in its token, signed by the hub. A token is good for its
 * one purpose and for whom it names, and no secret of theirs is in it.
 */
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto"
import { isPersonalChannel, type PersonalChannel } from "./channel.ts"
import {
  asDeliveryId,
  asNotificationId,
  asRecipientId,
  type DeliveryId,
  type NotificationId,
  type RecipientId,
} from "./ids.ts"
import type { Secret } from "./secret.ts"

/** Whose messages on a channel stop: those of the category, all that advertise, or where neither is said the channel's. */
export interface UnsubscribeLink {
  readonly recipients: readonly RecipientId[]
  readonly channel: PersonalChannel
  readonly category: string | null
  readonly commercial: boolean
}

export interface PreferencesLink {
  readonly recipient: RecipientId
  /** Milliseconds since the Unix epoch, whole seconds: it shows and changes what somebody wishes, so it ends. */
  readonly until: number
}

/** All whom a delivery told, or the one of a notification. */
export type AcknowledgeLink = DeliveryId | NotificationId

export interface LinkTokens {
  unsubscribe(link: UnsubscribeLink): string
  preferences(link: PreferencesLink): string
  acknowledge(link: AcknowledgeLink): string
  /** Null: forged, broken, or made for another purpose. */
  readUnsubscribe(token: string): UnsubscribeLink | null
  readPreferences(token: string): PreferencesLink | null
  readAcknowledge(token: string): AcknowledgeLink | null
}

type Purpose = "unsubscribe" | "preferences" | "acknowledge"

/** 128 bits: a link also has to fit into a text message. */
const MAC_BYTES = 16
const MAX_TOKEN = 8_192
/** Changes with what the token says, and so ends all before. */
const VERSION = "1"

/** `keys`: as `HUB_ENCRYPTION_KEYS` has them; the first one signs, all are believed. */
export function linkTokens(keys: readonly Secret[]): LinkTokens {
  const derived = (purpose: Purpose): readonly Buffer[] =>
    keys.map((key) => Buffer.from(hkdfSync("sha256", key.reveal(), "", `hub link ${VERSION} ${purpose}`, 32)))
  const byPurpose = {
    unsubscribe: derived("unsubscribe"),
    preferences: derived("preferences"),
    acknowledge: derived("acknowledge"),
  }
  const macOf = (key: Buffer, text: string): Buffer =>
    createHmac("sha256", key).update(text).digest().subarray(0, MAC_BYTES)

  const sign = (purpose: Purpose, text: string): string => {
    const [key] = byPurpose[purpose]
    if (key === undefined) throw new Error("a link without a key")
    return `${text}.${macOf(key, text).toString("base64url")}`
  }
  const verified = (purpose: Purpose, token: string): string | null => {
    const dot = token.lastIndexOf(".")
    if (token.length > MAX_TOKEN || dot === -1) return null
    const text = token.slice(0, dot)
    const mac = Buffer.from(token.slice(dot + 1), "base64url")
    const good = (key: Buffer): boolean => mac.length === MAC_BYTES && timingSafeEqual(mac, macOf(key, text))
    return byPurpose[purpose].some(good) ? text : null
  }
  const parts = (purpose: Purpose, token: string): readonly unknown[] | null => {
    const text = verified(purpose, token)
    return text === null ? null : (JSON.parse(Buffer.from(text, "base64url").toString()) as readonly unknown[]) // as it was signed here
  }
  const packed = (values: readonly unknown[]): string => Buffer.from(JSON.stringify(values)).toString("base64url")

  return {
    unsubscribe: ({ recipients, channel, category, commercial }) =>
      sign("unsubscribe", packed([channel, category, commercial, ...recipients])),
    preferences: ({ recipient, until }) => sign("preferences", packed([recipient, Math.floor(until / 1_000)])),
    acknowledge: (id) => sign("acknowledge", id),
    readUnsubscribe(token) {
      const [channel, category, commercial, ...named] = parts("unsubscribe", token) ?? []
      if (!isPersonalChannel(channel) || !(category === null || typeof category === "string")) return null
      return {
        channel,
        category,
        commercial: commercial === true,
        recipients: named.flatMap((id) => asRecipientId(id) ?? []),
      }
    },
    readPreferences(token) {
      const [named, seconds] = parts("preferences", token) ?? []
      const recipient = asRecipientId(named)
      return recipient === null || typeof seconds !== "number" ? null : { recipient, until: seconds * 1_000 }
    },
    readAcknowledge(token) {
      const id = verified("acknowledge", token)
      return id === null ? null : (asDeliveryId(id) ?? asNotificationId(id))
    },
  }
}
