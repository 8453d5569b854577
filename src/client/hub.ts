/**
 * The client library, published as `hubbub/client`: for Node, Bun and browsers, without a dependency and without a line
 * of the server. A `Hub` is the way to one hub with one credential.
 */
import type { Fetch } from "./attempt.ts"
import { type HubClock, systemClock } from "./clock.ts"
import { checkCredential } from "./credential.ts"
import { Deliveries } from "./deliveries.ts"
import { Events } from "./events.ts"
import { Lists } from "./lists.ts"
import { Notifications } from "./notifications.ts"
import { PreferencesOf } from "./preferences.ts"
import { Recipients } from "./recipients.ts"
import { Resources } from "./resources.ts"
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts"
import { transport } from "./transport.ts"

export type { Fetch } from "./attempt.ts"
export type { InvalidItem, ItemResult } from "./batches.ts"
export type { HubClock } from "./clock.ts"
export type { Attempt, Delivery, DeliveryFilter, DeliveryNext, DeliveryStatus } from "./deliveries.ts"
export {
  type FieldError,
  HubAborted,
  HubError,
  HubProblem,
  HubTimeout,
  HubUnexpectedAnswer,
  HubUnreachable,
  type ProblemCode,
} from "./errors.ts"
export type {
  AcceptedEvent,
  Event,
  EventFilter,
  EventResult,
  EventStats,
  PublishOptions,
  Severity,
  StoredEvent,
  Trace,
  TracedDelivery,
  TracedDigest,
  TracedNotification,
  TracedRule,
  TracedTimer,
} from "./events.ts"
export type { Position } from "./in-order.ts"
export type { Json, JsonObject } from "./json.ts"
export type { Listing, Page, PageInfo } from "./listing.ts"
export type { ListFilter, ListMember, ListPlace, ListSummary } from "./lists.ts"
export type { InboxCounts, Notification, NotificationFilter, NotificationPage } from "./notifications.ts"
export type { Channel, Preferences, PreferencesInput, QuietHours } from "./preferences.ts"
export {
  type Following,
  type FollowOptions,
  follow,
  type PhoenixChannel,
  type PhoenixPush,
  type PhoenixSocket,
  type SpreadOptions,
  spread,
  type TopicMessage,
} from "./realtime.ts"
export type {
  DeviceToken,
  Membership,
  Recipient,
  RecipientFilter,
  RecipientInput,
  RecipientResult,
} from "./recipients.ts"
export type { ResourceMessage } from "./resources.ts"
export type { RetryPolicy } from "./retry.ts"
export type { CallOptions } from "./transport.ts"

/** Who calls: a service by its key, or a person by their JWT, which may be renewed by a function. */
export type Credential =
  | { readonly apiKey: string; readonly token?: undefined }
  | { readonly token: string | (() => string | Promise<string>); readonly apiKey?: undefined }

export type HubOptions = Credential & {
  /** Where the hub lives: `https://hub.example.com`, with a path where a proxy has one. */
  readonly baseUrl: string | URL
  /** Milliseconds for a call, repeats and pauses included. Default: 60,000. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds for one try of it. Default: 10,000. */
  readonly attemptTimeoutMs?: number | undefined
  /** Default: 5 tries, pauses of up to 250 ms that double. */
  readonly retry?: Partial<RetryPolicy> | undefined
  /** Default: the global one. */
  readonly fetch?: Fetch | undefined
  /** For tests. */
  readonly clock?: HubClock | undefined
  /** For tests: 0 to 1. */
  readonly random?: (() => number) | undefined
}

/**
 * The way to a hub.
 *
 * ```ts
 * const hub = new Hub({ apiKey, baseUrl: "http://localhost:4000" })
 * await hub.events.publish({ type: "invoice.overdue", source: "invoicing", payload: { days_overdue: 7 } })
 * ```
 *
 * What may pass by itself (no answer, an answer too late, 408, 429, 502, 503, 504) is repeated with the same bytes;
 * every other refusal rejects at once. Each call takes a `signal` and a `timeoutMs`.
 */
export class Hub {
  /** Publishing events, reading them, and what followed from them. */
  readonly events: Events
  /** Telling of changed resources. */
  readonly resources: Resources
  /** Who can be told things. */
  readonly recipients: Recipients
  /** Lists of recipients. */
  readonly lists: Lists
  /** What the token's person wishes to get. */
  readonly preferences: PreferencesOf
  /** A person's inbox. */
  readonly notifications: Notifications
  /** What left for which channel, and what did not. */
  readonly deliveries: Deliveries

  /** Throws TypeError where the options make no sense. */
  constructor(options: HubOptions) {
    const { apiKey, token } = options
    if ((apiKey === undefined) === (token === undefined)) throw new TypeError("expected apiKey or token, one of them")
    const given = apiKey ?? token
    if (typeof given !== "function") checkCredential(given)
    const send = transport({
      baseUrl: rootOf(options.baseUrl),
      credential: typeof given === "function" ? given : () => given,
      fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      retry: { ...DEFAULT_RETRY, ...options.retry },
      timeoutMs: options.timeoutMs ?? 60_000,
      attemptTimeoutMs: options.attemptTimeoutMs ?? 10_000,
    })
    this.events = new Events(send)
    this.resources = new Resources(send)
    this.recipients = new Recipients(send)
    this.lists = new Lists(send)
    this.preferences = new PreferencesOf(send, "/v1/prefs")
    this.notifications = new Notifications(send)
    this.deliveries = new Deliveries(send)
  }
}

/** Without a slash at the end. A URL that holds a password is refused, and not quoted. */
function rootOf(baseUrl: string | URL): string {
  const text = String(baseUrl)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new TypeError("baseUrl: expected an http or https URL without a user or password")
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`
}
