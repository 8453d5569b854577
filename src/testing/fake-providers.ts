// Telegram, Slack, Resend, Twilio, push services and a system with webhooks on one local port (Apple's on one of its own,
// because it speaks HTTP/2), for the real SDKs: behaves as scripted, and keeps a ledger of what arrived. Also a process of its own (`bun src/testing/fake-providers.ts --port 4999`), so that a hub can be killed
// while its providers live on: GET /_ledger, POST /_script, POST /_reset.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2"
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
  /** Writes these bytes, which need not be HTTP, and closes. */
  | { readonly kind: "raw"; readonly bytes: string | Uint8Array }
  /** Begins an answer of a thousand bytes, one a second. */
  | { readonly kind: "drip" }

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
  /** The provider took it: whatever its answer met on the way, somebody has the message. */
  readonly taken: boolean
}

/** A call of which nobody knows yet what becomes of it. */
export type Request = Omit<Call, "taken">

export interface FakeProviders {
  /** Serves as `TELEGRAM_API_ROOT`, `RESEND_BASE_URL`, `TWILIO_API_ROOT`, `FCM_API_ROOT`. */
  readonly url: string
  readonly port: number
  /** A Slack webhook here; different names are different webhooks. */
  slackWebhook(name?: string): string
  /** Serves as `APNS_API_ROOT`. */
  readonly apnsUrl: string
  /** Of a browser whose push service is here; its token of a Google service account is at `${url}/token`. */
  pushEndpoint(name?: string): string
  /** A system's own webhook here. */
  systemWebhook(name?: string): string
  /** Everything that arrived, oldest first. */
  readonly calls: readonly Call[]
  callsOf(channel: SendingChannel): readonly Call[]
  /** How many calls there were per key, e.g. per text: a count above one is a duplicate. */
  counts(key: (call: Call) => string): ReadonlyMap<string, number>
  /** The next requests of a channel behave so, one each; then they are `ok` again. */
  script(channel: SendingChannel, ...behaviours: readonly Behaviour[]): void
  /** How requests of a channel behave when nothing is scripted; a function looks at each. */
  always(channel: SendingChannel, behaviour: Behaviour | ((call: Request) => Behaviour)): void
  /** Resolves when `n` calls (of the channel, if given) have arrived since the start or the last `reset`. */
  waitFor(n: number, channel?: SendingChannel): Promise<readonly Call[]>
  reset(): void
  /** Closes every connection, answered or not. */
  stop(): Promise<void>
}

export async function startFakeProviders(options: { readonly port?: number } = {}): Promise<FakeProviders> {
  let calls: Call[] = []
  const scripted = new Map<SendingChannel, Behaviour[]>()
  const standing = new Map<SendingChannel, Behaviour | ((call: Request) => Behaviour)>()
  let waiting: { n: number; channel: SendingChannel | undefined; done: (calls: readonly Call[]) => void }[] = []
  let answered = 0

  const of = (channel: SendingChannel | undefined): readonly Call[] =>
    channel === undefined ? calls : calls.filter((call) => call.channel === channel)

  const arrived = (request: Request): { readonly call: Call; readonly behaviour: Behaviour } => {
    const chosen = scripted.get(request.channel)?.shift() ?? standing.get(request.channel) ?? { kind: "ok" }
    const behaviour = typeof chosen === "function" ? chosen(request) : chosen
    const call = { ...request, taken: behaviour.kind === "ok" || behaviour.kind === "wait" }
    calls.push(call)
    const ready = waiting.filter(({ n, channel }) => of(channel).length >= n)
    waiting = waiting.filter((one) => !ready.includes(one))
    for (const { channel, done } of ready) done(of(channel))
    return { call, behaviour }
  }

  const behave = async (behaviour: Behaviour, call: Call, request: IncomingMessage, response: ServerResponse) => {
    switch (behaviour.kind) {
      case "hang":
        return
      case "reset":
        cut(request)
        return
      case "wait":
        await behaviour.released
        return reply(response, success(call, ++answered))
      case "ok":
        return reply(response, success(call, ++answered))
      case "answer":
        return reply(response, behaviour)
      case "raw":
        request.socket.end(behaviour.bytes)
        return
      case "drip":
        drip(response)
        return
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
    get apnsUrl() {
      const address = apple.address()
      return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    },
    pushEndpoint: (name = "browser") => `${fake.url}/push/${name}`,
    slackWebhook: (name = "T000/B000/slack-webhook") => `${fake.url}/services/${name}`,
    systemWebhook: (name = "system") => `${fake.url}/hooks/${name}`,
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
      for (const session of sessions) session.destroy()
      apple.close()
      return promise
    },
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await textOf(request)
    const path = request.url ?? "/"
    if (path.startsWith("/_")) return reply(response, control(fake, path, text))
    if (path === "/token")
      return reply(response, { status: 200, body: { access_token: ACCESS_TOKEN, expires_in: 3_600 } })
    // Nobody answers what was sent here: Telegram would hold the question, too.
    if (path.endsWith("/getUpdates")) return
    const found = callOf(request, path, text)
    if (found === null) return reply(response, { status: 404, body: { message: "no such provider" } })
    const { call, behaviour } = arrived(found)
    await behave(behaviour, call, request, response)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => cut(request)) // the caller went away in the middle
  })
  // Five seconds are usual, and a request that is on its way just then is reset: that is only to happen where it is asked for.
  server.keepAliveTimeout = 600_000
  const sessions = new Set<ServerHttp2Session>()
  const apple = createHttp2Server((request, response) => {
    // Node's compatibility API: these are used as HTTP/1.1's are.
    const [as, to] = [request as unknown as IncomingMessage, response as unknown as ServerResponse]
    handle(as, to).catch(() => cut(as))
  })
  apple.on("session", (session) => {
    sessions.add(session)
    session.on("close", () => sessions.delete(session))
    session.on("error", () => {})
  })
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.listen(options.port ?? 0, "127.0.0.1", resolve)
  await listening
  const { promise: alsoListening, resolve: go } = Promise.withResolvers<void>()
  apple.listen(0, "127.0.0.1", go)
  await alsoListening
  return fake
}

