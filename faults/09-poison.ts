/** Batches over HTTP of which one event in a hundred is poison: JSON that is valid, and that nobody can store. */
import { SERVICE_KEY } from "../src/testing/front.ts"
import { fault } from "./fault.ts"
import { broken, endings, inWorld, untilTaken } from "./world.ts"

const PER_BATCH = 100
const AT_ONCE = 8

const event = (payload: string, more = ""): string =>
  `{"type":"poison.tried","source":"generator"${more},"payload":${payload}}`

/** Text of one event each; parsed or encoded by us, some would not be what they are. */
const POISON: readonly string[] = [
  event('{"s":"a\\u0000b"}'),
  event('{"s":"\\ud800"}'),
  event('{"s":"\\udc00\\ud800"}'),
  event('{"n":1e400000}'),
  event('{"n":-1e309}'),
  event(`{"d":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
  event(`{"d":${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}}`),
  event("{}", `,"idempotency_key":"${"k".repeat(1_000_000)}"`),
  event(`{"${"k".repeat(1_000_000)}":1}`),
  event('{"__proto__":{"polluted":true}}'),
  event('{"constructor":{"prototype":{"polluted":true}}}', ',"severity":7'),
  event('"words"'),
  event("[1,2,3]"),
  '{"type":7,"source":"generator","payload":{}}',
  '{"type":"poison.tried","source":["generator"],"payload":{}}',
  '{"type":"poison.tried"}',
  "null",
  "[]",
  '"event"',
]

interface Result {
  readonly status: string
}

export const poison = fault({
  number: 9,
  name: "poison among events (HTTP)",
  short: { batches: 38 },
  full: { batches: 1_000 },
  injected: ({ batches }) => `${batches} batches of ${PER_BATCH}, one of each poison (${POISON.length} kinds)`,
  run: ({ batches }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const hub = await world.hub()
      let serverErrors = 0
      let shed = 0
      let taken = 0
      let refused = 0
      const send = async (batch: number): Promise<void> => {
        const at = (batch * 37) % PER_BATCH
        const items = Array.from({ length: PER_BATCH }, (_, i) =>
          i === at
            ? (POISON[batch % POISON.length] ?? "")
            : event(`{"n":${i}}`, `,"idempotency_key":"good-${batch}-${i}"`),
        )
        const ask = () =>
          fetch(`http://127.0.0.1:${hub.port}/v1/events/batch`, {
            method: "POST",
            headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
            body: `[${items.join(",")}]`,
            signal: AbortSignal.timeout(30_000),
          })
        const answer = await untilTaken(ask, () => {
          shed += 1
        })
        if (answer.status >= 500) serverErrors += 1
        const text = await answer.text()
        const results = answer.ok ? (JSON.parse(text) as { results: Result[] }).results : [] // contract §5.1
        if (results[at]?.status === "accepted") taken += 1
        else if (results.length === PER_BATCH) refused += 1
      }
      for (let from = 0; from < batches; from += AT_ONCE) {
        const some = Math.min(AT_ONCE, batches - from)
        await Promise.all(Array.from({ length: some }, (_, i) => send(from + i)))
      }
      const [row] = await world.db.query<{ n: number }>(
        "select count(*)::int as n from events where idempotency_key like 'good-%'",
      )
      return [
        { what: "good ones not stored", value: batches * (PER_BATCH - 1) - (row?.n ?? 0), atMost: 0 },
        { what: "bad ones stored", value: taken, atMost: 0 },
        { what: "bad ones refused alone", value: refused, atLeast: batches },
        { what: "503", value: shed },
        { what: "other 5xx", value: serverErrors, atMost: 0 },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})
