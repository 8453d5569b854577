/** Recipients: who can be told things, and where they are reached. */
import { type ItemResult, inBatches } from "./batches.ts"
import { HubProblem } from "./errors.ts"
import { Listing } from "./listing.ts"
import { PreferencesOf } from "./preferences.ts"
import { type CallOptions, path, type Send } from "./transport.ts"

/** Where somebody belongs. */
export interface Membership {
  readonly business_id: string
  /** Null: every location. */
  readonly location_ids: readonly string[] | null
  readonly roles: readonly string[]
}

export interface DeviceToken {
  readonly platform: string
  readonly token: string
}

interface Profile {
  readonly name: string | null
  readonly email: string | null
  /** E.164, such as `+9647701234567`. */
  readonly phone: string | null
  /** A chat's id or `@channel`. */
  readonly telegram_chat_id: string | null
  /** An incoming webhook; recipients who share one get one post. */
  readonly slack_webhook_url: string | null
  /** A member id such as `U012AB3CD`. */
  readonly slack_user_id: string | null
  readonly device_tokens: readonly DeviceToken[]
  /** A language tag such as `ar` or `en-GB`. */
  readonly locale: string | null
  /** An IANA time zone such as `Asia/Baghdad`. */
  readonly timezone: string | null
}

type Given<T> = { readonly [Key in keyof T]?: T[Key] | undefined }

/** The whole recipient: what is left out is gone afterwards. Either memberships, or one in short form. */
export interface RecipientInput extends Given<Profile>, Given<Membership> {
  readonly memberships?: readonly Given<Membership>[] | undefined
}

export interface Recipient extends Profile {
  readonly id: string
  /** Those in businesses that the key sees. */
  readonly memberships: readonly Membership[]
}

export interface RecipientFilter {
  /** Only those who have it. */
  readonly role?: string | undefined
  /** Recipients a page, 1 to 200. Default: 50. */
  readonly limit?: number | undefined
}

/** What became of one recipient of a batch. */
export type RecipientResult = ItemResult<"created" | "updated">

/** `hub.recipients`. */
export class Recipients {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  /** Creates or replaces one. */
  async upsert(id: string, recipient: RecipientInput, options?: CallOptions): Promise<Recipient> {
    const body = JSON.stringify(recipient)
    return this.#send({ method: "PUT", path: path`/v1/recipients/${id}`, body, options })
  }

  /** Creates or replaces many, in requests of at most 1,000 and 8 MiB; results in the order given, each its own. */
  upsertBatch(
    recipients: readonly (RecipientInput & { readonly id: string })[],
    options?: CallOptions,
  ): Promise<readonly RecipientResult[]> {
    return inBatches(recipients, ["created", "updated"], undefined, ({ body }) =>
      this.#send({ method: "POST", path: "/v1/recipients/batch", body, options }),
    )
  }

  /** One recipient. Rejects with `HubProblem` `not_found` where this key sees none of that id. */
  async get(id: string, options?: CallOptions): Promise<Recipient> {
    return this.#send({ method: "GET", path: path`/v1/recipients/${id}`, options })
  }

  /** Recipients in the order of their ids. */
  list(filter: RecipientFilter = {}, options?: CallOptions): Listing<Recipient> {
    return new Listing((after) =>
      this.#send({ method: "GET", path: "/v1/recipients", query: { ...filter, after }, options }),
    )
  }

  /** What one wishes to get. */
  prefs(id: string): PreferencesOf {
    return new PreferencesOf(this.#send, path`/v1/recipients/${id}/prefs`)
  }

  /** Takes one out of the key's businesses. Rejects with `HubProblem` `not_found` where there is none. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await deleted(this.#send({ method: "DELETE", path: path`/v1/recipients/${id}`, options }))
  }
}

/** Whose answer got lost has deleted it, and is told `not_found` when it asks again. */
export async function deleted(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof HubProblem && error.status === 404 && error.tries > 1)) throw error
  }
}
