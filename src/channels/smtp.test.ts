import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import type { Outcome } from "../domain/delivery.ts"
import { newDeliveryId } from "../domain/ids.ts"
import type { EmailMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { SMTP_CERTIFICATE } from "../testing/smtp-certificate.ts"
import {
  type SmtpBehaviour,
  type SmtpMoment,
  type SmtpServerOptions,
  startSmtpServer,
  type TestSmtpServer,
} from "../testing/smtp-server.ts"
import { type SmtpOptions, smtpChannel, smtpServer } from "./smtp.ts"

const USER = "canary-user"
const PASS = "canary-pass-0123456789"
const ADDRESS = "canary.reader@example.com"
const SECRETS = [USER, PASS, ADDRESS, Buffer.from(`\0${USER}\0${PASS}`).toString("base64")]
const message: EmailMessage = {
  channel: "email",
  to: ADDRESS,
  subject: "فاتورة INV-1 متأخرة",
  html: "<p>Invoice INV-1</p>",
  text: "Invoice INV-1\n.dotted line\n..twice",
  actionUrl: null,
  actionLabel: null,
}
const LONG_MS = 15_000

interface Try {
  readonly id?: ReturnType<typeof newDeliveryId>
  readonly message?: EmailMessage
  readonly signal?: AbortSignal
}

const channelTo = (port: number, options: Partial<Omit<SmtpOptions, "url">> = {}, login = "") =>
  smtpChannel({ url: new Secret(`smtp://${login}127.0.0.1:${port}`), from: "Hub <hub@example.com>", ...options })

async function send(channel: ReturnType<typeof smtpChannel>, one: Try = {}): Promise<Outcome> {
  const { id = newDeliveryId(Date.now()), signal = new AbortController().signal } = one
  const outcome = await channel.send({ id, message: one.message ?? message, signal })
  const shown = JSON.stringify(outcome)
  for (const secret of SECRETS) expect(shown).not.toContain(secret)
  if ("detail" in outcome) expect(outcome.detail.length).toBeLessThanOrEqual(300)
  return outcome
}

const reply = (at: SmtpMoment, text: string): SmtpBehaviour => ({ at, kind: "reply", text })

describe("e-mail by SMTP", () => {
  let server: TestSmtpServer
  beforeAll(async () => {
    server = await startSmtpServer()
  })
  afterEach(() => server.reset())
  afterAll(() => server.stop())

  test("is taken whole, with a text part beside the HTML, to one recipient", async () => {
    const id = newDeliveryId(Date.now())
    expect(await send(channelTo(server.port), { id })).toEqual({
      kind: "delivered",
      providerMessageId: `<${id}@example.com>`,
    })
    const [mail] = server.mails
    expect(mail).toMatchObject({ from: "hub@example.com", to: [ADDRESS] })
    expect(mail?.raw).toContain("From: Hub <hub@example.com>")
    expect(mail?.raw).toMatch(/multipart\/alternative[\s\S]*text\/plain[\s\S]*text\/html/)
    expect(mail?.raw).toContain("\r\n.dotted line\r\n..twice")
    expect(mail?.raw).toContain("Auto-Submitted: auto-generated")
    expect(mail?.raw).not.toContain("List-Unsubscribe")
  })

  test("has the delivery's own Message-ID, the same on every try", async () => {
    const id = newDeliveryId(Date.now())
    const channel = channelTo(server.port)
    for (const _ of [1, 2]) await send(channel, { id })
    const ids = server.mails.map(({ raw }) => /^Message-ID: (.*)$/im.exec(raw)?.[1])
    expect(ids).toEqual([`<${id}@example.com>`, `<${id}@example.com>`])
  })

  test("that may be unsubscribed from has both headers of RFC 8058, each on one line", async () => {
    const unsubscribeUrl = `https://hub.example.com/v1/unsubscribe/${"t".repeat(200)}`
    await send(channelTo(server.port), { message: { ...message, unsubscribeUrl } })
    const raw = server.mails[0]?.raw ?? ""
    expect(raw).toContain(`\r\nList-Unsubscribe: <${unsubscribeUrl}>\r\n`)
    expect(raw).toContain("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
  })

  test("goes over the connection of the one before, and over a new one where that was closed meanwhile", async () => {
    const channel = channelTo(server.port)
    for (const _ of [1, 2, 3]) expect(await send(channel)).toMatchObject({ kind: "delivered" })
    expect(server.connections).toBe(1)
    await server.hangUp()
    expect(await send(channel)).toMatchObject({ kind: "delivered" })
    server.script(reply("MAIL", "421 4.4.2 idle for too long"))
    expect(await send(channel)).toMatchObject({ kind: "delivered" })
    expect(server.connections).toBe(3)
    expect(server.messages).toBe(5)
  })

  test("several at once use connections of their own", async () => {
    const channel = channelTo(server.port)
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => send(channel)))
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill("delivered"))
    expect(server.mails).toHaveLength(4)
  })

  const said: readonly [SmtpMoment, string, Partial<Outcome>][] = [
    ["greeting", "421 4.3.2 too busy", { kind: "retry", reason: "provider_error" }],
    ["greeting", "554 5.7.1 your address is listed", { kind: "unusable", reason: "server_refused" }],
    ["EHLO", "421 4.3.2 too busy", { kind: "retry", reason: "provider_error" }],
    ["MAIL", "451 4.3.0 try later", { kind: "retry", reason: "provider_error" }],
    ["MAIL", "530 5.7.0 log in", { kind: "unusable", reason: "bad_credential" }],
    ["MAIL", "553 5.7.1 no such sender", { kind: "unusable", reason: "sender_refused" }],
    ["MAIL", "552 5.3.4 too large", { kind: "rejected", reason: "message_refused" }],
    ["RCPT", "450 4.2.1 greylisted", { kind: "retry", reason: "deferred" }],
    ["RCPT", `550 5.1.1 <${ADDRESS}> unknown`, { kind: "rejected", reason: "address_not_found" }],
    ["RCPT", `550 5.7.1 <${ADDRESS}> takes nothing of yours`, { kind: "rejected", reason: "address_refused" }],
    ["DATA", "451 4.3.0 not now", { kind: "retry", reason: "deferred" }],
    ["DATA", "554 5.5.1 no valid recipients", { kind: "rejected", reason: "message_refused" }],
    ["message", "451 4.7.1 scanning, come again", { kind: "retry", reason: "deferred" }],
    ["message", "421 4.3.0 shutting down", { kind: "retry", reason: "provider_error" }],
    ["message", `550 5.7.1 spam for ${ADDRESS}`, { kind: "rejected", reason: "message_refused" }],
    ["greeting", "HTTP/1.1 400 Bad Request", { kind: "retry", reason: "unreachable" }],
    ["MAIL", "what?", { kind: "retry" }],
    ["message", "what?", { kind: "unknown", reason: "unreadable_answer" }],
  ]
  for (const [moment, text, expected] of said) {
    test(`${text.replace(ADDRESS, "…")} at ${moment} is ${expected.kind}`, async () => {
      server.script(reply(moment, text))
      expect(await send(channelTo(server.port))).toMatchObject(expected)
      expect(server.mails).toHaveLength(0)
    })
  }

  test("no outcome shows a login or an address that the server quotes, whatever it answers and when", async () => {
    const quoted = `5.0.0 ${USER} ${PASS} ${Buffer.from(PASS).toString("base64")} <${ADDRESS}>`
    for (const moment of ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "message"] as const) {
      for (const code of [421, 450, 451, 452, 500, 530, 535, 550, 552, 553, 554]) {
        server.script(reply(moment, `${code} ${quoted}`))
        const { kind } = await send(channelTo(server.port, {}, `${USER}:${PASS}@`))
        // Whoever knows no EHLO is greeted by HELO.
        if (moment !== "EHLO") expect(kind).not.toBe("delivered")
      }
    }
  })

  test("an answer without an end is read to a megabyte and no further", async () => {
    server.script({ at: "greeting", kind: "endless" }, { at: "RCPT", kind: "endless" })
    for (const _ of [1, 2]) expect(await send(channelTo(server.port))).toMatchObject({ kind: "retry" })
    server.script({ at: "message", kind: "endless" })
    expect(await send(channelTo(server.port))).toMatchObject({ kind: "unknown" })
  })

  for (const moment of ["greeting", "EHLO", "MAIL", "RCPT", "DATA"] as const) {
    test(`silence and a broken connection at ${moment} are tried again: the message did not leave`, async () => {
      server.script({ at: moment, kind: "hang" })
      const short = channelTo(server.port, { deadlineMs: 150 })
      expect(await send(short)).toEqual({
        kind: "retry",
        reason: "unreachable",
        detail: "timeout",
        retryAfterMs: null,
      })
      server.script({ at: moment, kind: "reset" })
      const broken = await send(channelTo(server.port, { deadlineMs: LONG_MS }))
      expect(broken).toMatchObject({ kind: "retry", reason: "unreachable", detail: "connection_lost" })
      expect(server.messages).toBe(0)
    })
  }

  test("silence and a broken connection after the message are unknown, and nothing is tried again by itself", async () => {
    server.script({ at: "message", kind: "hang" }, { at: "message", kind: "reset" })
    const short = channelTo(server.port, { deadlineMs: 300 })
    expect(await send(short)).toMatchObject({ kind: "unknown", reason: "timeout" })
    expect(await send(channelTo(server.port))).toMatchObject({ kind: "unknown", reason: "connection_lost" })
    expect(server.messages).toBe(2)
  })

  test("an abort before the message left is tried again, after it is unknown", async () => {
    for (const [moment, kind] of [
      ["RCPT", "retry"],
      ["message", "unknown"],
    ] as const) {
      server.script({ at: moment, kind: "hang" })
      const aborter = new AbortController()
      const reached = server.reached(moment)
      const outcome = send(channelTo(server.port), { signal: aborter.signal })
      await reached
      aborter.abort()
      expect(await outcome).toMatchObject({ kind })
    }
    server.reset()
    expect(await send(channelTo(server.port), { signal: AbortSignal.abort() })).toMatchObject({ kind: "retry" })
    expect(server.connections).toBe(0)
  })

  test("a mail beyond the server's size is rejected and not sent", async () => {
    const huge = { ...message, html: "x".repeat(1_200_000) }
    expect(await send(channelTo(server.port), { message: huge })).toMatchObject({ reason: "message_refused" })
    expect(server.messages).toBe(0)
  })

  test("a refused connection and a name that nobody knows are tried again", async () => {
    const gone = await startSmtpServer()
    await gone.stop()
    expect(await send(channelTo(gone.port))).toMatchObject({ kind: "retry", reason: "unreachable", detail: "refused" })
    const nowhere = smtpChannel({ url: new Secret("smtp://smtp.invalid"), from: "hub@example.com" })
    expect(await send(nowhere)).toMatchObject({ kind: "retry", reason: "unreachable" })
  })
})

