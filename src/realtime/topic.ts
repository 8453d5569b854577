/**
 * What a family of topics is to a socket: who may join, what is answered, what a client may push. The socket's rules
 * (refs, leaving, crashes) are in connection.ts and the same for every family; a new topic is one of these.
 */
import type { Json, JsonObject } from "../domain/json.ts"
import type { Principal } from "../domain/principal.ts"
import type { Payload, ReplyStatus } from "./frame.ts"

/** How a family talks to the one socket that joined. */
export interface TopicClient {
  /** To this socket alone; does nothing once the topic was left. */
  push(event: string, payload: Payload): void
  /** `left` runs once when this client leaves the topic, however that comes. False: it has left already. */
  whenLeft(left: () => void): boolean
  /** Passes on what is published under one more name, until the topic is left. */
  follow(subscription: (version: "1" | "2") => string): void
  /** Ends the topic for this client with `phx_error`: it rejoins by itself. */
  fail(reason: string): void
}

export interface JoinRequest {
  readonly topic: string
  readonly payload: Payload
  readonly principal: Principal
  readonly client: TopicClient
  /** Bytes of earlier answers that its socket has not taken yet. */
  backlog(): number
  /**
   * Answers ok and subscribes, in one go: what is published to `subscriptions` later in this tick comes after the reply,
   * what was published before does not come. False: the socket is gone, nothing was done.
   */
  admit(admission: Admission): boolean
}

export interface Admission {
  readonly response: Payload
  /** How many missed messages it brings back; null: it was not a recovery, or none was possible. */
  readonly recovered: number | null
  /** What feeds this topic: the id of its `TopicView`, for a crash to find its sockets by. */
  readonly view: string
  /** Names of the native topics to subscribe to; `name` gets the socket's protocol version. */
  readonly subscription: (version: "1" | "2") => string
}

/** `joined`: `admit` was called (its answer does not matter). */
export type JoinOutcome =
  | { readonly kind: "joined" }
  | { readonly kind: "refused"; readonly response: JsonObject & { readonly reason: string } }

export interface ClientPush {
  readonly topic: string
  readonly event: string
  readonly payload: Payload
  readonly principal: Principal
  readonly client: TopicClient
}

export type PushOutcome =
  | { readonly kind: "reply"; readonly status: ReplyStatus; readonly response: Payload }
  | { readonly kind: "silent" }
  /** The topic ends for this socket: the reply, if any, then `phx_close`. */
  | { readonly kind: "stop"; readonly response: Json | null }

export interface TopicFamily {
  /** For metrics: `resources`. */
  readonly name: string
  /** Topics that start with this are the family's. */
  readonly prefix: string
  join(request: JoinRequest): JoinOutcome | Promise<JoinOutcome>
  /** Absent, or `unknown` as the answer: an error reply `unknown event`. */
  push?(push: ClientPush): PushOutcome | "unknown" | Promise<PushOutcome | "unknown">
}
