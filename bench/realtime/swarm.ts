/**
 * Thousands of WebSockets that cost next to nothing: raw TCP by Bun.connect, frames counted by their headers and never
 * looked into, but for a few sockets that say when a message came. Servers' frames are not masked, so a header is two, four or ten
 * bytes and what follows can be skipped.
 */
import type { Socket } from "bun"
import { type Dialect, MARK } from "./dialects.ts"

/** A frame of fewer bytes is an answer, of more a delivery. */
const LONG = 200
const UPGRADED = "\r\n\r\n"
const SAMPLED = 100

export interface Swarm {
  /** Frames that carry a message, so far. */
  readonly deliveries: () => number
  /** Sends one frame on every socket and waits for one answer on each; how many milliseconds that took. */
  ask(frame: (index: number) => string): Promise<number>
  /** Resolves with the milliseconds that opening took. */
  readonly opened: Promise<number>
}

interface Watch {
  /** A sampled socket has the message of this number. */
  received(number: number): void
  /** Deliveries came. */
  more(): void
  broke(why: string): void
}

/** Opens so many sockets, some hundred at a time. */
export function openSwarm(port: number, dialect: Dialect, sockets: number, watch: Watch): Swarm {
  let deliveries = 0
  let answers = 0
  let wanted = 0
  let answered: (() => void) | null = null
  const members: Member[] = []
  const told: Told = {
    ...watch,
    deliveries(more) {
      deliveries += more
    },
    answer() {
      answers += 1
      if (answers === wanted) answered?.()
    },
  }

  const open = async (): Promise<number> => {
    const paths = Array.from({ length: sockets }, (_, index) => dialect.path(index))
    const began = performance.now()
    let next = 0
    const one = async (): Promise<void> => {
      while (next < sockets) {
        const index = next++
        const sampled = index % Math.max(1, Math.floor(sockets / SAMPLED)) === 0
        members[index] = await Member.open(port, paths[index] ?? "", dialect, sampled, told)
      }
    }
    await Promise.all(Array.from({ length: 100 }, one))
    return performance.now() - began
  }
  return {
    deliveries: () => deliveries,
    opened: open(),
    async ask(frame) {
      const { promise, resolve } = Promise.withResolvers<void>()
      answers = 0
      wanted = sockets
      answered = resolve
      const began = performance.now()
      for (const [index, member] of members.entries()) member.say(frame(index))
      await promise
      answered = null
      return performance.now() - began
    },
  }
}

interface Told extends Watch {
  deliveries(more: number): void
  answer(): void
}

class Member {
  readonly #greeting: readonly string[]
  readonly #sampled: boolean
  readonly #told: Told
  #socket: Socket | null = null
  #opened: (() => void) | null
  /** Bytes of the present frame that have not come. */
  #missing = 0
  #missingIsLong = false
  /** The beginning of a header, or the answer to the upgrade while that is not whole. */
  #head: Buffer | null = null
  #upgraded = false
  #greeted = 0

  private constructor(dialect: Dialect, sampled: boolean, told: Told, opened: () => void) {
    this.#greeting = dialect.greeting
    this.#sampled = sampled
    this.#told = told
    this.#opened = opened
  }

  static async open(port: number, path: string, dialect: Dialect, sampled: boolean, told: Told): Promise<Member> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const member = new Member(dialect, sampled, told, resolve)
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, chunk) => member.#take(chunk),
        close: () => told.broke("a socket was closed"),
        error: (_, error) => told.broke(error.message),
      },
    })
    member.#socket = socket
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n",
    )
    await promise
    return member
  }

  say(text: string): void {
    const bytes = masked(text)
    // Far smaller than the socket's buffer, and nothing else is under way.
    if (this.#socket?.write(bytes) !== bytes.length) this.#told.broke("a write was partial")
  }

  #take(fresh: Buffer): void {
    let chunk = fresh
    if (this.#head !== null) {
      chunk = Buffer.concat([this.#head, fresh])
      this.#head = null
    }
    let at = 0
    if (!this.#upgraded) {
      const end = chunk.indexOf(UPGRADED)
      if (end === -1) {
        this.#head = Buffer.from(chunk)
        return
      }
      if (!chunk.subarray(0, 12).equals(SWITCHING)) this.#told.broke(chunk.toString("latin1", 0, 40))
      this.#upgraded = true
      at = end + UPGRADED.length
      if (this.#greeting.length === 0) this.#isOpen()
    }
    const end = chunk.length
    let long = 0
    if (this.#missing > 0) {
      const here = Math.min(this.#missing, end - at)
      at += here
      this.#missing -= here
      if (this.#missing > 0) return
      if (this.#missingIsLong) long += 1
      else this.#short()
    }
    while (at < end) {
      const size = sizeAt(chunk, at, end)
      if (size === null) {
        this.#head = Buffer.from(chunk.subarray(at))
        break
      }
      if (at + size > end) {
        this.#missing = at + size - end
        this.#missingIsLong = size >= LONG
        break
      }
      if (size < LONG) this.#short()
      else {
        long += 1
        if (this.#sampled) this.#sample(chunk, at, at + size)
      }
      at += size
    }
    if (long > 0) {
      this.#told.deliveries(long)
      this.#told.more()
    }
  }

  #sample(chunk: Buffer, from: number, to: number): void {
    const at = chunk.indexOf(MARK, from)
    if (at !== -1 && at < to)
      this.#told.received(Number(chunk.toString("latin1", at + MARK.length, at + MARK.length + 9)))
  }

  #short(): void {
    if (this.#opened === null) {
      this.#told.answer()
      return
    }
    const word = this.#greeting[this.#greeted]
    this.#greeted += 1
    if (word === undefined) this.#isOpen()
    else this.say(word)
  }

  #isOpen(): void {
    this.#opened?.()
    this.#opened = null
  }
}

/** A text frame of fewer than 126 ASCII characters, whose mask is zero. */
const masked = (text: string): Buffer =>
  Buffer.from(`\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`, "latin1")

const SWITCHING = Buffer.from("HTTP/1.1 101")

/** Bytes of the whole frame that begins here; null: its header is not whole yet. */
function sizeAt(chunk: Buffer, at: number, end: number): number | null {
  if (end - at < 2) return null
  const short = (chunk[at + 1] ?? 0) & 0x7f
  if (short < 126) return 2 + short
  if (short === 126) return end - at < 4 ? null : 4 + chunk.readUInt16BE(at + 2)
  return end - at < 10 ? null : 10 + Number(chunk.readBigUInt64BE(at + 2))
}
