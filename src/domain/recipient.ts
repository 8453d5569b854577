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
  readonly token: string
}

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
