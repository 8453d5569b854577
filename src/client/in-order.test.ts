/** The helper against a hub that is a model: whatever becomes of pushes on their way, each message is given out once and in order. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { fakeClock } from "../testing/fake-clock.ts"
import { follow, type PhoenixChannel, type PhoenixPush, type TopicMessage } from "./realtime.ts"

type Answer = (response: unknown) => unknown

/** One topic of a hub, and the socket to it. Pushes go through the test's hands; joins are answered from the history. */
class ModelHub {
  epoch = "e1"
  head = 0
  prunedTo = 0
  joins = 0
  /** Those that are joined; more than one only for the moment in which one takes the other's place. */
  readonly channels = new Map<ModelChannel, number>()
  /** Positions that are not for this caller. */
  hidden: (offset: number) => boolean = () => false

  push(event: string, payload: object): void {
    for (const channel of this.channels.keys()) channel.onMessage(event, payload, null)
  }
  answer(params: object): object {
    this.joins += 1
    const recover = (params as { recover?: { epoch: string; offset: number } }).recover
    const at = { epoch: this.epoch, offset: this.head }
    if (recover === undefined) return at
    const kept = recover.epoch === this.epoch && recover.offset >= this.prunedTo && recover.offset <= this.head
    if (!kept) return { ...at, recovered: false }
    const missed: object[] = []
    for (let n = recover.offset + 1; n <= this.head; n++)
      if (!this.hidden(n)) missed.push({ event: "m", payload: item(n) })
    return { ...at, recovered: true, missed }
  }
  readonly socket = {
    channel: (_topic: string, params?: object): ModelChannel => new ModelChannel(this, params as () => object), // as follow gives it
  }
}
const item = (offset: number) => ({ n: offset, _offset: offset })

class ModelChannel implements PhoenixChannel {
  readonly #hub: ModelHub
  readonly #params: () => object
  #ok: Answer = () => undefined
  constructor(hub: ModelHub, params: () => object) {
    this.#hub = hub
    this.#params = params
  }
  onMessage(_event: string, payload: unknown, _ref: unknown): unknown {
    return payload
  }
  join(): PhoenixPush {
    const push: PhoenixPush = {
      receive: (status, callback) => {
        if (status === "ok") this.#ok = callback
        return push
      },
    }
    queueMicrotask(() => this.rejoin())
    return push
  }
  /** As the client does by itself when its socket is back. */
  rejoin(): void {
    this.#hub.channels.set(this, 0)
    this.#ok(this.#hub.answer(this.#params()))
  }
  leave(): void {
    this.#hub.channels.delete(this)
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      fate: fc.constantFrom("on time", "lost", "late", "twice"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("reconnect" as const), missed: fc.integer({ min: 0, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("prune" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("other life" as const) }) },
)

test("pushes that are lost, late, repeated or overtaken are given out once and in order, over reconnects; what cannot be is said", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
      const hub = new ModelHub()
      const clock = fakeClock()
      /** Offsets as they were given out; a reload begins a new stretch. */
      const stretches: { readonly why: string; readonly from: number; readonly seen: number[] }[] = []
      const following = follow(hub.socket, "resources:b1:l1", {
        clock,
        message: ({ offset }) => void stretches.at(-1)?.seen.push(offset ?? -1),
        reload: (why) => void stretches.push({ why, from: hub.head, seen: [] }),
      })
      await clock.flush()
      const late: (() => void)[] = []
      let [random, unrecoverable] = [seed, 0]
      const next = (below: number): number => {
        random = (random * 1_103_515_245 + 12_345) & 0x7fffffff
        return random % below
      }
      for (const one of steps) {
        switch (one.kind) {
          case "push": {
            hub.head += 1
            const payload = item(hub.head)
            if (one.fate === "late") late.push(() => hub.push("m", payload))
            else if (one.fate !== "lost") hub.push("m", payload)
            if (one.fate === "twice") late.push(() => hub.push("m", payload))
            break
          }
          case "wait":
            while (late.length > 0 && next(3) > 0) late.splice(next(late.length), 1)[0]?.()
            await clock.advance(one.ms)
            break
          case "reconnect":
            // Nothing of the old connection comes after the join that follows it.
            late.length = 0
            hub.head += one.missed
            for (const channel of [...hub.channels.keys()]) channel.rejoin()
            break
          case "prune":
            hub.prunedTo = hub.head
            break
          case "other life":
            late.length = 0
            hub.epoch += "'"
            for (const channel of [...hub.channels.keys()]) channel.rejoin()
            unrecoverable += 1
        }
      }
      for (const come of late) come()
      // One that arrives shows whatever gap there is.
      hub.head += 1
      hub.push("m", item(hub.head))
      await clock.advance(2_000)
      for (const { from, seen } of stretches) expect(seen).toEqual(seen.map((_, n) => from + 1 + n))
      expect(stretches[0]?.why).toBe("first")
      expect(stretches.slice(1).every(({ why }) => why === "missed")).toBe(true)
      if (!steps.some(({ kind }) => kind === "prune")) expect(stretches).toHaveLength(1 + unrecoverable)
      expect(following.position).toEqual({ epoch: hub.epoch, offset: hub.head })
      following.leave()
      expect(hub.channels.size).toBe(0)
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 300 },
  )
})

test("positions that are not for this caller cost one question each time, and nothing else", async () => {
  const hub = new ModelHub()
  hub.hidden = (offset) => offset % 3 === 0
  const clock = fakeClock()
  const seen: number[] = []
  follow(hub.socket, "notifications:u1", { clock, message: ({ offset }) => seen.push(offset ?? -1), reload: () => {} })
  await clock.flush()
  for (let n = 1; n <= 8; n++) {
    hub.head = n
    if (!hub.hidden(n)) hub.push("notification", item(n))
    await clock.advance(300)
  }
  expect(seen).toEqual([1, 2, 4, 5, 7, 8])
  expect(hub.joins).toBe(3)
})

test("a listener that throws keeps nobody from the next message, and its error is not swallowed", async () => {
  const hub = new ModelHub()
  const clock = fakeClock()
  const seen: TopicMessage[] = []
  follow(hub.socket, "t", {
    clock,
    message(message) {
      seen.push(message)
      if (message.offset === 1) throw new Error("in the page")
    },
    reload: () => {},
  })
  await clock.flush()
  hub.head = 3
  hub.push("m", item(2))
  hub.push("m", item(3))
  expect(() => hub.push("m", item(1))).toThrow("in the page")
  hub.push("counts", { unread: 3 })
  expect(seen.map(({ event, offset }) => [event, offset])).toEqual([
    ["m", 1],
    ["m", 2],
    ["m", 3],
    ["counts", null],
  ])
})

test("pauses are random, double from a second and end at thirty", async () => {
  const { spread } = await import("./realtime.ts")
  const bounds = spread(() => 1)
  expect([1, 2, 3, 5, 9, 50].map(bounds.reconnectAfterMs)).toEqual([1_000, 2_000, 4_000, 16_000, 30_000, 30_000])
  const { reconnectAfterMs, rejoinAfterMs } = spread()
  const waits = Array.from({ length: 2_000 }, () => reconnectAfterMs(1))
  expect(Math.min(...waits)).toBeLessThan(50)
  expect(Math.max(...waits)).toBeGreaterThan(950)
  const shares = Array.from({ length: 10 }, (_, n) => waits.filter((ms) => Math.floor(ms / 100) === n).length)
  expect(Math.min(...shares)).toBeGreaterThan(130)
  expect(rejoinAfterMs(1)).toBeLessThan(1_000)
})
