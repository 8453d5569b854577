// An SMTP server that speaks enough of RFC 5321, STARTTLS and AUTH for real clients, keeps what it took, and goes wrong
// where a test says so.
import { createServer, type Socket } from "node:net"
import { createServer as createTlsServer, TLSSocket } from "node:tls"
import { SMTP_CERTIFICATE, SMTP_KEY } from "./smtp-certificate.ts"

export type SmtpMoment = "greeting" | "EHLO" | "AUTH" | "MAIL" | "RCPT" | "DATA" | "message" | "QUIT"

export type SmtpBehaviour =
  /** Lines without their ends; 421 also closes, as RFC 5321 has it. */
  | { readonly at: SmtpMoment; readonly kind: "reply"; readonly text: string }
  | { readonly at: SmtpMoment; readonly kind: "hang" }
  /** A line that does not end, as long as anybody reads. */
  | { readonly at: SmtpMoment; readonly kind: "endless" }
  | { readonly at: SmtpMoment; readonly kind: "reset" }

export interface SmtpMail {
  readonly from: string
  readonly to: readonly string[]
  /** Headers and body, dots unstuffed. */
  readonly raw: string
  readonly secure: boolean
  readonly user: string | null
}

export interface SmtpServerOptions {
  /** Default "none". */
  readonly tls?: "none" | "starttls" | "implicit"
  /** Who may log in; nobody else is let through then. */
  readonly login?: { readonly user: string; readonly pass: string }
}

export interface TestSmtpServer {
  readonly port: number
  /** Taken, oldest first. */
  readonly mails: readonly SmtpMail[]
  /** Messages that came whole, taken or not. */
  readonly messages: number
  readonly connections: number
  /** One for each time that its moment comes. */
  script(...behaviours: readonly SmtpBehaviour[]): void
  /** Settles when the moment is first come to from now on. */
  reached(moment: SmtpMoment): Promise<void>
  reset(): void
  /** Ends every connection, as a server does that has waited long enough. */
  hangUp(): Promise<void>
  stop(): Promise<void>
}

