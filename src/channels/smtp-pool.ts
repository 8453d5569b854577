/**
 * Connections to one SMTP server, kept for the next message. Each try uses one alone, so what it saw is known to the
 * command: nodemailer's own pool queues messages where nobody could call them back at a deadline.
 */
import { Readable } from "node:stream"
import type SMTPConnection from "nodemailer/lib/smtp-connection"

export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** TLS from the first byte; else STARTTLS where it is offered. */
  readonly secure: boolean
  /** Nothing is said without TLS. */
  readonly requireTls: boolean
  readonly auth: { readonly user: string; readonly pass: string } | null
  /** An authority beside the machine's own, as PEM. */
  readonly ca?: string | undefined
}

export type SmtpExchange =
  | { readonly kind: "accepted" }
  /** A reply of 400 or more; `command` is what it answers: `CONN`, `EHLO`, `AUTH PLAIN`, `MAIL FROM`, `RCPT TO`, `DATA`. */
  | { readonly kind: "refused"; readonly code: number; readonly command: string; readonly text: string }
  /** The mail is larger than the server said it takes. */
  | { readonly kind: "too_large" }
  /** The message certainly did not leave. */
  | {
      readonly kind: "unreachable"
      readonly reason:
        | "refused"
        | "unresolved"
        | "tls"
        | "aborted"
        | "timeout"
        | "connection_lost"
        | "unreadable_answer"
    }
  /** The message left, and nothing that could be read came back. */
  | { readonly kind: "silent"; readonly reason: "timeout" | "connection_lost" | "aborted" | "unreadable_answer" }

export interface SmtpSend {
  readonly envelope: { readonly from: string; readonly to: string[]; readonly size: number }
  readonly raw: Buffer
  /** The attempt's own signal. */
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

interface SmtpKnock {
  readonly envelope: null
  readonly signal: AbortSignal
}

/** Servers close idle connections after some minutes, so ours are closed long before. */
const IDLE_MS = 20_000
/** Then a fresh one: a balancer in front of several servers should get to choose again. */
const MAX_MESSAGES = 100

interface Kept {
  readonly connection: SMTPConnection
  sent: number
  timer: ReturnType<typeof setTimeout> | null
}

/** As many connections as there are tries at once. */
export class SmtpPool {
  readonly #server: SmtpServer
  readonly #idle: Kept[] = []

  constructor(server: SmtpServer) {
    this.#server = server
  }

  /** One message, over a kept connection or a new one. Never rejects for what a server does. */
  async send(send: SmtpSend): Promise<SmtpExchange> {
    if (send.signal.aborted) return { kind: "unreachable", reason: "aborted" }
    const timeout = AbortSignal.timeout(send.deadlineMs)
    const kept = this.#take()
    if (kept !== null) {
      const seen = await this.#over(kept, send, timeout)
      // It was closed while it was kept: the server is not to blame.
      if (!isStale(seen)) return seen
    }
    return this.#over(await this.#fresh(send.deadlineMs), send, timeout)
  }

  /** Greeting, TLS and login over a connection of its own, and nothing to anybody. */
  async knock(signal: AbortSignal, deadlineMs: number): Promise<SmtpExchange> {
    const fresh = await this.#fresh(deadlineMs)
    const seen = await this.#over(fresh, { envelope: null, signal }, AbortSignal.timeout(deadlineMs))
    fresh.connection.quit()
    return seen
  }

