/** A kept-alive HTTP connection that is written by hand: one request at a time, the answer read to its end. */
import type { Socket } from "bun"

/** `closed`: the connection ended before an answer. `silent`: nothing came in time. */
export type HttpResult = number | "closed" | "silent"

export interface HttpLine {
  /** Sends one whole request; resolves with its status. Opens the connection anew where it was closed. */
  ask(bytes: Uint8Array): Promise<HttpResult>
  close(): void
}

/** An answer that never comes is a failure; a hub that is busy is none. */
const ANSWER_DEADLINE_MS = 20_000

interface Read {
  readonly status: number
  readonly end: number
  readonly close: boolean
}

/** The first answer in these bytes once it is whole. `noBody`: the answer to HEAD. */
function readAnswer(bytes: Buffer, noBody: boolean): Read | null {
  const head = bytes.indexOf("\r\n\r\n")
  if (head === -1) return null
  const text = bytes.toString("latin1", 0, head)
  const status = Number(text.slice(9, 12))
  if (status >= 100 && status < 200 && status !== 101) {
    const after = readAnswer(bytes.subarray(head + 4), noBody)
    return after === null ? null : { ...after, end: after.end + head + 4 }
  }
  const close = /\r\nconnection: *close/i.test(text) || status === 101
  const from = head + 4
  if (noBody || status === 204 || status === 304 || status === 101) return { status, end: from, close }
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  if (length !== undefined) {
    const end = from + Number(length)
    return bytes.length >= end ? { status, end, close } : null
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(text)) return { status, end: bytes.length, close: true }
  const last = bytes.indexOf("0\r\n\r\n", from)
  return last === -1 ? null : { status, end: last + 5, close }
}

export function httpLine(port: number): HttpLine {
  let socket: Socket | null = null
  let received: Buffer = Buffer.alloc(0)
  let noBody = false
  let waiting: ((result: HttpResult) => void) | null = null
  let unwritten: Uint8Array = new Uint8Array(0)

  const settle = (result: HttpResult): void => {
    const done = waiting
    waiting = null
    done?.(result)
  }
  const drop = (): void => {
    const old = socket
    socket = null
    received = Buffer.alloc(0)
    old?.terminate()
  }
  const flush = (to: Socket): void => {
    if (unwritten.length === 0) return
    const took = to.write(unwritten)
    unwritten = unwritten.subarray(Math.max(0, took))
  }
  const open = (): Promise<Socket> =>
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(from, chunk) {
          if (from !== socket) return
          received = received.length === 0 ? Buffer.from(chunk) : Buffer.concat([received, chunk])
          const answer = readAnswer(received, noBody)
          if (answer === null) return
          received = received.subarray(answer.end)
          if (answer.close || waiting === null) drop()
          settle(answer.status)
        },
        drain: flush,
        close(from) {
          if (from !== socket) return
          const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(received.toString("latin1", 0, 12))?.[1])
          drop()
          settle(status > 0 ? status : "closed")
        },
        error() {},
      },
    })
  return {
    async ask(bytes) {
      socket ??= await open()
      const { promise, resolve } = Promise.withResolvers<HttpResult>()
      waiting = resolve
      noBody = bytes[0] === 72 && bytes[1] === 69 // HEAD
      unwritten = bytes
      flush(socket)
      const late = setTimeout(() => {
        drop()
        settle("silent")
      }, ANSWER_DEADLINE_MS)
      const result = await promise
      clearTimeout(late)
      return result
    },
    close: drop,
  }
}

/** How long a connection that says nothing, or nothing more, is watched. */
const QUIET_MS = 100

/** Sends what is no whole request on a connection of its own; all statuses that came. */
export async function askOddly(port: number, bytes: Uint8Array, quietMs = QUIET_MS): Promise<readonly number[]> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let text = ""
  let quiet: ReturnType<typeof setTimeout> | undefined
  let unwritten = bytes
  const flush = (to: Socket): void => {
    if (unwritten.length === 0) return
    unwritten = unwritten.subarray(Math.max(0, to.write(unwritten)))
  }
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        text += chunk.toString("latin1")
        clearTimeout(quiet)
        quiet = setTimeout(resolve, QUIET_MS / 5)
      },
      drain: flush,
      close: () => resolve(),
      error() {},
    },
  })
  flush(socket)
  quiet = setTimeout(resolve, quietMs)
  await promise
  clearTimeout(quiet)
  socket.terminate()
  return [...text.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)].map(([, status]) => Number(status))
}
