import { expect, test } from "bun:test"
import { Secret } from "../domain/secret.ts"
import { SMTP_CERTIFICATE } from "../testing/smtp-certificate.ts"
import { type SmtpServerOptions, startSmtpServer, type TestSmtpServer } from "../testing/smtp-server.ts"
import { smtpCheck } from "./smtp.ts"

const PASS = "canary-pass-0123456789"
const login = { user: "hub", pass: PASS }

async function found(
  options: SmtpServerOptions,
  ask: (server: TestSmtpServer) => { pass?: string; from?: string | null },
) {
  const server = await startSmtpServer(options)
  try {
    const { pass, from = "Hub <hub@example.com>" } = ask(server)
    const url = new Secret(`smtp://${pass === undefined ? "" : `hub:${pass}@`}127.0.0.1:${server.port}`)
    const { findings } = await smtpCheck(url, from, SMTP_CERTIFICATE).run(new AbortController().signal)
    expect(JSON.stringify(findings)).not.toContain(PASS)
    expect(server.mails).toHaveLength(0)
    return { finding: findings[0] }
  } finally {
    await server.stop()
  }
}

test("the doctor greets the mail server, logs in and takes leave, and sends nothing", async () => {
  const left = Promise.withResolvers<void>()
  const { finding } = await found({ tls: "starttls", login }, (server) => {
    server.reached("QUIT").then(left.resolve, left.reject)
    return { pass: PASS }
  })
  await left.promise
  expect(finding).toMatchObject({ check: "email", status: "ok", detail: expect.stringContaining("takes the login") })
  const open = await found({}, () => ({}))
  expect(open.finding).toMatchObject({ status: "ok", detail: expect.stringContaining("wants no login") })
})

test("the doctor finds a login that is refused, without showing it", async () => {
  const { finding } = await found({ tls: "starttls", login: { ...login, pass: "another" } }, () => ({ pass: PASS }))
  expect(finding).toMatchObject({ status: "fail", detail: expect.stringContaining("refuses the login") })
})

test("the doctor finds a mail server that is busy, that wants none of us, and that is not there", async () => {
  const said = (text: string) =>
    found({}, (server) => {
      server.script({ at: "greeting", kind: "reply", text })
      return {}
    })
  expect((await said("421 4.3.2 too busy")).finding).toMatchObject({ status: "warn" })
  expect((await said("554 5.7.1 your address is listed")).finding).toMatchObject({ status: "fail" })
  const gone = await found({}, (server) => {
    server.script({ at: "greeting", kind: "reset" })
    return {}
  })
  expect(gone.finding).toMatchObject({ status: "fail", detail: expect.stringContaining("does not answer") })
})

test("a mail server without a sender is no way to send", async () => {
  expect((await found({}, () => ({ from: null }))).finding).toMatchObject({ status: "fail", todo: "set EMAIL_FROM" })
})
