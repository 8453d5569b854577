// What every channel must do with what its provider may do, run through the real SDK against a fake provider. An
// adapter's test says "run the contract on me" and what its provider's words mean.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import type { ChannelWorker } from "../channels/channel.ts"
import type { SendingChannel } from "../domain/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import { newDeliveryId } from "../domain/ids.ts"
import type { MessageOf } from "../domain/message.ts"
import { type Behaviour, type FakeProviders, startFakeProviders } from "./fake-providers.ts"

/** What is expected of an outcome: these fields, whatever the others are. */
export type Expected = Partial<Outcome> & { readonly kind: Outcome["kind"] }

export interface ChannelCase {
  readonly title: string
  readonly behaviour: Behaviour
  readonly expected: Expected
}

export interface ChannelContract<C extends SendingChannel> {
  readonly channel: C
  /** Which it is of what speaks for one channel; default: the channel. */
  readonly name?: string
  /** Where the provider is, if not at the fake's `url`. */
  readonly urlOf?: (fake: FakeProviders) => string
  /** A worker whose provider is at `url` (no slash at the end) and that gives up after `deadlineMs`. */
  worker(url: string, deadlineMs: number): ChannelWorker<C>
  message(fake: FakeProviders): MessageOf<C>
  /** Every secret and address that the worker and the message hold: none of it may come out. */
  readonly canaries: readonly string[]
  /** Whether a try without an answer is harmless to repeat. */
  readonly idempotent: boolean
  /** What a 500 means: some providers may have sent by then. */
  readonly serverError: "retry" | "unknown"
  /** False: a status of success says all, whatever words come with it. Default true. */
  readonly readsSuccess?: boolean
  /** The provider's own answers and what they mean. */
  readonly cases: readonly ChannelCase[]
}

const SHORT_MS = 150
const LONG_MS = 15_000

