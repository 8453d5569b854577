/**
 * The line to the hub: one socket of the stock client, by either transport and in either version. Every frame passes
 * through here on its way, and so does what becomes of the line.
 */
import { type Channel, LongPoll, Socket } from "phoenix"
import type { TransportName } from "./link.ts"
import { decode, encode, type Message, type Version } from "./wire.ts"
import { closed, refusedSocket } from "./words.ts"

export type LineState = "off" | "connecting" | "open" | "lost"

export interface LineSettings {
  readonly path: string
  readonly token: string
  readonly transport: TransportName
  readonly version: Version
}

export interface LineListener {
  /** `problem`: why it is not let in. */
  state(state: LineState, said: string, problem: string | null): void
  passed(way: "in" | "out", raw: string, message: Message): void
  /** Something that is no frame: opened, closed and why. */
  happened(said: string): void
}

/** The client uses its own encoder for its own class of polling; the page wants to see those frames too. */
class Polling extends LongPoll {}

const NAMES: Readonly<Record<TransportName, string>> = { websocket: "WebSocket", longpoll: "Long polling" }

const PLAIN = /^[\x21-\x7e]*$/

/** The client's own steps; it has no jitter either. */
const RECONNECT_MS = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000]
const RECONNECT_LATER_MS = 5_000

export class Line {
  readonly #listener: LineListener
  #socket: Socket | null = null
  /** How long to stay away after the line was broken on purpose. */
  #stayAwayMs: number | null = null

  constructor(listener: LineListener) {
    this.#listener = listener
  }

  get on(): boolean {
    return this.#socket !== null
  }

  open(settings: LineSettings): void {
    this.close()
    const { path, token, transport, version } = settings
    // The client would throw while it writes such a token down for the handshake.
    if (!PLAIN.test(token)) {
      this.#listener.state("off", "Not connected", "This is no token: letters, digits and signs without blanks are.")
      return
    }
    const named = `${NAMES[transport]}, version ${version}`
    let everOpen = false
    let openNow = false
    const opened = (): void => {
      if (openNow || this.#socket !== socket) return
      openNow = true
      everOpen = true
      this.#listener.happened(`Open: ${named}.`)
      this.#listener.state("open", named, null)
    }
    const socket: Socket = new Socket(path, {
      // `authToken` travels as a sub-protocol or a header: in the URL it would end up in the logs of every proxy.
      ...(token === "" ? {} : { authToken: token }),
      ...(transport === "longpoll" ? { transport: Polling } : {}),
      vsn: version,
      reconnectAfterMs: (tries) => this.#reconnectAfter(tries),
      encode: (message, done) => {
        // What waited for the line leaves before the client says that it is open.
        opened()
        const raw = encode(version, message)
        this.#listener.passed("out", raw, decode(raw))
        return done(raw)
      },
      decode: (raw, done) => {
        const message = read(raw)
        this.#listener.passed("in", typeof raw === "string" ? raw : "a binary frame", message)
        return done(message)
      },
    })
    this.#socket = socket
    const mine = (): boolean => this.#socket === socket
    socket.onOpen(opened)
    socket.onClose(({ code, reason }) => {
      if (!mine()) return
      const away = this.#stayAwayMs
      if (openNow) {
        this.#listener.happened(`Closed: ${closed(code, reason)}.`)
        const then = away === null ? "reconnecting…" : `back in ${away / 1_000} s`
        this.#listener.state("lost", `Line lost, ${then}`, null)
      } else {
        this.#listener.happened(`Not let in (${closed(code, reason)}).`)
        this.#listener.state("lost", everOpen ? "Line lost, reconnecting…" : "Not let in", refusedSocket(token !== ""))
      }
      openNow = false
    })
    this.#listener.state("connecting", "Connecting…", null)
    socket.connect()
  }

  close(): void {
    const socket = this.#socket
    if (socket === null) return
    this.#socket = null
    this.#stayAwayMs = null
    socket.disconnect()
    this.#listener.happened("Closed by this page.")
    this.#listener.state("off", "Not connected", null)
  }

  /** What a bad network does, for `awayMs` or as shortly as the client can. */
  breakIt(awayMs: number): void {
    this.#stayAwayMs = awayMs === 0 ? null : awayMs
    // The published types of the client do not show the connection that it has.
    const conn = (this.#socket as unknown as { readonly conn?: Pick<WebSocket, "close"> | null } | null)?.conn
    conn?.close(4000, "broken by this page")
  }

  /** Null while the line is off. `params` is asked at every join. */
  channel(topic: string, params: () => object): Channel | null {
    return this.#socket?.channel(topic, params) ?? null
  }

  #reconnectAfter(tries: number): number {
    const away = this.#stayAwayMs
    this.#stayAwayMs = null
    return away ?? RECONNECT_MS[tries - 1] ?? RECONNECT_LATER_MS
  }
}

/** A binary frame is nothing that this page asked for; the client is given something that it ignores. */
function read(raw: unknown): Message {
  return typeof raw === "string"
    ? decode(raw)
    : { join_ref: null, ref: null, topic: "binary", event: "binary", payload: {} }
}
