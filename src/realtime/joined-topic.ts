/** One topic that one connection has joined: what later frames are compared with, and how its family reaches it. */
import type { Json } from "../domain/json.ts"
import type { Payload } from "./frame.ts"
import type { TopicClient, TopicFamily } from "./topic.ts"

/** What a joined topic needs of its connection. */
export interface JoinedOn {
  pushTo(joined: JoinedTopic, event: string, payload: Payload): void
  isJoined(joined: JoinedTopic): boolean
  followFor(joined: JoinedTopic, subscription: (version: "1" | "2") => string): void
  failFor(joined: JoinedTopic, reason: string): void
}

export class JoinedTopic implements TopicClient {
  readonly family: TopicFamily
  readonly topic: string
  /** As the client sent it: what later messages are compared with, and the refs of `phx_close`. */
  readonly joinRef: Json
  /** What replies carry: the join's ref where it had no join_ref. */
  readonly replyRef: Json
  /** Empty until the join is admitted. */
  view = ""
  subscription = ""
  /** A second name that is passed on; empty: none. */
  followed = ""
  left: (() => void) | null = null
  readonly #on: JoinedOn

  constructor(on: JoinedOn, family: TopicFamily, topic: string, joinRef: Json, ref: Json) {
    this.#on = on
    this.family = family
    this.topic = topic
    this.joinRef = joinRef
    this.replyRef = joinRef ?? ref
  }

  push(event: string, payload: Payload): void {
    this.#on.pushTo(this, event, payload)
  }

  whenLeft(left: () => void): boolean {
    if (!this.#on.isJoined(this)) return false
    this.left = left
    return true
  }

  follow(subscription: (version: "1" | "2") => string): void {
    this.#on.followFor(this, subscription)
  }

  fail(reason: string): void {
    this.#on.failFor(this, reason)
  }
}
