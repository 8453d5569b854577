/** A WebSocket client that writes any bytes, and knows by an answered heartbeat that all before it were worked on. */
import type { Socket } from "bun"
import { textFrame, type Version } from "./fuzz-frames.ts"

export interface SocketLine {
  /** Writes the bytes. False: the connection is gone. */
  write(bytes: Uint8Array): boolean
  /** Sends a heartbeat; true when it is answered, false when the connection ends instead, "silent" when neither comes. */
  beat(withinMs?: number): Promise<boolean | "silent">
  readonly isOpen: () => boolean
  /** The code and the words that the hub ended it with; null: it is open, or was cut without any. */
  readonly endedWith: () => string | null
  close(): void
}

const DEADLINE_MS = 20_000
/** How the last frame of a server begins; then its length, a code of two bytes and words, all unmasked. */
const CLOSE = "\x88"

/** Null: the handshake was refused. */
export async function socketLine(port: number, version: Version, token: string): Promise<SocketLine | null> {
  const query = `vsn=${version}${token === "" ? "" : `&token=${encodeURIComponent(token)}`}`
  let tail = ""
  let open = false
  let ended = false
  let beats = 0
  let wanted: { readonly sign: string; readonly done: (found: boolean) => void } | null = null
  let unwritten: Buffer = Buffer.alloc(0)
  const upgraded = Promise.withResolvers<boolean>()

  const end = (): void => {
    ended = true
    upgraded.resolve(false)
    wanted?.done(false)
  }
  const flush = (to: Socket): void => {
    if (unwritten.length > 0) unwritten = unwritten.subarray(Math.max(0, to.write(unwritten)))
  }
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        const text = tail + chunk.toString("latin1")
        if (!open) {
          tail = text
          if (!text.includes("\r\n\r\n")) return
          open = text.startsWith("HTTP/1.1 101")
          tail = ""
          upgraded.resolve(open)
          return
        }
        if (wanted !== null && text.includes(wanted.sign)) {
          tail = ""
          wanted.done(true)
        } else tail = text.slice(-80)
      },
      drain: flush,
      close: end,
      error() {},
    },
  })
  const write = (bytes: Uint8Array): boolean => {
    if (ended) return false
    unwritten = unwritten.length === 0 ? Buffer.from(bytes) : Buffer.concat([unwritten, bytes])
    flush(socket)
    return true
  }
  write(
    Buffer.from(
      `GET /socket/websocket?${query} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ),
  )
  if (!(await upgraded.promise)) {
    socket.terminate()
    return null
  }
  return {
    write,
    async beat(withinMs = DEADLINE_MS) {
      beats += 1
      const ref = `beat-${beats}-`
      // The reply and not the ref alone: a ping whose length was changed swallows the heartbeat, and its pong gives it back.
      const sign = version === "2.0.0" ? `"${ref}","phoenix","phx_reply"` : `"${ref}","event":"phx_reply"`
      const { promise, resolve } = Promise.withResolvers<boolean | "silent">()
      wanted = { sign, done: resolve }
      const frame =
        version === "2.0.0"
          ? [null, ref, "phoenix", "heartbeat", {}]
          : { topic: "phoenix", event: "heartbeat", payload: {}, ref }
      const late = setTimeout(() => resolve("silent"), withinMs)
      const answer = write(textFrame(JSON.stringify(frame))) ? await promise : false
      clearTimeout(late)
      wanted = null
      return answer
    },
    isOpen: () => !ended,
    endedWith() {
      const at = ended ? tail.lastIndexOf(CLOSE) : -1
      if (at === -1) return null
      return `${tail.charCodeAt(at + 2) * 256 + tail.charCodeAt(at + 3)} ${tail.slice(at + 4)}`
    },
    close: () => void socket.terminate(),
  }
}
