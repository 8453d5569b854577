import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { connect, headers, type Msg, type NatsConnection } from "nats"
import { systemClock } from "../runtime/clock.ts"
import { eventually } from "../testing/eventually.ts"
import { freePort, natsServer } from "../testing/nats.ts"
import { createPuller, type PullEnd, type Puller, readAck } from "./jetstream-pull.ts"

/** Plays JetStream on a server that has none, so that it can fall silent and end requests. */
interface Played {
  readonly requests: readonly { readonly batch: number; readonly max_bytes: number }[]
  status(code: number, description: string): void
}

let server: ReturnType<typeof Bun.spawn>
let hub: NatsConnection
let other: NatsConnection
let open: Puller[] = []
beforeAll(async () => {
  const port = await freePort()
  server = Bun.spawn([await natsServer(), "-a", "127.0.0.1", "-p", String(port)], { stderr: "ignore" })
  const there = () => connect({ servers: `127.0.0.1:${port}`, timeout: 1_000 }).catch(() => null)
  hub = (await eventually(there, (link) => link !== null, { withinMs: 10_000, what: "a server" })) ?? hub
  other = await connect({ servers: `127.0.0.1:${port}` })
})
afterEach(async () => {
  for (const puller of open) puller.end("gone")
  open = []
  await hub.flush()
})
afterAll(async () => {
  await hub.close()
  await other.close()
  server.kill()
  await server.exited
})

async function play(): Promise<Played> {
  const requests: { batch: number; max_bytes: number }[] = []
  let last: Msg | null = null
  other.subscribe("$JS.API.CONSUMER.MSG.NEXT.HUB_EVENTS.hub", {
    callback(_, request) {
      last = request
      requests.push(request.json())
    },
  })
  await other.flush()
  return {
    requests,
    status: (code, description) => void last?.respond("", { headers: headers(code, description) }),
  }
}
function pull(ended: (why: PullEnd) => void = () => {}): Puller {
  const puller = createPuller({ connection: hub, clock: systemClock, batch: 10, expiresMs: 5_000, ended })
  open.push(puller)
  return puller
}
const asked = (played: Played, times: number) =>
  eventually(
    async () => played.requests.length,
    (count) => count === times,
    { withinMs: 5_000, everyMs: 10, what: "requests" },
  )

test("a request that nobody keeps alive is noticed within three seconds", async () => {
  await play()
  const ended = Promise.withResolvers<PullEnd>()
  const began = performance.now()
  const puller = pull(ended.resolve)
  expect(await ended.promise).toBe("silent")
  expect(performance.now() - began).toBeLessThan(5_000)
  expect(await puller.take(10)).toBeNull()
})

test("heartbeats keep a request alive; one that has run out is followed by the next; one that is refused ends it", async () => {
  const played = await play()
  let why: PullEnd | null = null
  pull((reason) => {
    why = reason
  })
  await asked(played, 1)
  for (let beat = 0; beat < 7; beat += 1) {
    await Bun.sleep(500)
    played.status(100, "Idle Heartbeat")
  }
  expect(why).toBeNull()
  played.status(408, "Request Timeout")
  await asked(played, 2)
  played.status(409, "Message Size Exceeds MaxBytes")
  await asked(played, 3)
  expect(played.requests[2]).toMatchObject({ batch: 10 })
  played.status(409, "Consumer Deleted")
  await eventually(
    async () => why,
    (reason) => reason === "gone",
    { withinMs: 5_000, what: "its end" },
  )
}, 15_000)

test("an ack subject in its short and in its long form tells the place of its message", () => {
  expect(readAck("$JS.ACK.HUB_EVENTS.hub.1.17.21.1700000000123456789.3")).toEqual({
    sequence: "17",
    place: "17:1700000000123456789",
    redelivered: false,
  })
  expect(readAck("$JS.ACK._.hash.HUB_EVENTS.hub.4.18.22.1700000000123456790.0.token")).toEqual({
    sequence: "18",
    place: "18:1700000000123456790",
    redelivered: true,
  })
})