/** What Google's token is here. */
export const ACCESS_TOKEN = "ya29.aCanaryOfAnAccessToken"

function cut(request: IncomingMessage): void {
  const stream: unknown = "stream" in request ? request.stream : null // of HTTP/2 alone
  if (stream === null) request.socket.destroy()
  else (stream as { readonly session?: { destroy(): void } }).session?.destroy()
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": 1_000 })
  response.write("{")
  const timer = setInterval(() => response.write(" "), 1_000)
  response.on("close", () => clearInterval(timer))
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

function callOf(request: IncomingMessage, path: string, text: string): Request | null {
  const channel = channelOf(path)
  if (channel === null || request.method !== "POST") return null
  const body: Record<string, unknown> =
    channel === "sms" || channel === "voice" || path.startsWith("/chat.")
      ? Object.fromEntries(new URLSearchParams(text))
      : path.startsWith("/push/")
        ? {} // only the browser can read it
        : JSON.parse(text)
  const field = (name: string): string => (body[name] === undefined ? "" : String(body[name]))
  const header = (name: string): string | null => {
    const value = request.headers[name]
    return typeof value === "string" ? value : null
  }
  const words = {
    telegram: field("text"),
    slack: field("text"),
    email: field("text"),
    sms: field("Body"),
    voice: field("Twiml"),
    push: pushTitle(body),
    webhook: field("type"),
  }
  const address = {
    telegram: field("chat_id"),
    slack: path.startsWith("/chat.") ? field("channel") : path,
    email: field("to"),
    sms: field("To"),
    voice: field("To"),
    push: path,
    webhook: path,
  }
  return {
    channel,
    at: Date.now(),
    path,
    to: address[channel],
    text: words[channel],
    idempotencyKey: header(channel === "webhook" ? "webhook-id" : "idempotency-key"),
    authorization: header("authorization"),
    body,
  }
}

/** As Google and Apple have it. */
function pushTitle(body: Readonly<Record<string, unknown>>): string {
  const found = /"title":("(?:[^"\\]|\\.)*")/.exec(JSON.stringify(body))?.[1]
  return found === undefined ? "" : String(JSON.parse(found))
}

function channelOf(path: string): SendingChannel | null {
  if (/^\/bot[^/]+\/(sendMessage|editMessageText)$/.test(path)) return "telegram"
  if (path.startsWith("/services/") || /^\/chat\.(postMessage|update)$/.test(path)) return "slack"
  if (path === "/emails") return "email"
  if (path.startsWith("/hooks/")) return "webhook"
  if (/^\/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/.test(path)) return "sms"
  if (/^\/2010-04-01\/Accounts\/[^/]+\/Calls\.json$/.test(path)) return "voice"
  if (/^\/v1\/projects\/[^/]+\/messages:send$|^\/3\/device\/|^\/push\//.test(path)) return "push"
  return null
}

/** What each provider answers when all is well; `n` makes its message id. */
function success(call: Call, n: number): Answer {
  switch (call.channel) {
    case "telegram": {
      const result = {
        message_id: call.body["message_id"] ?? n,
        date: 0,
        chat: { id: 1, type: "private" },
        text: call.text,
      }
      return { status: 200, body: { ok: true, result } }
    }
    case "slack":
      if (!call.path.startsWith("/chat.")) return { status: 200, body: "ok" }
      // A person's conversation with the bot has an id of its own.
      return {
        status: 200,
        body: { ok: true, channel: call.to.replace(/^U/, "D"), ts: call.body["ts"] ?? `${n}.000100` },
      }
    case "email":
      return { status: 200, body: { id: `em_${n}` } }
    case "sms":
      return { status: 201, body: { sid: `SM${String(n).padStart(32, "0")}`, status: "queued" } }
    case "voice":
      return { status: 201, body: { sid: `CA${String(n).padStart(32, "0")}`, status: "queued" } }
    case "push":
      if (call.path.startsWith("/v1/")) return { status: 200, body: { name: `projects/p/messages/${n}` } }
      if (call.path.startsWith("/3/")) return { status: 200, headers: { "apns-id": `apns-${n}` } }
      return { status: 201 }
    case "webhook":
      return { status: 204 }
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
