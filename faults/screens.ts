/**
 * Screens as browsers have them: they join a topic, come back by the stock client's own timing with the last position
 * they saw, and put nothing right themselves. What a hub owes them is counted: every position, once, in order.
 */
import { isJsonObject, type Json, type JsonObject } from "../src/domain/json.ts"
import { SERVICE_KEY } from "../src/testing/front.ts"
import { type Figure, percentile } from "./fault.ts"

/** `phoenix` 1.8's own, between one try to connect and the next; and between two joins of one topic. */
const RECONNECT_MS = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000, 5_000]
const REJOIN_MS = [1_000, 2_000, 5_000, 10_000]
const JOIN_DEADLINE_MS = 10_000

export interface ScreenOptions {
  /** `ws://…` of whichever node is there now. */
  readonly url: () => string
  readonly token: string
  readonly topic: string
}

/** What went wrong, and how long coming back took. */
export interface Seen {
  last: number
  gaps: number
  overtaken: number
  twice: number
  notRecovered: number
  /** From the loss of a socket to the answer of the join that mended it. */
  readonly backMs: number[]
  readonly closes: number[]
  /** When its sockets opened, by `performance.now()`. */
  readonly opens: number[]
}

export class Screen {
  readonly seen: Seen = {
    last: -1,
    gaps: 0,
    overtaken: 0,
    twice: 0,
    notRecovered: 0,
    backMs: [],
    closes: [],
    opens: [],
  }
  readonly #options: ScreenOptions
  #socket: WebSocket | null = null
  #epoch = ""
  #left = false
  #joined = false
  #lostAt: number | null = null
  #tries = 0
  #joins = 0
  #ref = 0
  #timer: Timer | undefined
  #waiting: (() => void)[] = []

  constructor(options: ScreenOptions) {
    this.#options = options
    this.#connect()
  }

  get topic(): string {
    return this.#options.topic
  }

