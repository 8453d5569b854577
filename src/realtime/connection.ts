/**
 * One client's connection and Phoenix's rules for it: heartbeat, join, leave, refs, crashes. Nothing here knows how
 * bytes travel (`Transport`), so that long polling obeys the same rules. Whatever a client sends and whatever a topic
 * throws, only that topic or that connection ends, never the process. Long, because the rules are read against each other.
 */
import type { Json, JsonObject } from "../domain/json.ts"
import type { Principal } from "../domain/principal.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import type { Encoded, Incoming, Payload, ReplyStatus, Serializer } from "./frame.ts"
import { type JoinedOn, JoinedTopic } from "./joined-topic.ts"
import type { RealtimeLimits } from "./limits.ts"
import { TokenBucket } from "./token-bucket.ts"
import type { Admission, JoinOutcome, PushOutcome, TopicFamily } from "./topic.ts"

/** How frames leave. `subscribe` makes the transport pass on what is published under a name. */
export interface Transport {
  readonly name: "websocket" | "longpoll"
  send(frame: Encoded): void
  subscribe(name: string): void
  unsubscribe(name: string): void
  close(code: number, reason: string): void
  /** Ends it without waiting for the client. */
  cut(): void
  /** Bytes that the client has not taken yet. */
  backlog(): number
  /** Asks for a sign of life; absent where there is no such thing. */
  ping?(): void
}

export interface ConnectionDeps {
  readonly families: readonly TopicFamily[]
  readonly limits: RealtimeLimits
  readonly clock: Clock
  readonly telemetry: Emitter
}

/** A frame behind its topic's work. */
interface Waiting {
  readonly frame: Incoming
  /** Of `waitingFrames`: a large frame counts as many, or a hundred of 256 KiB, parsed, were 600 MB of one socket. */
  readonly cost: number
  readonly taken: () => void
}

/** A frame that waits counts once for each of these it has. */
const WAITING_FRAME_CHARS = 8 * 1024

const unmatched = { reason: "unmatched topic" } as const
const sameRef = (a: Json, b: Json): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)
const isPromise = <T>(value: T | Promise<T>): value is Promise<T> => value instanceof Promise

export class Connection implements JoinedOn {
  readonly principal: Principal
  readonly #serializer: Serializer
  readonly #deps: ConnectionDeps
  /** A list and no map: nearly every connection has one topic or a few, and the smallest map takes half a kilobyte. */
  #joined: JoinedTopic[] = []
  /** Topics whose join or push is being worked on, with the frames that wait behind it. */
  #busy: Map<string, Waiting[]> | null = null
  #waiting = 0
  #joining = 0
  #joins: TokenBucket | null = null
  #pushes: TokenBucket | null = null
  #transport: Transport | null = null
  #openedAt = 0
  #heardAt = 0
  /** Frames that it may still send at once; here and not in a bucket, because every connection has it. */
  #frames = 0
  /** A polite close was sent; the next sweep cuts what is still there. */
  #closing = false

  constructor(principal: Principal, serializer: Serializer, deps: ConnectionDeps) {
    this.principal = principal
    this.#serializer = serializer
    this.#deps = deps
  }

  get topics(): number {
    return this.#joined.length
  }

  opened(transport: Transport): void {
    this.#transport = transport
    this.#openedAt = this.#deps.clock.now()
    this.#heardAt = this.#openedAt
    this.#frames = this.#deps.limits.frameBurst
    this.#deps.telemetry.emit({ kind: "socket_opened", transport: transport.name })
  }

  /** The transport is gone, whoever ended it. */
  closed(code: number): void {
    const transport = this.#transport
    if (transport === null) return
    this.#transport = null
    const all = this.#joined
    this.#joined = []
    for (const joined of all) this.#left(joined)
    this.#busy = null
    const ms = this.#deps.clock.now() - this.#openedAt
    this.#deps.telemetry.emit({ kind: "socket_closed", transport: transport.name, code, ms })
  }

  close(code: number, reason: string): void {
    this.#closing = true
    this.#transport?.close(code, reason)
  }

  cut(): void {
    this.#transport?.cut()
  }

  /** An answer to a ping. Says nothing of Phoenix's clients, which speak by themselves. */
  alive(): void {}