export function testChannelContract<C extends SendingChannel>(contract: ChannelContract<C>): void {
  const { channel, canaries, urlOf = (fake) => fake.url } = contract
  const silence = contract.idempotent ? "retry" : "unknown"
  const canary = canaries.join(" ")

  describe(`the ${contract.name ?? channel} channel keeps the contract of channels`, () => {
    let fake: FakeProviders
    beforeAll(async () => {
      fake = await startFakeProviders()
    })
    afterEach(() => fake.reset())
    afterAll(() => fake.stop())

    const send = async (
      options: { url?: string; deadlineMs?: number; signal?: AbortSignal; id?: ReturnType<typeof newDeliveryId> } = {},
    ): Promise<Outcome> => {
      const { url = urlOf(fake), deadlineMs = LONG_MS, signal = new AbortController().signal } = options
      const worker = contract.worker(url, deadlineMs)
      const id = options.id ?? newDeliveryId(Date.now())
      const outcome = await worker.send({ id, message: contract.message(fake), signal })
      const shown = JSON.stringify(outcome)
      for (const secret of canaries) expect(shown).not.toContain(secret)
      if ("detail" in outcome) expect(outcome.detail.length).toBeLessThanOrEqual(300)
      return outcome
    }

    test("a message that the provider takes is delivered, in one request", async () => {
      expect(await send()).toMatchObject({ kind: "delivered" })
      expect(fake.callsOf(channel)).toHaveLength(1)
    })

    for (const { title, behaviour, expected } of contract.cases) {
      test(title, async () => {
        fake.script(channel, behaviour)
        expect(await send()).toMatchObject(expected)
        expect(fake.callsOf(channel)).toHaveLength(1)
      })
    }

    test("a wish to wait in seconds is handed on, in one request", async () => {
      fake.script(channel, { kind: "answer", status: 429, headers: { "retry-after": "7" }, body: "slow down" })
      expect(await send()).toMatchObject({ kind: "retry", reason: "rate_limited", retryAfterMs: 7_000 })
      expect(fake.callsOf(channel)).toHaveLength(1)
    })

    test("a wish to wait until a date is handed on", async () => {
      const headers = { date: "Fri, 20 Nov 2026 10:00:00 GMT", "retry-after": "Fri, 20 Nov 2026 10:01:30 GMT" }
      fake.script(channel, { kind: "answer", status: 429, headers, body: "slow down" })
      expect(await send()).toMatchObject({ kind: "retry", reason: "rate_limited", retryAfterMs: 90_000 })
    })

    for (const absurd of ["-5", "soon", "1e400", "9".repeat(400), "", "NaN", "Fri, 99 Foo 2026"]) {
      test(`an absurd wish to wait (${absurd.slice(0, 20)}) is survived`, async () => {
        fake.script(channel, { kind: "answer", status: 429, headers: { "retry-after": absurd }, body: "slow down" })
        const outcome = await send()
        if (outcome.kind !== "retry") throw new Error(`expected retry, got ${outcome.kind}`)
        expect(outcome.retryAfterMs === null || Number.isFinite(outcome.retryAfterMs)).toBe(true)
      })
    }

    test(`a 500 is ${contract.serverError}`, async () => {
      fake.script(channel, { kind: "answer", status: 500, body: { message: `failed for ${canary}` } })
      expect(await send()).toMatchObject({ kind: contract.serverError, reason: "provider_error" })
    })

    test(`a gateway's HTML 502 is ${contract.serverError}`, async () => {
      const body = `<html><h1>502 Bad Gateway</h1>${canary}</html>`
      fake.script(channel, { kind: "answer", status: 502, headers: { "content-type": "text/html" }, body })
      expect(await send()).toMatchObject({ kind: contract.serverError, reason: "provider_error" })
    })

    test("a redirect is not followed", async () => {
      fake.script(channel, { kind: "answer", status: 302, headers: { location: `${fake.url}/_ledger` } })
      expect(["unusable", "rejected"]).toContain((await send()).kind)
      expect(fake.calls).toHaveLength(1)
    })

    test("an endless answer is read to 64 kB and no further", async () => {
      fake.script(channel, { kind: "answer", status: 400, body: `${canary} ${"x".repeat(1_000_000)}` })
      // Browsers' push services say so that our signature is no good.
      expect(["rejected", "unusable"]).toContain((await send()).kind)
    })

    test("a compressed answer is not unpacked", async () => {
      const headers = { "content-encoding": "gzip" }
      fake.script(channel, { kind: "answer", status: 200, headers, body: "\u001f\u008b not really" })
      const expected = contract.readsSuccess === false ? ["delivered"] : ["unknown", "retry"]
      expect(expected).toContain((await send()).kind)
    })

    test("a refused connection is retried: nothing was sent", async () => {
      const gone = await startFakeProviders()
      const url = urlOf(gone)
      await gone.stop()
      const message = contract.message(gone)
      const outcome = await contract
        .worker(url, LONG_MS)
        .send({ id: newDeliveryId(Date.now()), message, signal: new AbortController().signal })
      expect(outcome).toMatchObject({ kind: "retry", reason: "unreachable" })
    })

    test(`silence until the deadline is ${silence}`, async () => {
      fake.script(channel, { kind: "hang" })
      expect(await send({ deadlineMs: SHORT_MS })).toMatchObject({ kind: silence, reason: "timeout" })
      expect(fake.callsOf(channel)).toHaveLength(1)
    })

    test(`a connection that breaks after the request is ${silence}, and not tried again by itself`, async () => {
      fake.script(channel, { kind: "reset" })
      expect(await send()).toMatchObject({ kind: silence, reason: "connection_lost" })
      expect(fake.callsOf(channel)).toHaveLength(1)
    })

    test(`an abort in the middle is ${silence}`, async () => {
      fake.script(channel, { kind: "hang" })
      const aborter = new AbortController()
      const outcome = send({ signal: aborter.signal })
      await fake.waitFor(1, channel)
      aborter.abort()
      expect(await outcome).toMatchObject({ kind: silence, reason: "aborted" })
    })

    test("an abort before the request sends nothing", async () => {
      expect(await send({ signal: AbortSignal.abort() })).toMatchObject({ kind: "retry", reason: "unreachable" })
      expect(fake.calls).toHaveLength(0)
    })

    test("no outcome shows a secret or an address that the provider quotes", async () => {
      for (const status of [400, 401, 403, 404, 409, 410, 422, 429, 500, 503]) {
        fake.script(channel, {
          kind: "answer",
          status,
          body: { message: canary, description: canary, name: canary, error_code: status, code: 1 },
        })
        await send()
      }
      expect(fake.callsOf(channel)).toHaveLength(10)
    })
  })
}
