/**
 * The long-polling sessions of this node: who polls, who posts, and that what waits for all of them together is bounded.
 * What is asked of a session is asked by its id, so that another node can ask the same (`longpoll-nodes.ts`).
 */
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Connection } from "./connection.ts"
import type { RealtimeLimits } from "./limits.ts"
import type { LocalTopics } from "./local-topics.ts"
import { readLines } from "./longpoll-body.ts"
import { LongPollSession, type Polled, type Shelf } from "./longpoll-session.ts"

/** What a client posted, as it came. */
export interface Posted {
  readonly contentType: string | null
  readonly bytes: Uint8Array
}

/** 200 once every line was taken by its topic; 408 where that takes longer than a window; 410 where the session ended. */
export type PostStatus = 200 | 408 | 410

/** Sessions wherever they are. Null: there is none of this id. */
export interface Sessions {
  poll(id: string, signal: AbortSignal): Promise<Polled | null>
  post(id: string, posted: Posted): Promise<PostStatus | null>
}

export interface PollSessionsDeps {
  /** Where sessions hear what is published. */
  readonly topics: LocalTopics
  readonly limits: RealtimeLimits
  readonly clock: Clock
  readonly telemetry: Emitter
  opened(connection: Connection): void
  closed(connection: Connection): void
}

interface Live {
  readonly session: LongPollSession
  readonly connection: Connection
}

export class PollSessions implements Sessions {
  readonly #deps: PollSessionsDeps
  readonly #live = new Map<string, Live>()
  readonly #shelf: Shelf
  #held = 0

  constructor(deps: PollSessionsDeps) {
    this.#deps = deps
    this.#shelf = { waitingBytes: 0, topics: deps.topics, makeRoom: () => this.#makeRoom() }
  }

  get full(): boolean {
    return this.#live.size >= this.#deps.limits.pollSessions
  }

  /** Polls that are held now. */
  get held(): number {
    return this.#held
  }

  has(id: string): boolean {
    return this.#live.has(id)
  }

  open(id: string, connection: Connection): void {
    const { limits, clock, telemetry } = this.#deps
    const session = new LongPollSession({
      limits,
      clock,
      shelf: this.#shelf,
      ended: (code) => {
        this.#deps.closed(connection)
        connection.closed(code)
      },
      dropped: (backlogBytes) => telemetry.emit({ kind: "reader_dropped", transport: "longpoll", backlogBytes }),
      forget: () => void this.#live.delete(id),
    })
    this.#live.set(id, { session, connection })
    connection.opened(session)
    this.#deps.opened(connection)
  }

  async poll(id: string, signal: AbortSignal): Promise<Polled | null> {
    const live = this.#live.get(id)
    if (live === undefined) return null
    live.connection.heard()
    this.#held += 1
    const polled = await live.session.poll(signal)
    this.#held -= 1
    return polled
  }

  async post(id: string, { contentType, bytes }: Posted): Promise<PostStatus | null> {
    const live = this.#live.get(id)
    if (live === undefined) return null
    const { session, connection } = live
    const { limits, clock, telemetry } = this.#deps
    const late = Promise.withResolvers<"late">()
    const deadline = clock.after(limits.pollWindowMs, () => late.resolve("late"))
    try {
      for (const line of readLines(bytes, contentType, limits.pollLines)) {
        if (line === null || Buffer.byteLength(line) > limits.frameBytes) {
          telemetry.emit({ kind: "frame_malformed", reason: line === null ? "not a line" : "too large" })
          connection.close(line === null ? 1011 : 1009, "")
        } else {
          const taken = connection.receive(line)
          if (taken !== undefined && (await Promise.race([taken, session.over, late.promise])) === "late") return 408
        }
        if (session.ended) return 410
      }
      return session.ended ? 410 : 200
    } finally {
      deadline.cancel()
    }
  }

  hangUp(id: string): void {
    this.#live.get(id)?.session.hangUp()
  }

  /** For a session whose frames were taken and could not be brought. */
  cut(id: string): void {
    this.#live.get(id)?.session.cut()
  }

  #makeRoom(): void {
    let most: LongPollSession | null = null
    for (const { session } of this.#live.values()) if (session.waiting > (most?.waiting ?? 0)) most = session
    most?.overflow()
  }
}
