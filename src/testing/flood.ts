/**
 * An open loop without a bound: sends at its rate whatever comes back, over as many connections as that takes. `fetch` keeps
 * 256 requests under way and queues the rest in the client, where a flood would wait without troubling the hub.
 */
import type { Socket } from "bun"
import { SERVICE_KEY } from "./front.ts"

export interface FloodAnswer {
  /** 0: no connection was to be had, or it broke. */
  readonly status: number
  /** From when it was due to its answer. */
  readonly ms: number
  /** The `Retry-After` header, in seconds. */
  readonly retryAfter: number | null
  /** When it was due, in milliseconds since the flood began. */
  readonly at: number
}

export interface FloodOptions {
  readonly port: number
  readonly perSecond: number
  readonly seconds: number
  /** The JSON text of the nth event. */
  readonly event: (n: number) => string
}

interface Line {
  readonly socket: Socket<unknown>
  answered: (head: string) => void
}

/** Resolves when all that was sent is answered. */
export async function flood(options: FloodOptions): Promise<readonly FloodAnswer[]> {
  const idle: Line[] = []
  const all = new Set<Line>()

  async function open(): Promise<Line> {
    let text = ""
    let line: Line | null = null
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: options.port,
      socket: {
        data(_, bytes) {
          text += bytes.toString("latin1")
          const end = text.indexOf("\r\n\r\n")
          const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
          if (end === -1 || text.length < end + 4 + length) return
          const head = text.slice(0, end + 2)
          text = ""
          line?.answered(head)
        },
        close: () => line?.answered(""),
        error: () => line?.answered(""),
      },
    })
    line = { socket, answered: () => {} }
    all.add(line)
    return line
  }

  const send = async (n: number, due: number, began: number): Promise<FloodAnswer> => {
    const body = options.event(n)
    const line = idle.pop() ?? (await open().catch(() => null))
    if (line === null) return { status: 0, ms: performance.now() - began - due, retryAfter: null, at: due }
    const { promise, resolve } = Promise.withResolvers<string>()
    line.answered = resolve
    line.socket.write(
      `POST /v1/events HTTP/1.1\r\nHost: hub.example\r\nAuthorization: Bearer ${SERVICE_KEY}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    const head = await promise
    if (head !== "" && !/connection: close/i.test(head)) idle.push(line)
    const retryAfter = /retry-after: (\d+)/i.exec(head)?.[1]
    return {
      status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
      ms: performance.now() - began - due,
      retryAfter: retryAfter === undefined ? null : Number(retryAfter),
      at: due,
    }
  }

  const began = performance.now()
  const answers: Promise<FloodAnswer>[] = []
  const total = options.perSecond * options.seconds
  while (answers.length < total) {
    const due = Math.min(total, ((performance.now() - began) * options.perSecond) / 1_000)
    while (answers.length < due) answers.push(send(answers.length, (answers.length * 1_000) / options.perSecond, began))
    await Bun.sleep(5)
  }
  const settled = await Promise.all(answers)
  for (const { socket } of all) socket.end()
  return settled
}
