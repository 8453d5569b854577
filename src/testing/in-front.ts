/** Stands in front of a real server and misbehaves as it is told to, then passes on what it hears. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** One request as it came. */
export interface Heard {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What becomes of one request; `pass` asks the server behind. */
export type Step = (
  heard: Heard,
  pass: () => Promise<Response>,
) => Response | "cut" | "silent" | Promise<Response | "cut" | "silent">

/** Answers by itself: the server behind hears nothing. */
export const refuse =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ""): Step =>
  () =>
    new Response(body, { status, headers })

/** Takes the connection away before the server behind hears anything. */
export const cutBefore: Step = () => "cut"

/** Takes the connection away when the server behind has done its work and answered. */
export const cutAfter: Step = (_heard, pass) => pass().then(() => "cut" as const)

/** Never answers. */
export const silent: Step = () => "silent"

export interface InFront {
  readonly url: string
  /** Every request so far, also those that got no answer. */
  readonly heard: readonly Heard[]
  /** What the next requests get, before everything is passed on again. */
  script(...steps: Step[]): void
  /** Resolves when so many requests have come. */
  requests(count: number): Promise<void>
  stop(): Promise<void>
}

/** Starts on a free port of this machine. `target` is the URL of the server behind. */
export async function startInFront(target: string): Promise<InFront> {
  const heard: Heard[] = []
  const scripted: Step[] = []
  const waiters = new Set<{ readonly count: number; readonly done: () => void }>()

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one = await read(request)
    heard.push(one)
    for (const waiter of waiters) if (heard.length >= waiter.count) waiter.done()
    const { connection: _, host: __, ...headers } = one.headers
    const pass = (): Promise<Response> =>
      fetch(`${target}${one.path}`, {
        method: one.method,
        headers,
        redirect: "manual",
        ...(one.body === "" ? {} : { body: one.body }),
      })
    const given = await (scripted.shift() ?? ((_heard, passOn) => passOn()))(one, pass)
    if (given === "silent") return
    if (given === "cut") {
      request.socket.destroy()
      return
    }
    const body = Buffer.from(await given.arrayBuffer())
    const { "content-encoding": _encoding, "transfer-encoding": _transfer, ...rest } = Object.fromEntries(given.headers)
    response.writeHead(given.status, {
      // Where a connection that was used before is cut, the runtime's fetch asks again by itself: here each is new.
      connection: "close",
      ...rest,
      ...(given.status === 204 ? {} : { "content-length": body.byteLength }),
    })
    response.end(body)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => request.socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    script: (...steps) => void scripted.push(...steps),
    requests: (count) =>
      new Promise((resolve) => {
        if (heard.length >= count) return resolve()
        waiters.add({ count, done: resolve })
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function read(request: IncomingMessage): Promise<Heard> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(Buffer.from(part))
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)])
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: Object.fromEntries(headers),
    body: Buffer.concat(parts).toString("utf8"),
  }
}
