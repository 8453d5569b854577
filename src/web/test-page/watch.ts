// One subscription with the stock client. It remembers the last offset, so that after a lost line the join brings back
// what was missed.
import { type Channel, Socket } from "phoenix"
import { isResourceUpdate, type ResourceUpdate } from "./update-list.ts"
import { inWords, isFinal } from "./words.ts"

/** What the page shows of the subscription. */
export interface Facts {
  readonly state: "idle" | "waiting" | "joined" | "failed"
  readonly text: string
  readonly watching: boolean
  readonly epoch: string | null
  readonly offset: number | null
  readonly recovery: string | null
  readonly problem: string | null
}

export interface WatchListener {
  changed(facts: Facts): void
  update(update: ResourceUpdate, raw: string, missed: boolean): void
}

interface JoinReply {
  readonly epoch: string
  readonly offset: number
  readonly recovered?: boolean
  readonly missed?: readonly { readonly event: string; readonly payload: unknown }[]
}

const nothing: Facts = {
  state: "idle",
  text: "Not connected",
  watching: false,
  epoch: null,
  offset: null,
  recovery: null,
  problem: null,
}

export class Watch {
  readonly #listener: WatchListener
  #socket: Socket | null = null
  #channel: Channel | null = null
  #facts = nothing
  /** The frame that is being handed to us, as it came. */
  #raw = ""

  constructor(listener: WatchListener) {
    this.#listener = listener
  }

  start(path: string, topic: string, token: string): void {
    this.stop()
    const socket = new Socket(path, {
      ...(token === "" ? {} : { authToken: token }),
      decode: (raw, done) => {
        this.#raw = raw
        const [joinRef, ref, name, event, payload] = JSON.parse(raw)
        return done({ join_ref: joinRef, ref, topic: name, event, payload })
      },
    })
    this.#socket = socket
    const mine = (): boolean => this.#socket === socket
    socket.onError(() => {
      if (mine())
        this.#set({ state: "failed", text: "Connection failed", problem: inWords.refusedSocket(token !== "") })
    })
    socket.onClose(() => {
      if (mine() && this.#facts.state !== "failed") this.#set({ state: "waiting", text: "Line lost, reconnecting…" })
    })
    socket.onOpen(() => {
      if (mine()) this.#set({ state: "waiting", text: "Connected, joining…", problem: null })
    })
    const channel = socket.channel(topic, () => {
      const { epoch, offset } = this.#facts
      return epoch === null || offset === null ? {} : { recover: { epoch, offset } }
    })
    this.#channel = channel
    channel.on("resource_update", (payload: unknown) => this.#took(payload, pretty(this.#raw), false))
    channel.onError(() => {
      if (mine() && socket.isConnected()) this.#set({ state: "waiting", text: "Topic ended by the hub, rejoining…" })
    })
    this.#set({ ...nothing, state: "waiting", text: "Connecting…", watching: true })
    socket.connect()
    channel
      .join()
      .receive("ok", (reply: JoinReply) => {
        if (mine()) this.#joined(topic, reply)
      })
      .receive("error", ({ reason }: { reason: string }) => {
        if (mine()) this.#refused(reason)
      })
      .receive("timeout", () => {
        if (mine()) this.#set({ state: "waiting", text: "No answer yet, trying again…" })
      })
  }

  stop(): void {
    const socket = this.#socket
    if (socket === null) return
    this.#socket = null
    this.#channel?.leave()
    this.#channel = null
    socket.disconnect()
    this.#set({ ...this.#facts, state: "idle", text: "Not connected", watching: false, problem: null })
  }

  /** What a bad network does. The published types of the client do not show its socket. */
  dropLine(): void {
    const conn = (this.#socket as unknown as { readonly conn?: WebSocket } | null)?.conn
    conn?.close(4000, "dropped by the test page")
  }

  #joined(topic: string, reply: JoinReply): void {
    const { recovered, missed = [] } = reply
    const recovery =
      recovered === undefined
        ? this.#facts.recovery
        : recovered
          ? missed.length === 1
            ? "1 brought back"
            : `${missed.length} brought back`
          : "not possible: reload"
    for (const { payload } of missed) this.#took(payload, JSON.stringify(payload, null, 2), true)
    const { epoch, offset } = reply
    this.#set({ state: "joined", text: `Watching ${topic}`, epoch, offset, recovery, problem: null })
  }

  #refused(reason: string): void {
    const problem = inWords.refusedJoin(reason)
    if (isFinal(reason)) this.stop()
    this.#set({ state: "failed", text: "Not joined", problem })
  }

  #took(payload: unknown, raw: string, missed: boolean): void {
    if (!isResourceUpdate(payload)) return
    const { _offset: offset } = payload
    this.#listener.update(payload, raw, missed)
    if (offset !== undefined) this.#set({ offset })
  }

  #set(change: Partial<Facts>): void {
    this.#facts = { ...this.#facts, ...change }
    this.#listener.changed(this.#facts)
  }
}

const pretty = (raw: string): string => JSON.stringify(JSON.parse(raw), null, 2)
