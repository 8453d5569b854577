import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { TelegramMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { telegramChannel } from "./telegram.ts"

const TOKEN = "7000000001:AAcanary-telegram-token-0123456789ab"
const CHAT = "7123456789"
const message: TelegramMessage = {
  channel: "telegram",
  chatId: CHAT,
  html: "<b>Invoice</b> INV-1",
  actionUrl: null,
  actionLabel: null,
}
const refusal = (status: number, description: string, parameters = {}) => ({
  kind: "answer" as const,
  status,
  body: { ok: false, error_code: status, description, parameters },
})

testChannelContract({
  channel: "telegram",
  worker: (url, deadlineMs) => telegramChannel({ token: new Secret(TOKEN), apiRoot: url, deadlineMs }),
  message: () => message,
  canaries: [TOKEN, CHAT],
  idempotent: false,
  serverError: "retry",
  cases: [
    {
      title: "a flood wait in the body is the wish to wait",
      behaviour: refusal(429, "Too Many Requests: retry after 12", { retry_after: 12 }),
      expected: { kind: "retry", reason: "rate_limited", retryAfterMs: 12_000 },
    },
    {
      title: "a person who blocked the bot is rejected",
      behaviour: refusal(403, "Forbidden: bot was blocked by the user"),
      expected: { kind: "rejected", reason: "blocked_by_recipient" },
    },
    {
      title: "a wall in front of Telegram is unusable, and says of nobody that he blocked the bot",
      behaviour: { kind: "answer", status: 403, body: "<html>Access denied by policy</html>" },
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a chat that is not there is rejected",
      behaviour: refusal(400, "Bad Request: chat not found"),
      expected: { kind: "rejected", reason: "address_not_found" },
    },
    {
      title: "words that Telegram cannot parse are rejected",
      behaviour: refusal(400, "Bad Request: can't parse entities: unclosed tag"),
      expected: { kind: "rejected", reason: "malformed_message" },
    },
    {
      title: "a wrong token is unusable",
      behaviour: refusal(401, "Unauthorized"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a token that Telegram does not know is unusable",
      behaviour: refusal(404, "Not Found"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a second poller on the token is unusable",
      behaviour: refusal(409, "Conflict"),
      expected: { kind: "unusable", reason: "conflict" },
    },
    {
      title: "a 200 that is no answer of Telegram's is unknown",
      behaviour: { kind: "answer", status: 200, body: "<html>welcome to the hotel</html>" },
      expected: { kind: "unknown", reason: "unreadable_answer" },
    },
  ],
})

describe("a Telegram message", () => {
  let fake: FakeProviders
  beforeAll(async () => {
    fake = await startFakeProviders()
  })
  afterAll(() => fake.stop())

  const send = (worker: ReturnType<typeof telegramChannel>, change: Partial<TelegramMessage> = {}) =>
    worker.send({
      id: newDeliveryId(Date.now()),
      message: { ...message, ...change },
      signal: new AbortController().signal,
    })
  const worker = () => telegramChannel({ token: new Secret(TOKEN), apiRoot: fake.url })

  test("goes to its chat as HTML, with its link as a button", async () => {
    await send(worker(), { actionUrl: "https://erp.example.com/invoices/1", actionLabel: "Open invoice" })
    expect(fake.calls.at(-1)?.body).toMatchObject({
      chat_id: CHAT,
      text: "<b>Invoice</b> INV-1",
      parse_mode: "HTML",
      reply_markup: { inline_keyboard: [[{ text: "Open invoice", url: "https://erp.example.com/invoices/1" }]] },
    })
  })

  test("writes a link out that Telegram would not take as a button", async () => {
    await send(worker(), { actionUrl: "http://localhost:4000/invoices/1?a=1&b=2" })
    const body = fake.calls.at(-1)?.body
    expect(body?.["reply_markup"]).toBeUndefined()
    expect(body?.["text"]).toBe("<b>Invoice</b> INV-1\n\nOpen: http://localhost:4000/invoices/1?a=1&amp;b=2")
  })

  test("is sent without a link that would make it longer than Telegram takes", async () => {
    const link = "http://10.0.0.5/invoices/1"
    const text = async (html: string) => {
      await send(worker(), { html, actionUrl: link })
      return String(fake.calls.at(-1)?.body["text"])
    }
    const tail = `\n\nOpen: ${link}`
    const fits = "x".repeat(4_096 - tail.length)
    expect(await text(fits)).toBe(fits + tail)
    expect(await text(`${fits}x`)).toBe(`${fits}x`)
    // Tags are not counted, and entities are one.
    const marked = `<b>${fits.slice(1)}</b>&amp;`
    expect(await text(marked)).toBe(marked + tail)
  })

  test("to a group that became a supergroup is retried under the new id", async () => {
    const telegram = worker()
    fake.script("telegram", refusal(400, "Bad Request: group upgraded", { migrate_to_chat_id: -100_777 }))
    expect(await send(telegram)).toMatchObject({ kind: "retry", reason: "chat_migrated" })
    expect(await send(telegram)).toMatchObject({ kind: "delivered" })
    expect(fake.calls.at(-1)?.to).toBe("-100777")
  })
})
