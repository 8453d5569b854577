// Telegram, Slack, Resend and Twilio on one local port, for the real SDKs: behaves as scripted, and keeps a ledger of
// what arrived. Also a process of its own (`bun src/testing/fake-providers.ts --port 4999`), so that a hub can be killed
// while its providers live on: GET /_ledger, POST /_script, POST /_reset.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { SendingChannel } from "../domain/channel.ts"
import { isSendingChannel } from "../domain/channel.ts"

/** What to do with one request, after it was read and written into the ledger. */
export type Behaviour =
  | { readonly kind: "ok" }
  | {
      readonly kind: "answer"
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: unknown
    }
  /** Never answers. */
  | { readonly kind: "hang" }
  /** Closes the connection without an answer. */
  | { readonly kind: "reset" }
  /** Answers well once `released` settles. */
  | { readonly kind: "wait"; readonly released: Promise<unknown> }

export interface Call {
  readonly channel: SendingChannel
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly path: string
  readonly to: string
  /** The words that a person would read. */
  readonly text: string
  readonly idempotencyKey: string | null
  readonly authorization: string | null
  readonly body: Readonly<Record<string, unknown>>
}

export interface FakeProviders {
  /** Serves as `TELEGRAM_API_ROOT`, `RESEND_BASE_URL` and `TWILIO_API_ROOT`. */
  readonly url: string
  readonly port: number
  /** A Slack webhook here; different names are different webhooks. */
  slackWebhook(name?: string): string
  /** Everything that arrived, oldest first. */
  readonly calls: readonly Call[]
  callsOf(channel: SendingChannel): readonly Call[]
  /** How many calls there were per key, e.g. per text: a count above one is a duplicate. */
  counts(key: (call: Call) => string): ReadonlyMap<string, number>
  /** The next requests of a channel behave so, one each; then they are `ok` again. */
  script(channel: SendingChannel, ...behaviours: readonly Behaviour[]): void
  /** How requests of a channel behave when nothing is scripted. */
  always(channel: SendingChannel, behaviour: Behaviour): void
  /** Resolves when `n` calls (of the channel, if given) have arrived since the start or the last `reset`. */
  waitFor(n: number, channel?: SendingChannel): Promise<readonly Call[]>
  reset(): void
  /** Closes every connection, answered or not. */
  stop(): Promise<void>
}

export async function startFakeProviders(options: { readonly port?: number } = {}): Promise<FakeProviders> {
  let calls: Call[] = []
  const scripted = new Map<SendingChannel, Behaviour[]>()
  const standing = new Map<SendingChannel, Behaviour>()
  let waiting: { n: number; channel: SendingChannel | undefined; done: (calls: readonly Call[]) => void }[] = []
  let answered = 0

  const of = (channel: SendingChannel | undefined): readonly Call[] =>
    channel === undefined ? calls : calls.filter((call) => call.channel === channel)

  const arrived = (call: Call): Behaviour => {
    calls.push(call)
    const ready = waiting.filter(({ n, channel }) => of(channel).length >= n)
    waiting = waiting.filter((one) => !ready.includes(one))
    for (const { channel, done } of ready) done(of(channel))
    return scripted.get(call.channel)?.shift() ?? standing.get(call.channel) ?? { kind: "ok" }
  }

  const behave = async (behaviour: Behaviour, call: Call, request: IncomingMessage, response: ServerResponse) => {
    switch (behaviour.kind) {
      case "hang":
        return
      case "reset":
        request.socket.destroy()
        return
      case "wait":
        await behaviour.released
        return reply(response, success(call, ++answered))
      case "ok":
        return reply(response, success(call, ++answered))
      case "answer":
        return reply(response, behaviour)
    }
  }

  const fake: FakeProviders = {
    get url() {
      return `http://127.0.0.1:${fake.port}`
    },
    get port() {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    },
    slackWebhook: (name = "T000/B000/slack-webhook") => `${fake.url}/services/${name}`,
    get calls() {
      return calls
    },
    callsOf: of,
    counts: (key) => {
      const counts = new Map<string, number>()
      for (const call of calls) counts.set(key(call), (counts.get(key(call)) ?? 0) + 1)
      return counts
    },
    script: (channel, ...behaviours) => {
      scripted.set(channel, [...(scripted.get(channel) ?? []), ...behaviours])
    },
    always: (channel, behaviour) => {
      standing.set(channel, behaviour)
    },
    waitFor: (n, channel) => {
      const { promise, resolve } = Promise.withResolvers<readonly Call[]>()
      if (of(channel).length >= n) resolve(of(channel))
      else waiting.push({ n, channel, done: resolve })
      return promise
    },
    reset: () => {
      calls = []
      scripted.clear()
      standing.clear()
    },
    stop: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeAllConnections()
      return promise
    },
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await textOf(request)
    const path = request.url ?? "/"
    if (path.startsWith("/_")) return reply(response, control(fake, path, text))
    const call = callOf(request, path, text)
    if (call === null) return reply(response, { status: 404, body: { message: "no such provider" } })
    await behave(arrived(call), call, request, response)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy()) // the caller went away in the middle
  })
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.listen(options.port ?? 0, "127.0.0.1", resolve)
  await listening
  return fake
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString("utf8")
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

