/** Hostile messages in the stream that a hub reads: each is stored or kept as rejected, and the hub reads on. */
import fc from "fast-check"
import { connect, headers, type NatsConnection } from "nats"
import { byteChange, change, changed, nastyJson, nastyText, withBytes, written } from "./fuzz-nasty.ts"

interface Message {
  readonly subject: string
  readonly body: Buffer
  readonly head: readonly (readonly [string, string])[]
}

const EXAMPLES = [
  {
    type: "invoice.overdue",
    source: "erp",
    business_id: "b1",
    idempotency_key: "k",
    payload: { days: 9, list: [1, 2] },
  },
  { event_type: "stock.low", source_module: "stock", producer_idempotency_key: "k", payload: {} },
  { specversion: "1.0", id: "1", type: "a.b", source: "/s", data: { a: 1 }, time: "2026-01-01T00:00:00Z" },
  [
    { type: "a.b", source: "s" },
    { type: "c.d", source: "s", payload: { x: null } },
  ],
]
const RESOURCE = { type: "resource_updated", resourceType: "r", businessId: "b1", locationId: "l1", resourceId: "1" }
const NAMES = ["Nats-Msg-Id", "Content-Type", "ce-specversion", "ce-type", "ce-source", "ce-id", "ce-time", "__proto__"]
const VALUES = [
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "application/json",
  "text/plain",
  "1.0",
  "k",
  "a.b",
]

const plain = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 500)
const mutated = (example: (typeof EXAMPLES)[number] | typeof RESOURCE) =>
  fc.array(change, { maxLength: 3 }).map((changes) => Buffer.from(changed(example, changes)))
const body = (of: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 6, arbitrary: of },
    {
      weight: 2,
      arbitrary: fc
        .tuple(of, fc.array(byteChange, { minLength: 1, maxLength: 3 }))
        .map(([bytes, changes]) => withBytes(bytes, changes)),
    },
    { weight: 1, arbitrary: nastyJson.map((json) => Buffer.from(written(json))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  )
const head = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.oneof(fc.constantFrom(...VALUES), nastyText.map(plain))), {
  maxLength: 4,
})
const message: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      subject: fc.constantFrom("hub.events.a", "hub.events.a.b.c", "hub.events.$x", "hub.events.resources"),
      body: body(fc.oneof(...EXAMPLES.map(mutated))),
      head,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      subject: fc.constantFrom("hub.resources.a", "hub.resources.updated.b1"),
      body: body(mutated(RESOURCE)),
      head,
    }),
  },
)

export interface MessagesResult {
  /** That the stream's server has taken. */
  readonly messages: number
  /** Of them the hub has let go of none, when it was given up. */
  readonly left: number
}

const BLOCK = 250
const READ_WITHIN_MS = 120_000

/** Publishes so many and waits until the hub has settled all of them. `isOver` ends it early. */
export async function fuzzMessages(
  url: string,
  seed: number,
  count: number,
  isOver: () => boolean,
): Promise<MessagesResult> {
  if (count === 0) return { messages: 0, left: 0 }
  const connection = await connect({ servers: url, timeout: 5_000 })
  try {
    let messages = 0
    for (let block = 0; messages < count && !isOver(); block++) {
      const some = fc.sample(message, { seed: (seed + block * 7_919) | 0, numRuns: BLOCK })
      messages += await published(connection, some)
    }
    return { messages, left: await unread(connection, isOver) }
  } finally {
    await connection.close()
  }
}

/** How many of them are in the stream; what is equal by its id is not taken twice, and is counted once. */
async function published(connection: NatsConnection, some: readonly Message[]): Promise<number> {
  const stream = connection.jetstream({ timeout: 10_000 })
  const taken = await Promise.all(
    some.map(async ({ subject, body, head: lines }) => {
      const sent = headers()
      for (const [name, value] of lines) if (value !== "") sent.append(name, value)
      const ack = await stream.publish(subject, body, { headers: sent }).catch(() => null)
      return ack !== null && !ack.duplicate
    }),
  )
  return taken.filter(Boolean).length
}

async function unread(connection: NatsConnection, isOver: () => boolean): Promise<number> {
  const manager = await connection.jetstreamManager()
  for (const deadline = performance.now() + READ_WITHIN_MS; ; ) {
    const left = await manager.consumers.info("HUB_EVENTS", "hub").then(
      ({ num_pending, num_ack_pending }) => num_pending + num_ack_pending,
      () => Number.POSITIVE_INFINITY, // not asked now, or there is none yet
    )
    if (left === 0 || isOver() || performance.now() > deadline) return left
    await Bun.sleep(100)
  }
}
