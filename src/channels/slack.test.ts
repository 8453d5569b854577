import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { SlackMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { slackChannel } from "./slack.ts"

const PATH = "T01CANARY/B02CANARY/aCanarySlackWebhookToken"
const message: SlackMessage = {
  channel: "slack",
  webhookUrl: null,
  text: "*Invoice* INV-1",
  actionUrl: null,
  actionLabel: null,
}
const answer = (status: number, body: string) => ({ kind: "answer" as const, status, body })

testChannelContract({
  channel: "slack",
  worker: (url, deadlineMs) =>
    slackChannel({ webhookUrl: new Secret(`${url}/services/${PATH}`), loopback: false, deadlineMs }),
  message: () => message,
  canaries: [PATH],
  idempotent: false,
  serverError: "retry",
  cases: [
    {
      title: "a payload that Slack cannot read is rejected",
      behaviour: answer(400, "invalid_payload"),
      expected: { kind: "rejected", reason: "bad_request" },
    },
    {
      title: "a token that Slack refuses is unusable",
      behaviour: answer(403, "invalid_token"),
      expected: { kind: "unusable", reason: "bad_webhook" },
    },
    {
      title: "a webhook that was removed is unusable",
      behaviour: answer(404, "no_service"),
      expected: { kind: "unusable", reason: "bad_webhook" },
    },
    {
      title: "an archived channel is unusable",
      behaviour: answer(410, "channel_is_archived"),
      expected: { kind: "unusable", reason: "bad_webhook" },
    },
    {
      title: "a 200 that is no answer of Slack's is unknown",
      behaviour: answer(200, "<html>sign in</html>"),
      expected: { kind: "unknown", reason: "unreadable_answer" },
    },
  ],
})

describe("a Slack message", () => {
  let fake: FakeProviders
  beforeAll(async () => {
    fake = await startFakeProviders()
  })
  afterAll(() => fake.stop())

  const send = (change: Partial<SlackMessage>, loopback = true) =>
    slackChannel({ webhookUrl: new Secret(fake.slackWebhook("own")), loopback }).send({
      id: newDeliveryId(Date.now()),
      message: { ...message, ...change },
      signal: new AbortController().signal,
    })

  test("carries its link as mrkdwn", async () => {
    await send({ actionUrl: "https://erp.example.com/i?a=1&b=2", actionLabel: "Open <it>" })
    expect(fake.calls.at(-1)?.text).toBe("*Invoice* INV-1\n<https://erp.example.com/i?a=1&amp;b=2|Open &lt;it&gt;>")
  })

  test("goes to the recipient's own webhook where there is one", async () => {
    expect(await send({ webhookUrl: fake.slackWebhook("theirs") })).toMatchObject({ kind: "delivered" })
    expect(fake.calls.at(-1)?.to).toBe("/services/theirs")
  })

  test("to a recipient's dead webhook is rejected and leaves the channel in peace", async () => {
    fake.script("slack", answer(404, "no_service"))
    const outcome = await send({ webhookUrl: fake.slackWebhook("theirs") })
    expect(outcome).toMatchObject({ kind: "rejected", reason: "address_dead" })
  })

  test.each([
    ["a server's page for what is not there", 404, "<html><h1>404 Not Found</h1></html>"],
    ["a wall's page", 403, "<html>Access denied</html>"],
    ["a redirect to a page of maintenance", 302, ""],
  ])("to a recipient's webhook that answers with %s does not make it a dead address", async (_, status, body) => {
    fake.script("slack", answer(status, body))
    const outcome = await send({ webhookUrl: fake.slackWebhook("theirs") })
    expect(outcome).toMatchObject({ kind: "rejected", reason: "bad_webhook" })
  })

  test("that took too long to read is tried again", async () => {
    fake.script("slack", answer(408, "Request Timeout"), answer(408, "Request Timeout"))
    for (const webhookUrl of [null, fake.slackWebhook("theirs")])
      expect(await send({ webhookUrl })).toMatchObject({ kind: "retry", reason: "provider_error" })
  })

  test("with a button is within the limits of Slack's blocks, whatever its link is", async () => {
    const carries = { acknowledge: true, text: "x".repeat(3_000) } as const
    const worker = slackChannel({
      webhookUrl: new Secret(fake.slackWebhook("own")),
      loopback: true,
      acknowledge: () => "ack:token",
    })
    for (const [query, sections] of [
      ["a=1", 2],
      ["a&".repeat(900), 1],
    ] as const) {
      const actionUrl = `https://erp.example.com/i?${query}`
      const id = newDeliveryId(Date.now())
      await worker.send({ id, message: { ...message, ...carries, actionUrl }, signal: new AbortController().signal })
      const blocks = fake.calls.at(-1)?.body["blocks"] as { text?: { text: string } }[] // as the channel has made them
      const texts = blocks.flatMap(({ text }) => (text === undefined ? [] : [text.text]))
      expect(texts).toHaveLength(sections)
      for (const text of texts) expect(text.length).toBeLessThanOrEqual(3_000)
    }
  })

  test("to a recipient's webhook on this machine is refused in production, and nothing is sent", async () => {
    const before = fake.calls.length
    const outcome = await send({ webhookUrl: fake.slackWebhook("theirs") }, false)
    expect(outcome).toMatchObject({ kind: "rejected", reason: "url_refused" })
    expect(fake.calls).toHaveLength(before)
  })
})
