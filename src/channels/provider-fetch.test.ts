import { afterAll, beforeAll, expect, test } from "bun:test"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { openLine } from "./provider-fetch.ts"

let fake: FakeProviders
beforeAll(async () => {
  fake = await startFakeProviders()
})
afterAll(() => fake.stop())

const signal = new AbortController().signal
const post = { method: "POST", body: JSON.stringify({ text: "hello" }) }

test("a line carries one request, so that an SDK cannot retry by itself", async () => {
  const line = openLine({ signal })
  await line.fetch(fake.slackWebhook(), post)
  expect(line.fetch(fake.slackWebhook(), post)).rejects.toThrow("one request")
  expect(fake.calls).toHaveLength(1)
})

test("a line with an address connects there and still speaks to the name", async () => {
  const line = openLine({ signal, pins: [{ address: "127.0.0.1", family: 4 }] })
  const response = await line.fetch(`http://no-such-name.invalid:${fake.port}/services/pinned`, post)
  expect(response.status).toBe(200)
  expect(fake.calls.at(-1)?.path).toBe("/services/pinned")
})

test("a name without an address was never reached", async () => {
  const line = openLine({ signal })
  await line.fetch("http://no-such-name.invalid/x", post).catch(() => null)
  expect(line.seen()).toEqual({ kind: "unreachable", reason: "unresolved" })
})

test("an answer longer than 64 kB is cut there", async () => {
  fake.script("slack", { kind: "answer", status: 200, body: "x".repeat(1_000_000) })
  const line = openLine({ signal })
  await line.fetch(fake.slackWebhook(), post)
  const seen = line.seen()
  if (seen?.kind !== "answered") throw new Error("expected an answer")
  expect(seen.body).toHaveLength(65_536)
  expect(seen.whole).toBe(false)
})