  /** A sign of life that is no frame: a poll. */
  heard(): void {
    const { frameBurst, framesPerSecond } = this.#deps.limits
    const now = this.#deps.clock.now()
    this.#frames = Math.min(frameBurst, this.#frames + ((now - this.#heardAt) / 1_000) * framesPerSecond)
    this.#heardAt = now
  }

  /**
   * One frame from the client. Never throws. A promise where the frame waits behind its topic's work: settles when the
   * topic takes it, and never if the connection ends before.
   */
  receive(raw: string | Uint8Array<ArrayBuffer>): Promise<void> | undefined {
    if (this.#transport === null || this.#closing) return undefined
    this.heard()
    this.#frames -= 1
    if (this.#frames < 0) {
      // Before it is read: Bun reads on whatever we do, and a flood is to cost less than what it is made of.
      this.close(1008, "too many frames")
      return undefined
    }
    try {
      const frame = this.#serializer.decode(raw)
      if (frame === null) {
        this.#deps.telemetry.emit({ kind: "frame_malformed", reason: "not a frame" })
        this.close(1011, "")
        return undefined
      }
      if (frame.topic === "phoenix" && frame.event === "heartbeat") {
        // Answered at once, whatever else is waiting, or the client would give the connection up.
        this.#reply(null, frame.ref, frame.topic, "ok", {})
        return undefined
      }
      const queue = this.#busy?.get(frame.topic)
      if (queue === undefined) this.#take(frame)
      else {
        const cost = Math.ceil(raw.length / WAITING_FRAME_CHARS)
        if (this.#waiting + cost > this.#deps.limits.waitingFrames) this.close(1008, "too many frames")
        else {
          this.#waiting += cost
          return new Promise((taken) => queue.push({ frame, cost, taken }))
        }
      }
    } catch (error) {
      // Nothing above is expected to throw: refs nested too deeply to be echoed do.
      this.#deps.telemetry.emit({ kind: "bug_found", where: "realtime connection", error: describeError(error) })
      this.close(1011, "")
    }
    return undefined
  }

  /** For a topic's family: to this client alone, while it has joined. */
  pushTo(joined: JoinedTopic, event: string, payload: Payload): void {
    if (!this.isJoined(joined)) return
    this.#send(this.#serializer.push(joined.replyRef, null, joined.topic, event, payload))
  }

  isJoined(joined: JoinedTopic): boolean {
    return this.#joined.includes(joined)
  }

  /** For a topic's family: this client hears what is published under one more name, while it has joined. */
  followFor(joined: JoinedTopic, subscription: (version: "1" | "2") => string): void {
    if (!this.isJoined(joined) || joined.followed !== "") return
    joined.followed = subscription(this.#serializer.version)
    this.#transport?.subscribe(joined.followed)
  }

  /** For a topic's family: its topic ends on this connection, and the client rejoins. */
  failFor(joined: JoinedTopic, reason: string): void {
    if (this.isJoined(joined)) this.#crashTopic(joined, reason)
  }

  /** What feeds a view is gone: its topics on this connection end with `phx_error`, and the client rejoins. */
  crash(view: string, reason: string): void {
    for (const joined of [...this.#joined]) {
      if (joined.view === view) this.#crashTopic(joined, reason)
    }
  }

  /** Called every second or so: clients that do not read, do not speak, or whose credential has run out. */
  sweep(wallMillis: number): void {
    const transport = this.#transport
    if (transport === null) return
    const backlogBytes = transport.backlog()
    const slow = backlogBytes >= this.#deps.limits.politeBacklogBytes
    if (this.#closing) {
      transport.cut()
    } else if (slow) {
      this.#deps.telemetry.emit({ kind: "reader_dropped", transport: transport.name, backlogBytes })
      this.close(1013, "slow reader")
    } else if (this.#deps.clock.now() - this.#heardAt >= this.#deps.limits.idleSeconds * 1_000) {
      this.close(1002, "")
    } else if (this.principal.expiresAt !== null && this.principal.expiresAt <= wallMillis) {
      this.end("token_expired")
    }
  }

  /** The credential is good no more: each topic is told why, and the client comes back with another or is refused. */
  end(reason: "token_expired" | "key_revoked"): void {
    if (this.#transport === null || this.#closing) return
    for (const joined of [...this.#joined]) this.#crashTopic(joined, reason)
    this.close(1008, reason.replace("_", " "))
  }

  #take(frame: Incoming): void {
    const working = this.#handle(frame)
    if (!isPromise(working)) return
    this.#busy ??= new Map()
    this.#busy.set(frame.topic, [])
    void working.then(() => this.#next(frame.topic))
  }

  /** The frames that waited behind a topic's work, until one of them is work again. */
  #next(topic: string): void {
    const queue = this.#busy?.get(topic)
    if (queue === undefined) return
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      this.#waiting -= next.cost
      next.taken()
      const working = this.#handle(next.frame)
      if (isPromise(working)) {
        void working.then(() => this.#next(topic))
        return
      }
    }
    this.#busy?.delete(topic)
    // Most connections join once and are quiet from then on: nothing is kept for their next join.
    if (this.#busy?.size === 0) this.#busy = null
  }

  /** Never throws, never rejects. */
  #handle(frame: Incoming): undefined | Promise<void> {
    if (this.#transport === null || this.#closing) return undefined
    const joined = this.#joined.find(({ topic }) => topic === frame.topic)
    switch (frame.event) {
      case "phx_join":
        return this.#join(frame, joined)
      case "phx_leave":
        this.#leave(frame, joined)
        return undefined
    }
    if (joined === undefined) {
      this.#reply(null, frame.ref, frame.topic, "error", unmatched)
      return undefined
    }
    if (this.#isStale(frame, joined)) return undefined
    return this.#push(frame, joined)
  }

  #join(frame: Incoming, old: JoinedTopic | undefined): undefined | Promise<void> {
    const { topic, joinRef, ref, payload } = frame
    const { families, limits, telemetry } = this.#deps
    // The older one is gone even if this join is refused; it is told so after this join's answer.
    if (old !== undefined) this.#remove(old)
    const answered = (): void => {
      if (old !== undefined) this.#send(this.#closeFrame(old))
    }
    const refuse = (
      family: string,
      response: JsonObject & { readonly reason: string },
      ownRef: Json = joinRef,
    ): void => {
      this.#reply(ownRef, ref, topic, "error", response)
      answered()
      telemetry.emit({ kind: "topic_refused", family, reason: response.reason })
    }
    const family = families.find(({ prefix }) => topic.startsWith(prefix))
    if (family === undefined) {
      refuse("none", unmatched, null)
      return undefined
    }
    const tooMany = this.#tooMany(limits)
    if (tooMany !== null) {
      refuse(family.name, { reason: tooMany })
      return undefined
    }

    const entry = new JoinedTopic(this, family, topic, joinRef, ref)
    // A join that was given up as too late may still be admitted by whoever it waited for: then it has had its answer,
    // and the client its next join.
    let refused = false
    const admit = ({ response, recovered, view, subscription }: Admission): boolean => {
      if (refused || this.#transport === null || this.#closing) return false
      this.#reply(joinRef, ref, topic, "ok", response)
      answered()
      entry.view = view
      entry.subscription = subscription(this.#serializer.version)
      this.#joined.push(entry)
      this.#transport.subscribe(entry.subscription)
      // Here, not after: every join that is told is followed by its leave, also when the socket goes meanwhile.
      telemetry.emit({ kind: "topic_joined", family: family.name, recovered })
      return true
    }
    const finish = (outcome: JoinOutcome): void => {
      if (outcome.kind !== "refused") return
      refused = true
      refuse(family.name, outcome.response)
    }
    const crashed = (error: unknown): void => {
      telemetry.emit({ kind: "bug_found", where: `join of ${family.name}`, error: describeError(error) })
      if (this.isJoined(entry)) this.#crashTopic(entry, "channel_crash")
      else {
        refused = true
        refuse(family.name, { reason: "join crashed" })
      }
    }
    try {
      const { principal } = this
      const backlog = (): number => this.#transport?.backlog() ?? 0
      const outcome = family.join({ topic, payload, principal, client: entry, backlog, admit })
      if (!isPromise(outcome)) {
        finish(outcome)
        return undefined
      }
      this.#joining += 1
      return outcome
        .then(finish)
        .catch(crashed)
        .finally(() => {
          this.#joining -= 1
        })
    } catch (error) {
      crashed(error)
      return undefined
    }
  }

  #leave(frame: Incoming, joined: JoinedTopic | undefined): void {
    if (joined === undefined) {
      this.#reply(frame.joinRef, frame.ref, frame.topic, "ok", {})
      return
    }
    if (this.#isStale(frame, joined)) return
    this.#remove(joined)
    this.#reply(joined.replyRef, frame.ref, frame.topic, "ok", {})
    this.#send(this.#closeFrame(joined))
  }

  #push(frame: Incoming, joined: JoinedTopic): undefined | Promise<void> {
    const { topic, ref, event, payload } = frame
    const answer = (status: ReplyStatus, response: Payload): void =>
      this.#reply(joined.replyRef, ref, topic, status, response)
    const finish = (outcome: PushOutcome | "unknown"): void => {
      if (outcome === "unknown") {
        answer("error", { reason: "unknown event" })
        return
      }
      switch (outcome.kind) {
        case "reply":
          answer(outcome.status, outcome.response)
          return
        case "silent":
          return
        case "stop":
          if (outcome.response !== null) answer("ok", outcome.response)
          // One that has crashed meanwhile is to be joined again, which a close would forbid.
          if (!this.isJoined(joined)) return
          this.#remove(joined)
          this.#send(this.#closeFrame(joined))
          return
      }
    }
    const crashed = (error: unknown): void => {
      const where = `push to ${joined.family.name}`
      this.#deps.telemetry.emit({ kind: "bug_found", where, error: describeError(error) })
      if (this.isJoined(joined)) this.#crashTopic(joined, "channel_crash")
    }
    if (!this.#mayPush(this.#deps.limits)) {
      answer("error", { reason: "too many pushes" })
      return undefined
    }
    try {
      const { principal } = this
      const outcome = joined.family.push?.({ topic, event, payload, principal, client: joined }) ?? "unknown"
      if (isPromise(outcome)) return outcome.then(finish).catch(crashed)
      finish(outcome)
      return undefined
    } catch (error) {
      crashed(error)
      return undefined
    }
  }

  /** Null is no join_ref at all, which is allowed; another join's is a message that came too late. */
  #isStale(frame: Incoming, joined: JoinedTopic): boolean {
    return frame.joinRef !== null && !sameRef(frame.joinRef, joined.joinRef)
  }

  #crashTopic(joined: JoinedTopic, reason: string): void {
    this.#remove(joined)
    this.#send(this.#serializer.push(joined.joinRef, joined.joinRef, joined.topic, "phx_error", { reason }))
  }

  #remove(joined: JoinedTopic): void {
    const at = this.#joined.indexOf(joined)
    if (at >= 0) this.#joined.splice(at, 1)
    this.#transport?.unsubscribe(joined.subscription)
    if (joined.followed !== "") this.#transport?.unsubscribe(joined.followed)
    this.#left(joined)
  }

  #left({ family, left }: JoinedTopic): void {
    this.#deps.telemetry.emit({ kind: "topic_left", family: family.name })
    try {
      left?.()
    } catch (error) {
      // Whoever leaves many topics leaves them all, and the sweep goes on to the next connection.
      this.#deps.telemetry.emit({ kind: "bug_found", where: `leave of ${family.name}`, error: describeError(error) })
    }
  }

  #closeFrame({ joinRef, topic }: JoinedTopic): Encoded {
    return this.#serializer.push(joinRef, joinRef, topic, "phx_close", {})
  }

  #reply(joinRef: Json, ref: Json, topic: string, status: ReplyStatus, response: Payload): void {
    this.#send(this.#serializer.reply(joinRef, ref, topic, status, response))
  }

  #send(frame: Encoded): void {
    this.#transport?.send(frame)
  }

  #mayPush({ pushBurst, pushesPerSecond }: RealtimeLimits): boolean {
    this.#pushes ??= new TokenBucket(this.#deps.clock, pushBurst, pushesPerSecond)
    return this.#pushes.take()
  }

  #tooMany({ topicsPerSocket, joinBurst, joinsPerSecond }: RealtimeLimits): string | null {
    if (this.#joined.length + this.#joining >= topicsPerSocket) return "too many channels joined"
    this.#joins ??= new TokenBucket(this.#deps.clock, joinBurst, joinsPerSecond)
    return this.#joins.take() ? null : "too many joins"
  }
}