describe("an SMTP server that wants TLS or a login", () => {
  const withServer = async (options: SmtpServerOptions, run: (server: TestSmtpServer) => Promise<void>) => {
    const server = await startSmtpServer(options)
    try {
      await run(server)
    } finally {
      await server.stop()
    }
  }
  const login = { user: USER, pass: PASS }

  test("gets the login over STARTTLS where it offers that", () =>
    withServer({ tls: "starttls", login }, async (server) => {
      const channel = channelTo(server.port, { ca: SMTP_CERTIFICATE }, `${USER}:${PASS}@`)
      expect(await send(channel)).toMatchObject({ kind: "delivered" })
      expect(server.mails[0]).toMatchObject({ secure: true, user: USER })
    }))

  test("is spoken to in TLS from the first byte by smtps", () =>
    withServer({ tls: "implicit", login }, async (server) => {
      const url = new Secret(`smtps://${USER}:${PASS}@127.0.0.1:${server.port}`)
      const channel = smtpChannel({ url, from: "hub@example.com", ca: SMTP_CERTIFICATE })
      expect(await send(channel)).toMatchObject({ kind: "delivered" })
      expect(server.mails[0]).toMatchObject({ secure: true, user: USER })
    }))

  for (const tls of ["starttls", "implicit"] as const) {
    test(`is told nothing where its certificate is not believed (${tls})`, () =>
      withServer({ tls, login }, async (server) => {
        const scheme = tls === "implicit" ? "smtps" : "smtp"
        const url = new Secret(`${scheme}://${USER}:${PASS}@127.0.0.1:${server.port}`)
        const outcome = await send(smtpChannel({ url, from: "hub@example.com" }))
        expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable", detail: "tls" })
        expect(server.mails).toHaveLength(0)
      }))
  }

  test("that refuses the login makes the credential unusable, and neither it nor what it quotes is shown", () =>
    withServer({ tls: "starttls", login: { user: USER, pass: "another" } }, async (server) => {
      const channel = channelTo(server.port, { ca: SMTP_CERTIFICATE }, `${USER}:${PASS}@`)
      expect(await send(channel)).toMatchObject({ kind: "unusable", reason: "bad_credential" })
    }))

  test("a login is never said without TLS, but to this machine", () => {
    expect(smtpServer("smtp://u:p%40ss@mail.example.com")).toMatchObject({
      port: 587,
      secure: false,
      requireTls: true,
      auth: { user: "u", pass: "p@ss" },
    })
    expect(smtpServer("smtp://mail.example.com:25")).toMatchObject({ port: 25, requireTls: false, auth: null })
    expect(smtpServer("smtp://u:p@localhost:1025")).toMatchObject({ requireTls: false })
    expect(smtpServer("smtp://u:100%@localhost:1025")).toMatchObject({ auth: { pass: "100%" } })
    expect(smtpServer("smtps://u:p@[2001:db8::1]")).toMatchObject({ host: "2001:db8::1", port: 465, secure: true })
  })
})