  async #fresh(deadlineMs: number): Promise<Kept> {
    const { default: Connection } = await import("nodemailer/lib/smtp-connection")
    const { host, port, secure, requireTls, ca } = this.#server
    const connection = new Connection({
      host,
      port,
      secure,
      requireTLS: requireTls,
      tls: { minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) },
      connectionTimeout: deadlineMs,
      greetingTimeout: deadlineMs,
      dnsTimeout: deadlineMs,
      socketTimeout: Math.max(deadlineMs, IDLE_MS) + 1_000,
      logger: false,
    })
    // An error that nobody listens to ends the process; while it is kept, it is only gone.
    connection.on("error", () => {})
    return { connection, sent: 0, timer: null }
  }

  #take(): Kept | null {
    for (;;) {
      const kept = this.#idle.pop()
      if (kept === undefined) return null
      if (kept.timer !== null) clearTimeout(kept.timer)
      if (kept.connection.destroyed) continue
      socketOf(kept)?.ref()
      return kept
    }
  }

  #keep(kept: Kept): void {
    if (kept.connection.destroyed) return
    if (kept.sent >= MAX_MESSAGES) {
      kept.connection.quit()
      return
    }
    kept.timer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(kept), 1)
      kept.connection.quit()
    }, IDLE_MS)
    // Nobody waits for it: a process that is to end does not stay for it either.
    kept.timer.unref()
    socketOf(kept)?.unref()
    this.#idle.push(kept)
  }

  async #over(kept: Kept, send: SmtpSend | SmtpKnock, timeout: AbortSignal): Promise<SmtpExchange> {
    const { connection } = kept
    const { signal } = send
    const { promise, resolve } = Promise.withResolvers<SmtpExchange>()
    let left = false
    const without = (reason: "timeout" | "aborted"): void =>
      resolve(left ? { kind: "silent", reason } : { kind: "unreachable", reason })
    const onTimeout = (): void => without("timeout")
    const onAbort = (): void => without("aborted")
    const fail = (error: unknown): void => resolve(failureOf(error, left))
    const step = (next: () => void) => (error?: Error | null) => (error ? fail(error) : next())

    const hand = (): void => {
      if (send.envelope === null) {
        resolve({ kind: "accepted" })
        return
      }
      const { envelope, raw } = send
      // nodemailer reads it once the server has said "go ahead", so this is the moment from which nobody knows.
      const message = new Readable({
        read() {
          left = true
          this.push(raw)
          this.push(null)
        },
      })
      // A copy: nodemailer writes what was refused into the envelope, and a second try would answer with it.
      connection.send({ ...envelope, to: [...envelope.to] }, message, (error) =>
        error ? fail(error) : resolve({ kind: "accepted" }),
      )
    }
    const login = (): void => {
      const { auth } = this.#server
      if (auth === null) hand()
      else connection.login({ credentials: { ...auth } }, step(hand))
    }
    connection.on("error", fail)
    timeout.addEventListener("abort", onTimeout, { once: true })
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      if (signal.aborted) onAbort()
      else if (timeout.aborted) onTimeout()
      else if (kept.sent === 0) connection.connect(step(login))
      else hand()
      const seen = await promise
      if (send.envelope === null) return seen
      if (seen.kind === "accepted") {
        kept.sent += 1
        this.#keep(kept)
      } else connection.close()
      return seen
    } finally {
      connection.off("error", fail)
      timeout.removeEventListener("abort", onTimeout)
      signal.removeEventListener("abort", onAbort)
    }
  }
}

const socketOf = ({ connection }: Kept) => connection._socket || null

const isStale = (seen: SmtpExchange): boolean =>
  (seen.kind === "unreachable" && seen.reason === "connection_lost") || (seen.kind === "refused" && seen.code === 421)

const field = (error: unknown, name: string): unknown =>
  typeof error === "object" && error !== null && name in error ? (error as Record<string, unknown>)[name] : undefined // as was just seen

const NOT_THERE = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"])

function failureOf(error: unknown, left: boolean): SmtpExchange {
  const code = String(field(error, "code") ?? "")
  const reply = field(error, "responseCode")
  const text = String(field(error, "response") ?? "")
  const command = String(field(error, "command") ?? "CONN")
  if (typeof reply === "number" && reply >= 400) return { kind: "refused", code: reply, command, text }
  const cause = `${String(field(error, "errno") ?? "")} ${error instanceof Error ? error.message : ""}`
  if (left) {
    if (code === "EPROTOCOL" || text !== "") return { kind: "silent", reason: "unreadable_answer" }
    return { kind: "silent", reason: code === "ETIMEDOUT" ? "timeout" : "connection_lost" }
  }
  if (code === "EMESSAGE") return { kind: "too_large" }
  if (code === "EDNS") return { kind: "unreachable", reason: "unresolved" }
  if (code === "ETLS" || /certificate|self.signed|\bSSL|\bTLS/i.test(cause))
    return { kind: "unreachable", reason: "tls" }
  if ([...NOT_THERE].some((each) => cause.includes(each)) || /refused|Failed to connect/i.test(cause))
    return { kind: "unreachable", reason: "refused" }
  if (code === "ETIMEDOUT") return { kind: "unreachable", reason: "timeout" }
  if (code === "EPROTOCOL") return { kind: "unreachable", reason: "unreadable_answer" }
  return { kind: "unreachable", reason: "connection_lost" }
}
