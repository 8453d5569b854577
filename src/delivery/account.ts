/**
 * The account that a channel sends with, as its dispatcher sees it: how much may go at once, and whether anything may.
 * A channel has one today; a second one would be a second of these, and of dispatchers.
 */
import type { Message } from "../domain/message.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { type Breaker, CAREFUL, CLOSED, learn, limitOf, look, type Verdict } from "./breaker.ts"
import type { InFlight } from "./in-flight.ts"

export interface AccountOptions {
  readonly channel: string
  readonly telemetry: Emitter
  readonly clock: Clock
  /** [0, 1). */
  readonly random: () => number
  /** Sends at once. */
  readonly bound: number
  /** Held at once: those that are sending, and those that wait for their settlement's commit. */
  readonly maxHeld: number
  /** The dispatcher before this one crashed. */
  readonly careful: boolean
  /** Its state changed; where it opened, it is to be looked at again in `againInMs`. */
  readonly onChange: (againInMs: number | null) => void
}

/** Slack itself, under whose roof a recipient's own webhook says as much about the provider as ours does. */
const SLACK_HOST = /^https:\/\/hooks\.slack(-gov)?\.com\//

/**
 * Whether the message goes to a server that its recipient or rule named, such as a Mattermost, or a browser's push service:
 * one that is away is that one's trouble, and must not pause the channel for everybody else.
 */
export const isElsewhere = (message: Message): boolean =>
  message.channel === "webhook" ||
  (message.channel === "push" && message.device.platform === "web") ||
  (message.channel === "slack" && message.webhookUrl !== null && !SLACK_HOST.test(message.webhookUrl))

/** With what a message is sent, in a word for who looks at what failed. A named URL's host says whose server it was. */
export function accountOf(message: Message): string {
  if (message.channel === "push") return message.device.platform
  if (message.channel === "slack" && message.botTo !== undefined) return "bot"
  const named = message.channel === "webhook" ? message.url : message.channel === "slack" ? message.webhookUrl : null
  return named === null ? "own" : (URL.parse(named)?.host ?? "unreadable")
}

export class Account {
  private readonly options: AccountOptions
  private breaker: Breaker

  constructor(options: AccountOptions) {
    this.options = options
    this.breaker = options.careful ? CAREFUL : CLOSED
  }

  /** Of what is claimed from now on; goes with it, and comes back in `hear`. */
  get era(): number {
    return this.breaker.era
  }

  /** How many more may be claimed now. */
  room(inFlight: InFlight): number {
    const { clock, bound, maxHeld } = this.options
    this.breaker = look(this.breaker, clock.now())
    const limit = limitOf(this.breaker)
    if (limit === 0) return 0
    const ours = limit >= bound ? bound : limit - inFlight.sendingOf(this.breaker.era)
    return Math.max(0, Math.min(ours, bound - inFlight.sending, maxHeld - inFlight.size))
  }

  /** What a try of `era` says; `reason` is the code of what it saw, `wishMs` for how long its provider wants to be left alone. */
  hear(era: number, verdict: Verdict, reason: string, wishMs: number | null = null): void {
    const { channel, telemetry, clock, random, bound, onChange } = this.options
    const before = this.breaker
    const now = clock.now()
    const after = learn(before, { era, verdict, now, random, bound, wishMs })
    this.breaker = after
    if (after.state === before.state) return
    if (after.state === "open") {
      const forMs = Math.round(after.until - now)
      telemetry.emit({ kind: "breaker_opened", channel, reason, forMs })
      onChange(forMs)
    } else if (after.state === "closed") {
      telemetry.emit({ kind: "breaker_closed", channel })
      onChange(null)
    }
  }
}
