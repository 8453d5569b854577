/** What a check of the stock client has at hand, in Bun as in a browser: its client, the stage, and ways to wait and compare. */
import type { Channel, LongPoll, Presence, Push, Socket, SocketConnectOption } from "phoenix"

type Options = Partial<Omit<SocketConnectOption, "authToken">> & { authToken?: string | (() => string) }

export interface Stage {
  readonly client: {
    readonly Socket: typeof Socket
    readonly LongPoll: typeof LongPoll
    readonly Presence: typeof Presence
  }
  /** Of `StockStage`. */
  readonly url: string
  readonly frozenUrl: string
}

export type Way = "websocket" | "longpoll"

/** What a check has at hand. */
export class Act {
  readonly stage: Stage
  readonly way: Way
  readonly #sockets: Socket[] = []

  constructor(stage: Stage, way: Way) {
    this.stage = stage
    this.way = way
  }

  /** A client that comes back at once, so that no check waits for a backoff. Not connected yet. */
  client(options: Options = {}, path = "/socket", base = this.stage.url): Socket {
    const socket = new this.stage.client.Socket(base.replace("http", "ws") + path, {
      reconnectAfterMs: () => 5,
      rejoinAfterMs: () => 5,
      ...(this.way === "longpoll" ? { transport: this.stage.client.LongPoll } : {}),
      ...options,
      // Its published types do not know the function that it takes since 1.8.9.
    } as Partial<SocketConnectOption>)
    this.#sockets.push(socket)
    return socket
  }

  async open(options: Options = {}): Promise<Socket> {
    const socket = this.client(options)
    const opened = new Promise<void>((done) => socket.onOpen(() => done()))
    socket.connect()
    await opened
    return socket
  }

  async control(path: string): Promise<unknown> {
    return (await fetch(`${this.stage.url}/control/${path}`)).json()
  }

  /** Not waited for: the client looks for the end of a socket every 150 ms. */
  end(): void {
    for (const socket of this.#sockets) socket.disconnect()
  }
}

/** The first answer to a push, with its status. */
export const answer = (push: Push): Promise<readonly [string, unknown]> =>
  new Promise((done) => {
    for (const status of ["ok", "error", "timeout"] as const)
      push.receive(status, (got: unknown) => done([status, got]))
  })
export const heard = (channel: Channel, event: string): Promise<unknown> =>
  new Promise((done) => channel.on(event, done))
export const lost = (channel: Channel): Promise<unknown> => new Promise((done) => channel.onError(done))
export const ended = (channel: Channel): Promise<unknown> => new Promise((done) => channel.onClose(done))

/** Calls back at each successful join; `nth` resolves with the n-th. */
export function joins(channel: Channel): (nth: number) => Promise<unknown> {
  const waiting = new Map<number, (response: unknown) => void>()
  const seen: unknown[] = []
  channel.join().receive("ok", (response: unknown) => {
    seen.push(response)
    waiting.get(seen.length)?.(response)
  })
  return (nth) => (seen.length >= nth ? Promise.resolve(seen[nth - 1]) : new Promise((done) => waiting.set(nth, done)))
}

/** Throws with both where they differ; key order does not matter to anyone here. */
export function same(got: unknown, wanted: unknown): void {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    )
  if (text(got) !== text(wanted)) throw new Error(`expected ${text(wanted)}, got ${text(got)}`)
}

export function throws(run: () => unknown): void {
  try {
    run()
  } catch {
    return
  }
  throw new Error("expected a throw")
}

export const bytes = (buffer: unknown): unknown =>
  buffer instanceof ArrayBuffer ? [...new Uint8Array(buffer)] : buffer
export const buffer = (...values: number[]): object => Uint8Array.from(values).buffer
/** The client's connection, and its channels, which its published types do not mention. */
export const insides = (socket: Socket) =>
  socket as unknown as {
    readonly conn: { close(code: number, reason: string): void } | null
    readonly channels: Channel[]
  }
