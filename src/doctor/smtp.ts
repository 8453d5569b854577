/** The mail server, as far as a message would come without being one: greeting, TLS, login, farewell. */
import { smtpLogin, smtpServer } from "../channels/smtp.ts"
import type { Secret } from "../domain/secret.ts"
import { type Check, type Finding, fail, ok, warn } from "./check.ts"
import { mailDomain } from "./mail-domain.ts"

const ASK_DEADLINE_MS = 8_000

/** `ca`: an authority that is believed beside the machine's own, as PEM. */
export const smtpCheck = (url: Secret, from: string | null, ca?: string): Check => ({
  name: "email",
  async run(signal) {
    const trust = ca === undefined ? {} : { ca }
    const seen = await smtpLogin({ url, signal, deadlineMs: ASK_DEADLINE_MS, ...trust })
    return { findings: [finding(seen, url, from)] }
  },
})

function finding(seen: Awaited<ReturnType<typeof smtpLogin>>, url: Secret, from: string | null): Finding {
  const { host, port, auth } = smtpServer(url.reveal())
  const where = `${host}:${port}`
  switch (seen.kind) {
    case "delivered":
    case "captured":
      if (mailDomain(from) === null)
        return fail("email", `${where} lets us in, and nobody is the sender`, "set EMAIL_FROM")
      return ok("email", `${where} ${auth === null ? "is there, and wants no login of us" : "takes the login"}`)
    case "unusable":
      return seen.reason === "bad_credential"
        ? fail(
            "email",
            `${where} refuses the login: ${seen.detail}`,
            "set SMTP_URL to the user and password of the account",
          )
        : fail("email", `${where} refuses us: ${seen.detail}`, "ask whoever runs that server why")
    case "retry":
      return seen.reason === "unreachable"
        ? fail(
            "email",
            `${where} does not answer: ${seen.detail}`,
            "see whether it can be reached from here, and its name resolved",
          )
        : warn("email", `${where} answers ${seen.detail}`, "ask again later")
    case "rejected":
    case "unknown":
      return warn("email", `${where} answers ${seen.detail}`, "ask again later")
  }
}
