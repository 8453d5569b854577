import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Webhook } from "standardwebhooks"
import { newDeliveryId } from "../domain/ids.ts"
import type { WebhookMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import type { PinnedAddress } from "./url-guard.ts"
import { type WebhookOptions, webhookChannel } from "./webhook.ts"

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString("base64")}`
const [INLINE, NAMED] = [secretOf(7), secretOf(8)]
const BODY = JSON.stringify({ type: "invoice.overdue", payload: { name: "Zoë", canary: "aCanaryOfThePayload" } })
const answer = (status: number, body: unknown = "") => ({ kind: "answer" as const, status, body })

testChannelContract({
  channel: "webhook",
  worker: (_url, deadlineMs) => webhookChannel({ secrets: new Map(), loopback: true, deadlineMs }),
  message: (fake) => ({
    channel: "webhook",
    url: `${fake.systemWebhook("aCanaryOfThePath")}?token=aCanaryOfTheQuery`,
    secret: INLINE,
    body: BODY,
  }),
  canaries: [INLINE, INLINE.slice("whsec_".length), "aCanaryOfThePath", "aCanaryOfTheQuery", "aCanaryOfThePayload"],
  idempotent: true,
  serverError: "retry",
  readsSuccess: false,
  cases: [
    {
      title: "an answer of 202 with any words is delivered",
      behaviour: answer(202, "<html>thank you</html>"),
      expected: { kind: "delivered" },
    },
    {
      title: "a body that the system refuses is rejected",
      behaviour: answer(422, { error: "no such invoice" }),
      expected: { kind: "rejected", reason: "bad_request" },
    },
    {
      title: "a signature that the system refuses is shown to it again: its secret may be about to change",
      behaviour: answer(401),
      expected: { kind: "retry", reason: "not_authorized" },
    },
    {
      title: "a system that lets nobody in now is tried again",
      behaviour: answer(403),
      expected: { kind: "retry", reason: "not_authorized" },
    },
    {
      title: "a webhook that is gone is a dead address",
      behaviour: answer(410),
      expected: { kind: "rejected", reason: "address_dead" },
    },
    {
      title: "a webhook that is not there is a dead address",
      behaviour: answer(404),
      expected: { kind: "rejected", reason: "address_dead" },
    },
    { title: "a request that took too long to read is retried", behaviour: answer(408), expected: { kind: "retry" } },
    { title: "a system that finds it too early is asked later", behaviour: answer(425), expected: { kind: "retry" } },
    {
      title: "a system that is away for a while says for how long",
      behaviour: { kind: "answer", status: 503, headers: { "retry-after": "120" } },
      expected: { kind: "retry", reason: "provider_error", retryAfterMs: 120_000 },
    },
  ],
})

interface Arrived {
  readonly headers: Record<string, string>
  readonly body: string
}

describe("a post to a system", () => {
  const arrived: Arrived[] = []
  let system: ReturnType<typeof Bun.serve>
  beforeAll(() => {
    system = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        arrived.push({ headers: Object.fromEntries(request.headers), body: await request.text() })
        return new Response(null, { status: 204 })
      },
    })
  })
  afterAll(() => system.stop(true))

  const at = (...addresses: readonly string[]) => {
    const found = addresses.map((address): PinnedAddress => ({ address, family: address.includes(":") ? 6 : 4 }))
    let asked = 0
    return {
      resolve: () => {
        asked += 1
        return Promise.resolve(found)
      },
      asked: () => asked,
    }
  }
  const send = async (change: Partial<WebhookMessage>, options: Partial<WebhookOptions> = {}) => {
    const id = newDeliveryId(Date.now())
    const url = `http://127.0.0.1:${system.port}/in`
    const message: WebhookMessage = { channel: "webhook", url, secret: INLINE, body: BODY, ...change }
    const secrets = new Map([["erp", new Secret(NAMED)]])
    const worker = webhookChannel({ secrets, loopback: true, ...options })
    const before = arrived.length
    const outcome = await worker.send({ id, message, signal: new AbortController().signal })
    return { id, outcome, came: arrived.slice(before) }
  }

  test("can be verified as a Standard Webhook, byte for byte, and is named by its delivery", async () => {
    const { id, outcome, came } = await send({})
    expect(outcome).toEqual({ kind: "delivered", providerMessageId: null })
    const [{ headers, body } = { headers: {}, body: "" }] = came
    expect(body).toBe(BODY)
    expect(headers).toMatchObject({ "webhook-id": id, "content-type": "application/json", "user-agent": "Hubbub" })
    expect(new Webhook(INLINE).verify(body, headers)).toEqual(JSON.parse(BODY))
    expect(() => new Webhook(NAMED).verify(body, headers)).toThrow()
    expect(() => new Webhook(INLINE).verify(`${body} `, headers)).toThrow()
    expect(() => new Webhook(INLINE).verify(body, { ...headers, "webhook-id": "dlv_other" })).toThrow()
  })

  test("is signed with the secret that the rule names, as it is when it is sent", async () => {
    const { came } = await send({ secret: "erp" })
    expect(new Webhook(NAMED).verify(came[0]?.body ?? "", came[0]?.headers ?? {})).toEqual(JSON.parse(BODY))
    const rotated = await send({ secret: "erp" }, { secrets: new Map([["erp", new Secret(INLINE)]]) })
    const [one] = rotated.came
    expect(new Webhook(INLINE).verify(one?.body ?? "", one?.headers ?? {})).toEqual(JSON.parse(BODY))
  })

  test("waits, and costs no try, while the secret that its rule names is not set", async () => {
    const { outcome, came } = await send({ secret: "crm" })
    expect(outcome).toMatchObject({ kind: "unusable", reason: "no_secret" })
    expect(came).toEqual([])
  })

  test("without a secret is not signed, and still has its name and time", async () => {
    const { id, came } = await send({ secret: null }, { wall: () => 1_700_000_000_999 })
    expect(came[0]?.headers).toMatchObject({ "webhook-id": id, "webhook-timestamp": "1700000000" })
    expect(came[0]?.headers["webhook-signature"]).toBeUndefined()
  })

  test("goes in development to this machine alone: any other is captured before its name is asked for", async () => {
    for (const url of [
      "https://erp.example.com/in",
      "http://10.0.0.8/in",
      "https://127.0.0.1.example.com/",
      "http://[::2]/",
    ]) {
      const names = at("93.184.215.14")
      expect((await send({ url }, { resolve: names.resolve })).outcome).toEqual({ kind: "captured" })
      expect(names.asked()).toBe(0)
    }
  })

  test("connects to the address that was checked, whatever the name would lead to a moment later", async () => {
    const names = at("127.0.0.1")
    const url = `http://erp.localhost:${system.port}/in`
    const { outcome, came } = await send({ url }, { resolve: names.resolve })
    expect(outcome).toMatchObject({ kind: "delivered" })
    expect(came[0]?.headers["host"]).toBe(`erp.localhost:${system.port}`)
    expect(names.asked()).toBe(1)
    // Nobody listens at this one, to which the name itself does not lead.
    const elsewhere = await send({ url }, { resolve: at("127.0.0.3").resolve, deadlineMs: 500 })
    expect(elsewhere.outcome.kind).toBe("retry")
    expect(elsewhere.came).toEqual([])
  })

  test("reaches a name of several addresses where one of them listens, whichever stands first", async () => {
    const url = `http://erp.localhost:${system.port}/in`
    for (const addresses of [
      ["::1", "127.0.0.1"],
      ["127.0.0.3", "127.0.0.1"],
    ]) {
      const { outcome, came } = await send({ url }, { resolve: at(...addresses).resolve })
      expect([addresses, outcome.kind]).toEqual([addresses, "delivered"])
      expect(came).toHaveLength(1)
    }
  })

  test("is refused where the name of this machine leads elsewhere", async () => {
    const { outcome } = await send({ url: "http://erp.localhost/in" }, { resolve: at("10.0.0.8").resolve })
    expect(outcome).toMatchObject({ kind: "rejected", reason: "url_refused" })
  })

  test("in production does not reach this machine, however it is spelled", async () => {
    const inside = at("127.0.0.1")
    const hosts = ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "１２７.0.0.1", "127.0.0.1.", "0"]
    const others = [
      "localhost",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::127.0.0.1]",
      "rebound.example.com",
    ]
    for (const scheme of ["http", "https"]) {
      for (const host of [...hosts, ...others]) {
        // The system does listen there: what is not refused is seen to arrive.
        const url = `${scheme}://${host}:${system.port}/in`
        const { outcome, came } = await send({ url }, { loopback: false, resolve: inside.resolve })
        const detail = "the rule's webhook URL is not_public"
        expect([url, outcome]).toEqual([url, { kind: "rejected", reason: "url_refused", detail }])
        expect(came).toEqual([])
      }
    }
  })

  test("whose name leads nowhere now is tried later", async () => {
    const url = "https://erp.example.com/in"
    const { outcome } = await send({ url }, { loopback: false, resolve: at().resolve })
    expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable" })
  })
})
