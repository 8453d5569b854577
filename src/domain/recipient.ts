/** A person or service account that can be told things. */
import type { BusinessId, LocationId, RecipientId } from "./ids.ts"

export interface Membership {
  readonly business: BusinessId
  /** Null: every location of the business. */
  readonly locations: readonly LocationId[] | null
  readonly roles: readonly string[]
}

export interface DeviceToken {
  readonly platform: string
  /** Of a browser (`web`): its push subscription as JSON. */
  readonly token: string
}

/** Whose push service reaches a device: the browser's own, Google's or Apple's. */
export type PushService = "web" | "fcm" | "apns"

const SERVICES: ReadonlyMap<string, PushService> = new Map([
  ["web", "web"],
  ["android", "fcm"],
  ["fcm", "fcm"],
  ["ios", "apns"],
  ["apns", "apns"],
])

/** Null: no service that the hub speaks with. */
export const pushServiceOf = ({ platform }: DeviceToken): PushService | null => SERVICES.get(platform) ?? null

/** The personal part: stored sealed, opened only by `store`. */
export interface Profile {
  readonly name: string | null
  readonly email: string | null
  readonly phone: string | null
  readonly telegramChatId: string | null
  readonly slackWebhookUrl: string | null
  readonly slackUserId: string | null
  readonly deviceTokens: readonly DeviceToken[]
}

export interface Recipient extends Profile {
  readonly id: RecipientId
  readonly memberships: readonly Membership[]
  /** BCP 47 such as `ar` or `en-GB`, or null. */
  readonly locale: string | null
  /** IANA zone, or null. */
  readonly timezone: string | null
}

/** A recipient that was only ever named: in-app only, no address. */
export const namedOnly = (id: RecipientId, business: BusinessId): Recipient => ({
  id,
  memberships: [{ business, locations: null, roles: [] }],
  name: null,
  email: null,
  phone: null,
  telegramChatId: null,
  slackWebhookUrl: null,
  slackUserId: null,
  deviceTokens: [],
  locale: null,
  timezone: null,
})
