/**
 * E-mail by SMTP. No server knows our deliveries, so a try whose answer is missing may have been sent; its Message-ID is
 * the delivery's on every try, by which some mailboxes show one copy only.
 */
import type { Outcome } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import type { ChannelWorker } from "./channel.ts"
import { mailHeaders } from "./mail-headers.ts"
import { detailOf, messageIdOf } from "./reading.ts"
import { type SmtpExchange, SmtpPool, type SmtpServer } from "./smtp-pool.ts"

export interface SmtpOptions {
  /** `smtp://user:password@host:587`, or `smtps://`: TLS from the first byte. */
  readonly url: Secret
  /** `Hub <hub@example.com>` */
  readonly from: string
  /** From the connection to the reply to the message; default 15,000. */
  readonly deadlineMs?: number
  /** An authority that is believed beside the machine's own, as PEM. */
  readonly ca?: string
}

const DEADLINE_MS = 15_000

/** One e-mail a try, HTML and text. Loads nodemailer on the first one. */
export function smtpChannel(options: SmtpOptions): ChannelWorker<"email"> {
  const server = smtpServer(options.url.reveal(), options.ca)
  const pool = new SmtpPool(server)
  const privates = privatesOf(server)
  const sender = /<([^<>]+)>\s*$/.exec(options.from)?.[1] ?? options.from.trim()
  const domain = sender.slice(sender.lastIndexOf("@") + 1)
  return {
    channel: "email",
    async send({ id, message, signal }) {
      const { default: MailComposer } = await import("nodemailer/lib/mail-composer")
      const messageId = `<${id}@${domain}>`
      const raw = await new MailComposer({
        from: options.from,
        to: { name: "", address: message.to },
        subject: message.subject,
        text: message.text,
        html: message.html,
        messageId,
        headers: prepared(mailHeaders(message)),
        disableFileAccess: true,
        disableUrlAccess: true,
      })
        .compile()
        .build()
      const envelope = { from: sender, to: [message.to], size: raw.length }
      const seen = await pool.send({ envelope, raw, signal, deadlineMs: options.deadlineMs ?? DEADLINE_MS })
      return outcomeOf(seen, messageId, [...privates, message.to])
    },
  }
}

/** Whether the server is there and takes the login, as the outcome that a message would have up to there. Sends none. */
export async function smtpLogin(
  options: Pick<SmtpOptions, "url" | "ca" | "deadlineMs"> & { readonly signal: AbortSignal },
): Promise<Outcome> {
  const server = smtpServer(options.url.reveal(), options.ca)
  const seen = await new SmtpPool(server).knock(options.signal, options.deadlineMs ?? DEADLINE_MS)
  return outcomeOf(seen, "", privatesOf(server))
}

/** The login, also as it is said on the line. */
function privatesOf({ auth }: SmtpServer): readonly string[] {
  if (auth === null) return []
  const { user, pass } = auth
  return [pass, user, ...[user, pass, `\0${user}\0${pass}`].map((text) => Buffer.from(text).toString("base64"))]
}

/** A link that is folded, or coded as words, is a link no more. */
const prepared = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, { prepared: true, foldLines: false, value }]),
  )

/** A password goes over TLS or, to this very machine, as it is; without one TLS is used where the server has it. */
export function smtpServer(text: string, ca?: string): SmtpServer {
  const url = new URL(text)
  const secure = url.protocol === "smtps:"
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const [user, pass] = [decoded(url.username), decoded(url.password)]
  const auth = user === "" ? null : { user, pass }
  const here = /^(localhost|127(\.\d+){3}|::1)$/.test(host)
  return {
    host,
    port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTls: auth !== null && !here,
    auth,
    ca,
  }
}

/** A lone % in a password was meant as it stands. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function outcomeOf(seen: SmtpExchange, messageId: string, privates: readonly string[]): Outcome {
  switch (seen.kind) {
    case "accepted":
      return { kind: "delivered", providerMessageId: messageIdOf(messageId) }
    case "too_large":
      return { kind: "rejected", reason: "message_refused", detail: "larger than the server takes" }
    case "unreachable":
      return { kind: "retry", reason: "unreachable", detail: seen.reason, retryAfterMs: null }
    case "silent":
      return { kind: "unknown", reason: seen.reason, detail: "the message left, no answer came" }
    case "refused":
      return refused(seen, detailOf(`${seen.command}: ${seen.text}`, privates))
  }
}

/** 530 wants a login, 534, 535 and 538 refuse ours (RFC 4954). */
const LOGIN_CODES = new Set([530, 534, 535, 538])

/** There is no such mailbox or domain (RFC 3463), where other refusals may be about us. */
const NOBODY = /^\d{3}[ -]5\.1\.(?:1|2|3|6|10)\b/

function refused({ code, command, text }: Extract<SmtpExchange, { kind: "refused" }>, detail: string): Outcome {
  if (LOGIN_CODES.has(code) || (command.startsWith("AUTH") && code >= 500))
    return { kind: "unusable", reason: "bad_credential", detail }
  if (code < 500) {
    // 450 to 452 to an address or a message: a full mailbox, or a server that wants strangers to come twice.
    const ofMessage = code !== 421 && (command === "RCPT TO" || command === "DATA")
    return { kind: "retry", reason: ofMessage ? "deferred" : "provider_error", detail, retryAfterMs: null }
  }
  if (command === "RCPT TO")
    return { kind: "rejected", reason: NOBODY.test(text) ? "address_not_found" : "address_refused", detail }
  if (command === "DATA" || code === 552) return { kind: "rejected", reason: "message_refused", detail }
  // Before anybody's address was said it is about us: our sender, or the machine that we send from.
  return { kind: "unusable", reason: command === "MAIL FROM" ? "sender_refused" : "server_refused", detail }
}
