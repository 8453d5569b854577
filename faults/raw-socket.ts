/** A WebSocket client over plain TCP that does what no library would, and sees how the server ends it. */
import { connect, type Socket } from "node:net"

/** How it ended: the status of a refused upgrade, the code of the close frame, or `cut`, which is without one. */
export type Ending = number | "cut"

export interface RawSocket {
  readonly socket: Socket
  /** Text frames of the server, all but the close; told as they come. */
  onText: (text: string) => void
  readonly ended: Promise<Ending>
  readonly isOver: () => boolean
}

/** Resolves when the upgrade is answered, with 101 or not. It never answers a close and never closes by itself. */
export async function rawSocket(port: number, query: string): Promise<RawSocket> {
  const answered = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<Ending>()
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true })
  let upgraded = false
  let over = false
  let unread: Buffer = Buffer.alloc(0)
  const end = (how: Ending): void => {
    over = true
    answered.resolve()
    ended.resolve(how)
  }
  const raw: RawSocket = { socket, onText: () => {}, ended: ended.promise, isOver: () => over }
  socket.on("error", () => {}) // "close" follows
  socket.on("end", () => end("cut"))
  socket.on("close", () => end("cut"))
  socket.on("data", (data: Buffer) => {
    let bytes = unread.length === 0 ? data : Buffer.concat([unread, data])
    if (!upgraded) {
      const at = bytes.indexOf("\r\n\r\n")
      if (at === -1) {
        unread = bytes
        return
      }
      const status = Number(bytes.toString("latin1", 9, 12))
      if (status !== 101) {
        end(status)
        return
      }
      upgraded = true
      answered.resolve()
      bytes = bytes.subarray(at + 4)
    }
    for (;;) {
      const frame = firstFrame(bytes)
      if (frame === null) break
      bytes = bytes.subarray(frame.size)
      if (frame.opcode === CLOSE) end(frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0))
      else if (frame.opcode === TEXT) raw.onText(frame.payload.toString("utf8"))
    }
    unread = Buffer.from(bytes)
  })
  socket.write(
    `GET /socket/websocket?${query} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  )
  await answered.promise
  return raw
}

const TEXT = 1
const CLOSE = 8

/** Servers' frames are not masked. */
function firstFrame(
  bytes: Buffer,
): { readonly opcode: number; readonly payload: Buffer; readonly size: number } | null {
  const short = bytes[1]
  if (short === undefined) return null
  const head = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < head) return null
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length < head + length) return null
  return { opcode: (bytes[0] ?? 0) & 15, payload: bytes.subarray(head, head + length), size: head + length }
}
