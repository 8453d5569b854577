import { expect, test } from "bun:test"
import fc from "fast-check"
import { fakeClock } from "../testing/fake-clock.ts"
import { type Job, runtimeWorld, type WorkerOptions } from "../testing/runtime-world.ts"
import type { ActorContext } from "./actor.ts"
import { actor } from "./actor.ts"
import { DeadLetters } from "./dead-letters.ts"
import type { RuntimeEvent } from "./event.ts"
import { Figures } from "./figures.ts"
import { supervisor } from "./supervisor.ts"

async function one(options: WorkerOptions = {}) {
  const world = runtimeWorld()
  const children = [world.worker("a", { kind: "worker", ...options }), world.worker("b")]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  const reports = () =>
    world.events.flatMap((event) =>
      event.type === "dead_letters" ? [`${event.why} ${event.id} ${event.kind} ${event.count}`] : [],
    )
  return { world, tree, a: tree.ref<Job>("a"), reports }
}

test("a dead letter is counted for its kind and sampled with the reason: exit, overflow, down, fenced", async () => {
  const { world, tree, a } = await one({ mailbox: { bound: 1, overflow: "reject" } })
  a.send(() => {
    throw new Error("over")
  })
  expect(a.send(() => {})).toBe("busy")
  let old: ActorContext<Job> | undefined
  await world.clock.flush()
  a.send((ctx) => {
    old = ctx
    a.send(() => {})
    throw new Error("over")
  })
  await world.clock.flush()
  tree.ref("nobody").send({ kind: "hello" })
  expect(old?.ref("b").send(() => {})).toBe("dropped")
  const { recentDeadLetters, deadLetters, kinds } = tree.snapshot()
  expect(recentDeadLetters.map(({ to, kind, why }) => `${why} ${to} ${kind}`)).toEqual([
    "overflow a worker",
    "exit a worker",
    "down nobody undefined",
    "fenced b b",
  ])
  expect(deadLetters).toBe(4)
  expect(kinds.map(({ kind, deadLetters: count }) => `${kind} ${count}`)).toEqual(["supervisor 0", "worker 2", "b 1"])
  expect(recentDeadLetters[0]?.at).toEqual(world.clock.wall())
  await tree.stop()
})

test("the first dead letter of a name is reported at once, those after it in at most one report a second", async () => {
  const { world, tree, reports } = await one()
  const nobody = tree.ref("nobody")
  for (let at = 0; at < 5; at++) nobody.send(at)
  expect(reports()).toEqual(["down nobody unknown 1"])
  await world.clock.advance(999)
  expect(reports()).toHaveLength(1)
  await world.clock.advance(1)
  expect(reports()).toEqual(["down nobody unknown 1", "down nobody unknown 4"])
  nobody.send(1)
  await world.clock.advance(10_000)
  expect(reports().slice(2)).toEqual(["down nobody unknown 1"])
  expect(world.clock.pending).toBe(0)
  nobody.send(1)
  nobody.send(1)
  await tree.stop()
  expect(reports().slice(3)).toEqual(["down nobody unknown 1", "down nobody unknown 1"])
  expect(world.clock.pending).toBe(0)
})

test("after the stop nothing is reported, but still counted, and no timer is set", async () => {
  const { world, tree, a } = await one()
  await tree.stop()
  const before = world.events.length
  a.send(() => {})
  expect(tree.snapshot().deadLetters).toBe(1)
  expect(world.events).toHaveLength(before)
  expect(world.clock.pending).toBe(0)
})

test("whatever dies when: every dead letter is in exactly one report, and no name is reported twice within a second", async () => {
  const step = fc.record({
    to: fc.constantFrom("a", "b", "c"),
    count: fc.integer({ min: 1, max: 5 }),
    ms: fc.nat(1_500),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const clock = fakeClock()
      const events: { at: number; event: RuntimeEvent }[] = []
      const letters = new DeadLetters(clock, new Figures(), (event) => events.push({ at: clock.now(), event }))
      for (const { to, count, ms } of steps) {
        const messages = new Array(count).fill({ kind: "hi" })
        letters.addAll({ id: to, kind: "k", incarnation: 1 }, "exit", messages)
        await clock.advance(ms)
      }
      const closedAt = clock.now()
      letters.close()
      const sum = events.reduce((total, { event }) => total + (event.type === "dead_letters" ? event.count : 0), 0)
      expect(sum).toBe(letters.count)
      for (const name of ["a", "b", "c"]) {
        const times = events.flatMap(({ at, event }) => ("id" in event && event.id === name ? [at] : []))
        for (const [at, time] of times.entries()) {
          const previous = times[at - 1]
          if (previous !== undefined && time !== closedAt) expect(time - previous).toBeGreaterThanOrEqual(1_000)
        }
      }
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 50 },
  )
})

test("a thousand names have reports of their own at a time, what comes on top is reported together", async () => {
  const { world, tree, reports } = await one()
  for (let at = 0; at < 5_000; at++) tree.ref(`nobody ${at}`).send(at)
  expect(reports()).toHaveLength(1_001)
  expect(reports().at(-1)).toBe("down others unknown 1")
  await world.clock.advance(1_000)
  expect(reports().slice(1_001)).toEqual(["down others unknown 3999"])
  expect(tree.snapshot().recentDeadLetters).toHaveLength(20)
  expect(tree.snapshot().recentDeadLetters.map(({ to }) => to)).toEqual(
    Array.from({ length: 20 }, (_, at) => `nobody ${4_980 + at}`),
  )
  await tree.stop()
})

test("56: a sample names a message by its own short word and holds nothing of what it says", async () => {
  const world = runtimeWorld()
  const start = () => ({ handle() {} })
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [actor<unknown>({ id: "a", start })] }),
  )
  const secret = "someone@example.org"
  const hostile = {
    get kind() {
      throw new Error("no")
    },
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const messages: [unknown, string | undefined][] = [
    [{ kind: "add", who: secret }, "add"],
    [{ type: "delivery.settled_late", who: secret }, "delivery.settled_late"],
    [{ kind: secret }, undefined],
    [{ kind: "two words" }, undefined],
    [{ kind: "a".repeat(41) }, undefined],
    [{ kind: { nested: secret } }, undefined],
    [secret, undefined],
    [() => secret, undefined],
    [null, undefined],
    [hostile, undefined],
    [revoked.proxy, undefined],
  ]
  for (const [message] of messages) tree.ref("nobody").send(message)
  expect(tree.snapshot().recentDeadLetters.map(({ message }) => message)).toEqual(messages.map(([, word]) => word))
  await world.clock.advance(1_000)
  expect(JSON.stringify([tree.snapshot(), world.events])).not.toContain("someone")
  await tree.stop()
})
