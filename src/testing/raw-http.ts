/** HTTP by hand, byte by byte: for what no client library would send, would tidy up, or would send so slowly. */

export interface RawAnswer {
  /** The first answer's status; 0 where there was none. */
  readonly status: number
  /** Its headers, names in lower case; of a name that comes twice, the last. */
  readonly headers: ReadonlyMap<string, string>
  /** What came behind its headers. */
  readonly body: string
  /** Everything that came back, as Latin-1. */
  readonly text: string
  /** When the server closed the connection, in milliseconds after it was opened; null where it had not at the end. */
  readonly closedAfterMs: number | null
}

export interface RawOptions {
  /** Latin-1. Written one after the other, with `gapMs` between them; no more once the connection is closed. */
  readonly parts: readonly string[]
  readonly gapMs?: number
  /** How long is waited. */
  readonly withinMs?: number
  /** What is waited for: that the server closes the connection (default), its headers, or the whole answer. */
  readonly until?: "closed" | "headers" | "whole"
}

type Pairs = readonly (readonly [name: string, value: string])[]

/** A request without a body. */
export const rawGet = (path: string, headers: Pairs): string =>
  `GET ${path} HTTP/1.1\r\nHost: hub\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`

/** An upgrade of the socket's path, as its bytes are; `headers` replace the usual ones. */
export function rawUpgrade(port: number, query: string, headers: Readonly<Record<string, string>>): Promise<RawAnswer> {
  const usual = {
    Host: "hub.test",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
  }
  const lines = Object.entries({ ...usual, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = `GET /socket/websocket?${query} HTTP/1.1\r\n${lines.join("")}\r\n`
  return rawHttp(port, { parts: [request], until: "headers" })
}

/** Sends `parts` to a port of this machine over a connection of its own. */
export async function rawHttp(port: number, options: RawOptions): Promise<RawAnswer> {
  const began = performance.now()
  const { promise: over, resolve: end } = Promise.withResolvers<void>()
  let text = ""
  let closedAfterMs: number | null = null
  let drained = (): void => {}
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, bytes) {
        text += bytes.toString("latin1")
        if (isEnough(text, options.until ?? "closed")) end()
      },
      drain: () => drained(),
      close() {
        closedAfterMs = performance.now() - began
        drained()
        end()
      },
      error: () => end(),
    },
  })
  const timer = setTimeout(end, options.withinMs ?? 5_000)
  const write = async (): Promise<void> => {
    for (const part of options.parts) {
      let bytes: Uint8Array = Buffer.from(part, "latin1")
      while (bytes.length > 0 && closedAfterMs === null) {
        const { promise: room, resolve } = Promise.withResolvers<void>()
        drained = resolve
        bytes = bytes.subarray(socket.write(bytes))
        if (bytes.length > 0) await Promise.race([room, over])
      }
      if (options.gapMs !== undefined) await Promise.race([Bun.sleep(options.gapMs), over])
    }
  }
  await Promise.all([write(), over])
  clearTimeout(timer)
  socket.end()
  return { ...parse(text), text, closedAfterMs }
}

function isEnough(text: string, until: "closed" | "headers" | "whole"): boolean {
  const end = text.indexOf("\r\n\r\n")
  if (end === -1 || until === "closed") return false
  if (until === "headers" || text.startsWith("HTTP/1.1 101")) return true
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1]
  return length !== undefined && text.length >= end + 4 + Number(length)
}

function parse(text: string): Pick<RawAnswer, "status" | "headers" | "body"> {
  const end = text.indexOf("\r\n\r\n")
  const [first = "", ...lines] = text.slice(0, end === -1 ? text.length : end).split("\r\n")
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0),
    headers: new Map(headers),
    body: end === -1 ? "" : text.slice(end + 4),
  }
}
