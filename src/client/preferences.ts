/** What somebody wishes to get, and when. */
import type { Severity } from "./events.ts"
import type { CallOptions, Send } from "./transport.ts"

/** The ways to reach a person. */
export type Channel = "inapp" | "email" | "sms" | "voice" | "telegram" | "slack" | "push"

type ByChannel<T> = { readonly [Name in Channel]?: T }

/** What comes between the two waits for their end. */
export interface QuietHours {
  /** `HH:MM`. */
  readonly from: string
  /** `HH:MM`; before `from`, it is of the next day. */
  readonly to: string
  /** An IANA time zone. */
  readonly timezone: string
}

export interface Preferences {
  /** `false`: nothing is sent there. What is not said is allowed; `inapp` always stays. */
  readonly channels: ByChannel<boolean>
  /** The same for one category. */
  readonly categories: Readonly<Record<string, ByChannel<boolean>>>
  /** Nothing less grave is sent there. */
  readonly severity_min: ByChannel<Severity>
  readonly quiet_hours: QuietHours | null
}

type Given<T> = { readonly [Key in keyof T]?: T[Key] | null | undefined }

/** `null` says nothing; in a change it takes back what was said. Quiet hours without a zone are the recipient's. */
export interface PreferencesInput {
  readonly channels?: Given<ByChannel<boolean>> | null | undefined
  readonly categories?: Readonly<Record<string, Given<ByChannel<boolean>> | null>> | null | undefined
  readonly severity_min?: Given<ByChannel<Severity>> | null | undefined
  readonly quiet_hours?: Given<QuietHours> | null | undefined
}

/** `hub.preferences`, one's own; `hub.recipients.prefs(id)`, a recipient's. */
export class PreferencesOf {
  readonly #send: Send
  readonly #path: string

  constructor(send: Send, path: string) {
    this.#send = send
    this.#path = path
  }

  async get(options?: CallOptions): Promise<Preferences> {
    return this.#send({ method: "GET", path: this.#path, options })
  }

  /** What is left out is said no more. */
  async replace(preferences: PreferencesInput, options?: CallOptions): Promise<Preferences> {
    return this.#send({ method: "PUT", path: this.#path, body: JSON.stringify(preferences), options })
  }

  /** Merges what is named into what was said. */
  async change(preferences: PreferencesInput, options?: CallOptions): Promise<Preferences> {
    return this.#send({ method: "POST", path: this.#path, body: JSON.stringify(preferences), options })
  }
}
