/** A person's inbox. A person reads their own with a token; a service names whose it looks into. */

import type { JsonObject } from "./json.ts"
import { Listing, type Page } from "./listing.ts"
import { deleted } from "./recipients.ts"
import { type CallOptions, path, type Send } from "./transport.ts"

/** One thing that one person should know. */
export interface Notification {
  readonly id: string
  readonly title: string
  readonly body: string
  readonly severity: string
  readonly category: string | null
  readonly created_at: string
  readonly read_at: string | null
  readonly seen_at: string | null
  readonly archived_at: string | null
  readonly acknowledged_at: string | null
  readonly action_url: string | null
  readonly action_label: string | null
  readonly data: JsonObject | null
  readonly event_id: string
  readonly rule: string
  readonly rules_revision: string
  readonly business_id: string
  readonly location_id: string | null
}

export interface NotificationPage extends Page<Notification> {
  /** The same list as `data`. */
  readonly notifications: readonly Notification[]
  readonly unread_count: number
}

export interface NotificationFilter {
  /** Default: `all`, which is everything that is not archived. */
  readonly status?: "all" | "unread" | "read" | "archived" | undefined
  /** Notifications a page, 1 to 200. Default: 50. */
  readonly limit?: number | undefined
}

export interface InboxCounts {
  readonly unread_count: number
  readonly unseen_count: number
}

/** `hub.notifications`. */
export class Notifications {
  readonly #send: Send
  readonly #of: string | undefined

  constructor(send: Send, of?: string) {
    this.#send = send
    this.#of = of
  }

  /** Somebody's inbox, for services and operators. */
  of(recipient: string): Notifications {
    return new Notifications(this.#send, recipient)
  }

  /** Notifications, newest first. */
  list(filter: NotificationFilter = {}, options?: CallOptions): Listing<Notification, NotificationPage> {
    return new Listing((after) =>
      this.#send({ method: "GET", path: "/v1/notifications", query: { ...filter, after, ...this.#whose() }, options }),
    )
  }

  /** One notification. Rejects with `HubProblem` `not_found` where it is nobody's, or somebody else's. */
  async get(id: string, options?: CallOptions): Promise<Notification> {
    return this.#send({ method: "GET", path: path`/v1/notifications/${id}`, query: this.#whose(), options })
  }

  /** How many are unread and unseen. */
  counts(options?: CallOptions): Promise<InboxCounts> {
    return this.#send({ method: "GET", path: "/v1/notifications/counts", query: this.#whose(), options })
  }

  /** Marks as read. Each of these resolves with the notification as it now is. */
  read(id: string, options?: CallOptions): Promise<Notification> {
    return this.#mark(id, "read", options)
  }

  /** Marks as unread. */
  unread(id: string, options?: CallOptions): Promise<Notification> {
    return this.#mark(id, "unread", options)
  }

  /** Marks as having been on a screen. */
  seen(id: string, options?: CallOptions): Promise<Notification> {
    return this.#mark(id, "seen", options)
  }

  /** Archives: from then on only the list `archived` shows it. */
  archive(id: string, options?: CallOptions): Promise<Notification> {
    return this.#mark(id, "archive", options)
  }

  /** Takes it out of the archive. */
  unarchive(id: string, options?: CallOptions): Promise<Notification> {
    return this.#mark(id, "unarchive", options)
  }

  /** Says that somebody has taken it up. */
  acknowledge(id: string, options?: CallOptions): Promise<Notification> {
    return this.#mark(id, "acknowledge", options)
  }

  /** Marks everything as read. `updated`: how many were not. */
  markAllRead(options?: CallOptions): Promise<{ readonly updated: number; readonly unread_count: number }> {
    return this.#send({ method: "POST", path: "/v1/notifications/mark-all-read", query: this.#whose(), options })
  }

  /** Takes it out of the inbox. Rejects with `HubProblem` `not_found` where it is not there. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    const query = this.#whose()
    await deleted(this.#send({ method: "DELETE", path: path`/v1/notifications/${id}`, query, options }))
  }

  async #mark(id: string, word: string, options: CallOptions | undefined): Promise<Notification> {
    const where = `${path`/v1/notifications/${id}`}/${word}`
    return this.#send({ method: "PATCH", path: where, query: this.#whose(), options })
  }

  #whose(): { readonly recipient_id: string | undefined } {
    return { recipient_id: this.#of }
  }
}