  /** Resolves when it has joined: at once, where it has. */
  joined(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#joined) resolve()
      else this.#waiting.push(resolve)
    })
  }

  leave(): void {
    this.#left = true
    clearTimeout(this.#timer)
    this.#socket?.close()
  }

  #connect(): void {
    if (this.#left) return
    const { url, token } = this.#options
    const socket = new WebSocket(`${url()}/socket/websocket?vsn=2.0.0&token=${token}`)
    this.#socket = socket
    let opened = false
    socket.onopen = () => {
      opened = true
      this.seen.opens.push(performance.now())
      this.#tries = 0
      this.#join(socket)
    }
    socket.onmessage = ({ data }) => this.#take(socket, JSON.parse(String(data)) as Frame) // the hub's own frames
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return
      clearTimeout(this.#timer)
      if (opened && !this.#left) this.seen.closes.push(code)
      if (this.#joined) this.#lostAt = performance.now()
      this.#joined = false
      const wait = RECONNECT_MS[Math.min(this.#tries, RECONNECT_MS.length - 1)]
      this.#tries += 1
      this.#timer = setTimeout(() => this.#connect(), wait)
    }
  }

  #join(socket: WebSocket): void {
    if (this.#socket !== socket || socket.readyState !== WebSocket.OPEN) return
    this.#ref += 1
    const ref = String(this.#ref)
    const recover = this.seen.last < 0 ? {} : { recover: { epoch: this.#epoch, offset: this.seen.last } }
    socket.send(JSON.stringify([ref, ref, this.topic, "phx_join", recover]))
    this.#timer = setTimeout(() => this.#join(socket), JOIN_DEADLINE_MS)
  }

  #joinLater(socket: WebSocket): void {
    clearTimeout(this.#timer)
    const wait = REJOIN_MS[Math.min(this.#joins, REJOIN_MS.length - 1)]
    this.#joins += 1
    this.#timer = setTimeout(() => this.#join(socket), wait)
  }

  #take(socket: WebSocket, [, ref, topic, event, payload]: Frame): void {
    if (topic !== this.topic || this.#socket !== socket) return
    if (event === "phx_error") {
      if (this.#joined) this.#lostAt = performance.now()
      this.#joined = false
      this.#joinLater(socket)
    } else if (event === "phx_reply" && ref === String(this.#ref)) this.#answered(socket, payload)
    else if (isJsonObject(payload) && typeof payload["_offset"] === "number") this.#saw(payload["_offset"])
  }

  #answered(socket: WebSocket, payload: Json): void {
    const { status, response } = payload as { readonly status: string; readonly response: JsonObject } // a reply's shape
    if (status !== "ok") {
      this.#joinLater(socket)
      return
    }
    clearTimeout(this.#timer)
    const { epoch, offset, recovered, missed } = response
    this.#epoch = String(epoch)
    if (recovered === true && Array.isArray(missed)) {
      for (const one of missed)
        if (isJsonObject(one) && isJsonObject(one["payload"])) this.#saw(one["payload"]["_offset"])
      // What the answer says to have given, it has.
      if (Number(offset) !== this.seen.last) this.seen.gaps += 1
    } else if (recovered === false) this.seen.notRecovered += 1
    this.seen.last = Number(offset)
    this.#joined = true
    this.#joins = 0
    if (this.#lostAt !== null) this.seen.backMs.push(performance.now() - this.#lostAt)
    this.#lostAt = null
    for (const done of this.#waiting.splice(0)) done()
  }

  #saw(position: Json | undefined): void {
    const at = Number(position)
    const { last } = this.seen
    if (at === last + 1) this.seen.last = at
    else if (at === last) this.seen.twice += 1
    else if (at < last) this.seen.overtaken += 1
    else {
      this.seen.gaps += 1
      this.seen.last = at
    }
  }
}

type Frame = readonly [joinRef: Json, ref: Json, topic: string, event: string, payload: Json]

export const leave = (screens: readonly Screen[]): void => {
  for (const screen of screens) screen.leave()
}

/** Resolves when each of them has lost the socket that it has now. */
export async function lost(screens: readonly Screen[]): Promise<void> {
  const before = screens.map(({ seen }) => seen.closes.length)
  while (screens.some(({ seen }, n) => seen.closes.length === before[n])) await Bun.sleep(5)
}

/** What no fault may do to a screen. `heads`: how far each topic's stream goes now; null: not asked. */
export function owed(screens: readonly Screen[], heads: ReadonlyMap<string, number> | null): readonly Figure[] {
  const sum = (of: (seen: Seen) => number): number => screens.reduce((all, { seen }) => all + of(seen), 0)
  const short = screens.filter(({ topic, seen }) => seen.last !== (heads?.get(topic) ?? 0))
  return [
    { what: "gaps", value: sum(({ gaps }) => gaps), atMost: 0 },
    { what: "overtaken", value: sum(({ overtaken }) => overtaken), atMost: 0 },
    { what: "twice", value: sum(({ twice }) => twice), atMost: 0 },
    { what: "not recovered", value: sum(({ notRecovered }) => notRecovered), atMost: 0 },
    ...(heads === null ? [] : [{ what: "screens that have not seen all", value: short.length, atMost: 0 }]),
  ]
}

/** Waits until every screen has seen its stream's head, or nothing comes any more. */
export async function caughtUp(
  screens: readonly Screen[],
  heads: ReadonlyMap<string, number>,
  stillMs = STILL_MS,
): Promise<void> {
  const missing = (): number =>
    screens.reduce((all, { topic, seen }) => all + Math.max(0, (heads.get(topic) ?? 0) - seen.last), 0)
  let least = Number.POSITIVE_INFINITY
  for (let since = performance.now(); performance.now() - since < stillMs; await Bun.sleep(20)) {
    const left = missing()
    if (left === 0) return
    if (left >= least) continue
    least = left
    since = performance.now()
  }
}
/** Longer than it takes a node to ask how far its streams go. */
const STILL_MS = 20_000

export const backP99 = (screens: readonly Screen[], atMost: number): Figure => ({
  what: "back at p99",
  value: percentile(
    screens.flatMap(({ seen }) => seen.backMs),
    0.99,
  ),
  unit: "ms",
  atMost,
})

export interface Teller {
  /** Messages that were answered 202. */
  readonly taken: number
  /** Tells nothing new; resolves when what was begun is taken. */
  stop(): Promise<void>
}

/** Tells of changed resources at a fixed rate, one place after the other, and repeats with its key what was not taken. */
export function startTeller(options: {
  readonly perSecond: number
  readonly places: number
  readonly url: () => string
  readonly name?: string
}): Teller {
  const everyMs = 20
  const share = Math.max(1, Math.round((options.perSecond * everyMs) / 1_000))
  const open = new Set<Promise<void>>()
  let n = 0
  let taken = 0
  let lists = 0
  const tell = async (): Promise<void> => {
    const list = Array.from({ length: share }, () => resourceMessage(n++, options.places))
    const key = `${options.name ?? "teller"}-${lists++}`
    for (let tries = 0; ; tries++) {
      const status = await post(options.url(), list, key)
      if (status === 200 || status === 202) break
      await Bun.sleep(Math.min(1_000, 50 * 2 ** tries))
    }
    taken += list.length
  }
  const timer = setInterval(() => {
    const one = tell().finally(() => open.delete(one))
    open.add(one)
  }, everyMs)
  return {
    get taken() {
      return taken
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
    },
  }
}

/** Each place is the only one of a business, so that the business's stream is no longer than its own. */
export const placeTopic = (n: number): string => `resources:b${n}:l1`

const resourceMessage = (n: number, places: number): JsonObject => ({
  type: "resource_updated",
  resourceType: "reservation",
  businessId: `b${n % places}`,
  locationId: "l1",
  resourceId: `r${n}`,
  shardId: "s1",
  timestamp: "2026-01-08T10:00:00.000Z",
})

async function post(url: string, list: readonly JsonObject[], key: string): Promise<number> {
  try {
    const answer = await fetch(`${url}/api/notifications`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${SERVICE_KEY}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(list),
      signal: AbortSignal.timeout(5_000),
    })
    await answer.text()
    return answer.status
  } catch {
    return 0
  }
}