export async function startSmtpServer(options: SmtpServerOptions = {}): Promise<TestSmtpServer> {
  const { tls = "none", login } = options
  const state = {
    mails: [] as SmtpMail[],
    messages: 0,
    connections: 0,
    scripted: [] as SmtpBehaviour[],
    waiting: [] as { moment: SmtpMoment; done: () => void }[],
    sockets: new Set<Socket>(),
  }

  const serve = (plain: Socket): void => {
    state.connections += 1
    state.sockets.add(plain)
    plain.once("close", () => state.sockets.delete(plain))
    converse(plain, tls === "implicit")
  }

  function converse(first: Socket, startsSecure: boolean): void {
    let socket = first
    let secure = startsSecure
    let user: string | null = null
    let from: string | null = null
    let to: string[] = []
    let mode: "commands" | "message" = "commands"
    let buffer = ""

    const say = (text: string): void => {
      if (socket.writable) socket.write(`${text}\r\n`)
      if (/^421/.test(text)) socket.end()
    }
    /** Does what is scripted for the moment, else the reply. */
    const at = (moment: SmtpMoment, good: () => void): void => {
      for (const one of state.waiting.filter((each) => each.moment === moment)) one.done()
      state.waiting = state.waiting.filter((each) => each.moment !== moment)
      const place = state.scripted.findIndex((each) => each.at === moment)
      const [behaviour] = place === -1 ? [] : state.scripted.splice(place, 1)
      if (behaviour === undefined) good()
      else if (behaviour.kind === "reset") socket.destroy()
      else if (behaviour.kind === "reply") say(behaviour.text)
      else if (behaviour.kind === "endless") pour()
    }
    const pour = (): void => {
      while (socket.writable && socket.write("x".repeat(65_536)));
      if (socket.writable) socket.once("drain", pour)
    }
    const take = (raw: string): void => {
      state.messages += 1
      at("message", () => {
        state.mails.push({ from: from ?? "", to, raw, secure, user })
        say(`250 2.0.0 Ok: queued as ${state.mails.length}`)
      })
      from = null
      to = []
    }
    const upgrade = (): void => {
      say("220 2.0.0 Ready to start TLS")
      socket.removeAllListeners("data")
      const upgraded = new TLSSocket(socket, { isServer: true, key: SMTP_KEY, cert: SMTP_CERTIFICATE })
      socket = upgraded
      secure = true
      listen()
    }
    const authenticate = (line: string): void => {
      const [, given = "", pass = ""] = Buffer.from(line.split(" ")[2] ?? "", "base64")
        .toString()
        .split("\0")
      if (login === undefined || (given === login.user && pass === login.pass)) {
        user = given
        say("235 2.7.0 Authentication successful")
      } else say(`535 5.7.8 Bad credentials for ${given} ${pass}`)
    }
    const command = (line: string): void => {
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === "EHLO") {
        const offers = [
          ...(tls === "starttls" && !secure ? ["STARTTLS"] : []),
          ...(login === undefined ? [] : ["AUTH PLAIN"]),
          "SIZE 1000000",
          "8BITMIME",
        ]
        const lines = ["smtp.test", ...offers]
        at("EHLO", () => say(lines.map((each, i) => `250${i === lines.length - 1 ? " " : "-"}${each}`).join("\r\n")))
      } else if (verb === "HELO") say("250 smtp.test")
      else if (verb === "STAR") upgrade()
      else if (verb === "AUTH") at("AUTH", () => authenticate(line))
      else if (verb === "MAIL") {
        at("MAIL", () => {
          if (login !== undefined && user === null) return say("530 5.7.0 Authentication required")
          from = /<([^>]*)>/.exec(line)?.[1] ?? ""
          say("250 2.1.0 Ok")
        })
      } else if (verb === "RCPT") {
        at("RCPT", () => {
          to = [...to, /<([^>]*)>/.exec(line)?.[1] ?? ""]
          say("250 2.1.5 Ok")
        })
      } else if (verb === "DATA") {
        at("DATA", () => {
          mode = "message"
          say("354 End data with <CR><LF>.<CR><LF>")
        })
      } else if (verb === "QUIT") {
        at("QUIT", () => {
          say("221 2.0.0 Bye")
          socket.end()
        })
      } else if (verb === "RSET") say("250 2.0.0 Ok")
      else say("502 5.5.2 Command not recognized")
    }
    const read = (chunk: Buffer): void => {
      buffer += chunk.toString("latin1")
      for (;;) {
        if (mode === "message") {
          const end = buffer.startsWith(".\r\n") ? 0 : buffer.indexOf("\r\n.\r\n")
          if (end === -1) return
          const raw = buffer.slice(0, end).replaceAll(/^\.\./gm, ".")
          buffer = buffer.slice(end === 0 ? 3 : end + 5)
          mode = "commands"
          take(raw)
        } else {
          const end = buffer.indexOf("\r\n")
          if (end === -1) return
          const line = buffer.slice(0, end)
          buffer = buffer.slice(end + 2)
          command(line)
        }
      }
    }
    const listen = (): void => {
      socket.on("data", read)
      socket.on("error", () => {}) // the client went away, or does not believe our certificate
    }
    listen()
    at("greeting", () => say("220 smtp.test ESMTP"))
  }

  const server =
    tls === "implicit" ? createTlsServer({ key: SMTP_KEY, cert: SMTP_CERTIFICATE }, serve) : createServer(serve)
  server.on("tlsClientError", () => {})
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.listen(0, "127.0.0.1", resolve)
  await listening
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0

  return {
    port,
    get mails() {
      return state.mails
    },
    get messages() {
      return state.messages
    },
    get connections() {
      return state.connections
    },
    script: (...behaviours) => {
      state.scripted.push(...behaviours)
    },
    reached(moment) {
      const { promise, resolve: done } = Promise.withResolvers<void>()
      state.waiting.push({ moment, done })
      return promise
    },
    reset() {
      state.mails = []
      state.messages = 0
      state.connections = 0
      state.scripted = []
    },
    async hangUp() {
      const closed = [...state.sockets].map((socket) => {
        const { promise, resolve: done } = Promise.withResolvers<void>()
        socket.once("close", () => done())
        socket.end()
        return promise
      })
      await Promise.all(closed)
    },
    stop() {
      const { promise, resolve: done } = Promise.withResolvers<void>()
      server.close(() => done())
      for (const socket of state.sockets) socket.destroy()
      return promise
    },
  }
}
