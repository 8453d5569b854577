/**
 * A load client that costs less than what it measures: HTTP/1.1 by hand over Bun's sockets, one request at a time on
 * each kept-alive connection. `fetch` would eat more processor time than the server.
 */
import type { Socket } from "bun"

export interface Connection {
  /** Sends the bytes of one whole request; resolves with the answer's status. Rejects when the connection breaks. */
  request(bytes: string): Promise<number>
  close(): void
}

interface Waiting {
  readonly resolve: (status: number) => void
  readonly reject: (error: Error) => void
}

export async function connect(port: number): Promise<Connection> {
  let waiting: Waiting | null = null
  let received: Buffer | null = null
  const broke = (why: string): void => {
    waiting?.reject(new Error(why))
    waiting = null
  }
  const socket: Socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        received = received === null ? Buffer.from(chunk) : Buffer.concat([received, chunk])
        const status = completeStatus(received)
        if (status === null) return
        received = null
        const done = waiting
        waiting = null
        done?.resolve(status)
      },
      close: () => broke("the connection was closed"),
      error: (_, error) => broke(error.message),
    },
  })
  return {
    request(bytes) {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      waiting = { resolve, reject }
      // Requests are far smaller than the socket's buffer and one at a time, so a write is never partial.
      if (socket.write(bytes) !== bytes.length) broke("a write was partial")
      return promise
    },
    close: () => socket.end(),
  }
}

/** The status once the answer is there with its whole body; null before. */
function completeStatus(answer: Buffer): number | null {
  const end = answer.indexOf("\r\n\r\n")
  if (end === -1) return null
  const head = answer.toString("latin1", 0, end)
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  return answer.length >= end + 4 + Number(length ?? 0) ? Number(head.slice(9, 12)) : null
}

/** The bytes of a `POST /v1/events`. The body must be ASCII, so that its length in bytes is its length. */
export function postEvent(port: number, apiKey: string, body: string): string {
  return `POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${apiKey}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}