function reply(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body)
  response.writeHead(status, {
    "content-type": typeof body === "string" ? "text/plain" : "application/json",
    ...headers,
  })
  response.end(text)
}

function callOf(request: IncomingMessage, path: string, text: string): Call | null {
  const channel = channelOf(path)
  if (channel === null || request.method !== "POST") return null
  const body: Record<string, unknown> =
    channel === "sms" ? Object.fromEntries(new URLSearchParams(text)) : JSON.parse(text)
  const field = (name: string): string => (body[name] === undefined ? "" : String(body[name]))
  const header = (name: string): string | null => {
    const value = request.headers[name]
    return typeof value === "string" ? value : null
  }
  const words = { telegram: "text", slack: "text", email: "text", sms: "Body" } as const
  const address = { telegram: field("chat_id"), slack: path, email: field("to"), sms: field("To") }
  return {
    channel,
    at: Date.now(),
    path,
    to: address[channel],
    text: field(words[channel]),
    idempotencyKey: header("idempotency-key"),
    authorization: header("authorization"),
    body,
  }
}

function channelOf(path: string): SendingChannel | null {
  if (/^\/bot[^/]+\/sendMessage$/.test(path)) return "telegram"
  if (path.startsWith("/services/")) return "slack"
  if (path === "/emails") return "email"
  if (/^\/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/.test(path)) return "sms"
  return null
}

/** What each provider answers when all is well; `n` makes its message id. */
function success(call: Call, n: number): Answer {
  switch (call.channel) {
    case "telegram": {
      const result = { message_id: n, date: 0, chat: { id: 1, type: "private" }, text: call.text }
      return { status: 200, body: { ok: true, result } }
    }
    case "slack":
      return { status: 200, body: "ok" }
    case "email":
      return { status: 200, body: { id: `em_${n}` } }
    case "sms":
      return { status: 201, body: { sid: `SM${String(n).padStart(32, "0")}`, status: "queued" } }
  }
}

function control(fake: FakeProviders, path: string, text: string): Answer {
  if (path === "/_ledger") return { status: 200, body: fake.calls }
  if (path === "/_reset") {
    fake.reset()
    return { status: 200, body: {} }
  }
  if (path === "/_script") {
    // Written by the tests of this repository.
    const { channel, behaviours } = JSON.parse(text) as { channel: string; behaviours: Behaviour[] }
    if (isSendingChannel(channel)) fake.script(channel, ...behaviours)
    return { status: 200, body: {} }
  }
  return { status: 404, body: {} }
}

if (import.meta.main) {
  const at = process.argv.indexOf("--port")
  const fake = await startFakeProviders(at === -1 ? {} : { port: Number(process.argv[at + 1]) })
  console.log(`listening ${fake.port}`)
}
