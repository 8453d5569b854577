/**
 * A topic of the hub, followed over the stock `phoenix` socket so that nothing is missed: joins with the last position,
 * gives out each message once and in order, asks again when a gap shows, and says so where the hub cannot give back all.
 * The socket is handed in; nothing of it is imported.
 */
import { type HubClock, systemClock } from "./clock.ts"
import { InOrder, type Position } from "./in-order.ts"
import { isObject, type JsonObject } from "./json.ts"

/** What is used of `phoenix`'s `Socket`. */
export interface PhoenixSocket {
  channel(topic: string, params?: object): PhoenixChannel
}
/** What is used of its `Channel`. */
export interface PhoenixChannel {
  join(timeout?: number): PhoenixPush
  leave(timeout?: number): unknown
  onMessage(event: string, payload: unknown, ref: unknown): unknown
}
/** What is used of its `Push`. */
export interface PhoenixPush {
  receive(status: "ok" | "error" | "timeout", callback: (response: unknown) => unknown): PhoenixPush
}

/** What the hub pushed. */
export interface TopicMessage {
  /** `resource_update`, `notification`, `counts` and so on. */
  readonly event: string
  readonly payload: JsonObject
  /** Its position; null: a message without one, such as `counts`, which is given out as it comes. */
  readonly offset: number | null
}

export interface FollowOptions<Channel extends PhoenixChannel = PhoenixChannel> {
  /** Each message once; those with a position in its order. */
  message(message: TopicMessage): void
  /**
   * Load anew what you show: messages go on from here. `first`: nothing was known before; `missed`: something was missed
   * that the hub does not have any more.
   */
  reload(why: "first" | "missed"): void
  /** The hub refuses the join, with its reason (`unauthorized`). The socket goes on trying. */
  refused?(reason: string): void
  /** Where to go on from: a `position` that was kept, over a reload of the page say. */
  readonly from?: Position | null | undefined
  /** More for the join, such as `{ presence: {} }`. */
  readonly params?: Readonly<Record<string, unknown>> | undefined
  /** Told of the channel before it joins, and of the one that takes its place after a gap: for `new Presence(channel)`. */
  opened?(channel: Channel): void
  /** For tests. */
  readonly clock?: HubClock | undefined
}

export interface Following {
  /** Up to where everything was given out; null until the first join. */
  readonly position: Position | null
  /** Leaves the topic; nothing is given out from then on. */
  leave(): void
}

/** Messages overtake each other by milliseconds, if at all: what stays away longer is asked for. */
const GAP_PATIENCE_MS = 250

/**
 * Follows a topic (`resources:b1:l1`, `notifications:u1`) on a socket of the stock client, for as long as the socket
 * lives and over all its reconnects. Where a caller without limits writes a place with a hyphen, several places may be
 * meant, whose positions have nothing to do with each other: use the colon form.
 */
export function follow<Channel extends PhoenixChannel>(
  socket: { channel(topic: string, params?: object): Channel },
  topic: string,
  options: FollowOptions<Channel>,
): Following {
  const { clock = systemClock, params = {}, from = null } = options
  const order = new InOrder<TopicMessage>(from)
  let channel: Channel
  let waiting: { cancel(): void } | null = null
  let left = false

  /** To the user, in order. One that throws keeps nobody else from theirs. */
  const give = (messages: readonly TopicMessage[]): void => {
    const errors: unknown[] = []
    for (const message of messages) {
      if (left) break
      try {
        options.message(message)
      } catch (error) {
        errors.push(error)
      }
    }
    watch()
    if (errors.length > 0) throw errors[0]
  }
  /** A gap is waited for a moment, and then asked for. */
  const watch = (): void => {
    if (!order.isBehind || left) {
      waiting?.cancel()
      waiting = null
    } else waiting ??= clock.after(GAP_PATIENCE_MS, again)
  }
  const again = (): void => {
    waiting = null
    if (left || !order.isBehind) return
    const old = channel
    channel = open()
    old.leave()
    start(channel)
  }
  const came = (event: string, payload: unknown): void => {
    if (/^(phx_|chan_reply_)/.test(event) || !isObject(payload)) return
    const { _offset: offset } = payload
    const known = payload as JsonObject // it was JSON a moment ago
    if (typeof offset === "number") give(order.take(offset, { event, payload: known, offset }))
    else give([{ event, payload: known, offset: null }])
  }
  const joined = (answer: unknown): void => {
    if (!isObject(answer)) return
    const { epoch, offset, recovered, missed } = answer
    // A topic without positions: everything is given out as it comes.
    if (typeof epoch !== "string" || typeof offset !== "number") return
    const at = { epoch, offset }
    if (recovered === true && Array.isArray(missed)) {
      give(order.caughtUp(at, missed.flatMap(positioned)))
      return
    }
    const why = order.position === null ? "first" : "missed"
    const since = order.startAt(at)
    try {
      if (!left) options.reload(why)
    } finally {
      give(since)
    }
  }

  const open = (): Channel => {
    const opened = socket.channel(topic, () => ({
      ...params,
      ...(order.position === null ? {} : { recover: order.position }),
    }))
    opened.onMessage = (event: string, payload: unknown): unknown => {
      if (!left && opened === channel) came(event, payload)
      return payload
    }
    return opened
  }
  const start = (opened: Channel): void => {
    options.opened?.(opened)
    const own = (run: (answer: unknown) => void) => (answer: unknown) => {
      if (!left && opened === channel) run(answer)
    }
    opened
      .join()
      .receive("ok", own(joined))
      .receive(
        "error",
        own((answer) => {
          const reason = isObject(answer) && typeof answer["reason"] === "string" ? answer["reason"] : "unknown"
          options.refused?.(reason)
        }),
      )
  }

  channel = open()
  start(channel)
  return {
    get position() {
      return order.position
    },
    leave() {
      left = true
      waiting?.cancel()
      channel.leave()
    },
  }
}

/** A message of a join's answer with its position; nothing, where it is none. */
function positioned(item: unknown): [offset: number, message: TopicMessage][] {
  if (!isObject(item) || typeof item["event"] !== "string" || !isObject(item["payload"])) return []
  const payload = item["payload"] as JsonObject // it was JSON a moment ago
  const offset = payload["_offset"]
  return typeof offset === "number" ? [[offset, { event: item["event"], payload, offset }]] : []
}

/** Options for `new Socket`. */
export interface SpreadOptions {
  /** How long to wait before a try to connect; `tries` begins at 1. */
  readonly reconnectAfterMs: (tries: number) => number
  /** The same before a try to join. */
  readonly rejoinAfterMs: (tries: number) => number
}

/** The longest pause after the first failure; it doubles to the other. */
const FIRST_MS = 1_000
const LONGEST_MS = 30_000

/**
 * The stock client's pauses have no jitter, so after a restart of the hub all its screens come at once. These are random
 * below a bound that doubles from one second to thirty: `new Socket(url, { ...spread(), authToken })`.
 */
export function spread(random: () => number = Math.random): SpreadOptions {
  const pause = (tries: number): number => random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, tries - 1))
  return { reconnectAfterMs: pause, rejoinAfterMs: pause }
}
