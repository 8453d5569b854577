import { expect, test } from "bun:test"
import { type Job, runtimeWorld, type WorkerOptions } from "../testing/runtime-world.ts"
import { type ActorContext, service } from "./actor.ts"
import { describeExit, type ExitReason } from "./exit.ts"
import { supervisor } from "./supervisor.ts"

async function one(options: WorkerOptions = {}) {
  const world = runtimeWorld()
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a", options), world.worker("b")] }),
  )
  world.since()
  const exits = () =>
    world.events.flatMap((event) => (event.type === "exited" && event.id === "a" ? [event.reason] : []))
  return { world, tree, exits, a: tree.ref<Job>("a") }
}

test("51: a handler over its time is aborted and its actor exits with timeout", async () => {
  const { world, tree, exits, a } = await one({ handlerTimeoutMs: 1_000 })
  let old: ActorContext<Job> | undefined
  a.send((ctx) => {
    old = ctx
    return new Promise(() => {})
  })
  await world.clock.advance(900)
  expect(old?.signal.aborted).toBe(false)
  expect(tree.whereis("a")?.handlerAgeMs).toBe(900)
  await world.clock.advance(100)
  expect(old?.signal.aborted).toBe(true)
  expect(exits()).toEqual([{ kind: "timeout", what: "handler", afterMs: 1_000 }])
  expect(world.since()).toBe("+a")
  await tree.stop()
})

test("52: an actor whose handler never settles is replaced, and the stuck one is counted", async () => {
  const { world, tree, a } = await one({ handlerTimeoutMs: 1_000 })
  a.send(() => new Promise(() => {}))
  await world.clock.advance(1_000)
  expect(tree.snapshot().stuck).toBe(1)
  expect(world.events).toContainEqual(
    expect.objectContaining({ type: "abandoned", doing: "handler", id: "a", incarnation: 1 }),
  )
  a.send((ctx) => void world.log.push(`works as ${ctx.incarnation}`))
  await world.clock.flush()
  expect(world.since()).toBe("+a works as 2")
  expect(tree.snapshot().root.children).toHaveLength(2)
  await tree.stop()
  expect(tree.snapshot().stuck).toBe(1)
  expect(world.clock.pending).toBe(0)
})

test("52: a handler that takes 10 s is reported once, long before it is abandoned", async () => {
  const { world, tree, a } = await one()
  const stalled = () => world.events.filter((event) => event.type === "stalled")
  const gate = Promise.withResolvers<void>()
  a.send(() => gate.promise)
  await world.clock.advance(9_900)
  expect(stalled()).toEqual([])
  await world.clock.advance(200)
  expect(stalled()).toMatchObject([{ id: "a", incarnation: 1, ageMs: expect.any(Number) }])
  await world.clock.advance(10_000)
  expect(stalled()).toHaveLength(1)
  gate.resolve()
  await world.clock.flush()
  a.send(() => new Promise(() => {}))
  await world.clock.advance(10_200)
  expect(stalled()).toHaveLength(2)
  expect(tree.whereis("a")).toMatchObject({ state: "running", incarnation: 1 })
  await world.clock.advance(20_000)
  expect(tree.whereis("a")?.incarnation).toBe(2)
  expect(tree.snapshot().stuck).toBe(1)
  await tree.stop()
})

test("52: reports of slow handlers are bounded: ten at each look, the others at the next", async () => {
  const world = runtimeWorld()
  const children = Array.from({ length: 35 }, (_, at) => world.worker(`w${at}`))
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  for (let at = 0; at < 35; at++) tree.ref<Job>(`w${at}`).send(() => new Promise(() => {}))
  await world.clock.advance(10_000)
  const stalled = () => world.events.filter((event) => event.type === "stalled").length
  expect(stalled()).toBe(10)
  await world.clock.advance(100)
  expect(stalled()).toBe(20)
  await world.clock.advance(1_000)
  expect(stalled()).toBe(35)
  const stopped = tree.stop()
  await world.clock.advance(35 * 5_000)
  await stopped
  expect(world.clock.pending).toBe(0)
})

test("50: after a crash nothing is handled any more: no outcome, tick or rest of a handler, however long terminate takes", async () => {
  const gate = Promise.withResolvers<void>()
  const { world, tree, a } = await one({ terminate: () => gate.promise })
  const task = Promise.withResolvers<void>()
  const hand = Promise.withResolvers<void>()
  const say = (what: string) => () => () => void world.log.push(what)
  a.send((ctx) => {
    ctx.task(() => task.promise, say("outcome"), { atStop: "finish" })
    ctx.sendAfter(10, say("tick")())
    ctx.link("b")
    return hand.promise
  })
  await world.clock.flush()
  await world.crash(tree, "b")
  expect(world.since()).toBe("-b +b -a")
  task.resolve()
  hand.resolve()
  await world.clock.advance(100)
  expect(world.since()).toBe("")
  gate.resolve()
  await world.clock.flush()
  expect(world.since()).toBe("+a")
  expect(tree.snapshot().stuck).toBe(0)
  await tree.stop()
})

test("54: state cannot change under a handler that waits, because the next message waits too", async () => {
  const { world, tree, a } = await one()
  let balance = 100
  const withdraw = (amount: number) => async () => {
    const seen = balance
    await Promise.resolve()
    if (seen >= amount) balance = seen - amount
  }
  for (let at = 0; at < 10; at++) a.send(withdraw(30))
  await world.clock.flush()
  expect(balance).toBe(10)
  await tree.stop()
})

test("56: every exit is reported with its reason, its incarnation, and nothing of a message", async () => {
  const { world, tree, a } = await one({ restart: "transient" })
  const secret = "someone@example.org"
  a.send(() => {
    void secret
    throw new Error("could not parse")
  })
  await world.clock.flush()
  a.send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  await tree.stop()
  const exits = world.events.flatMap((event) => (event.type === "exited" ? [event] : []))
  expect(
    exits.map(({ id, incarnation, reason, asked }) => `${id}/${incarnation} ${describeExit(reason)} ${asked}`),
  ).toEqual(["a/1 Error: could not parse false", "a/2 normal false", "b/1 shutdown true"])
  expect(JSON.stringify(world.events)).not.toContain(secret)
})

test("56: every way to end is reported once with its reason, of actors, services and supervisors alike", async () => {
  const world = runtimeWorld()
  const never = () => new Promise<void>(() => {})
  const fails: ((error: unknown) => void)[] = []
  const http = service({
    id: "service",
    start: (ctx) => {
      fails.push(ctx.fail)
      return { stop() {} }
    },
  })
  const inner = supervisor({ id: "inner", strategy: "one_for_one", intensity: 0, children: [world.worker("leaf")] })
  const bad = world.worker("bad", { starting: (ctx) => (ctx.incarnation === 2 ? Promise.reject("no") : undefined) })
  const slow = world.worker("slow", { handlerTimeoutMs: 1_000 })
  const children = [
    ...["throws", "normal", "shutdown", "linked"].map((id) => world.worker(id)),
    ...[http, inner, bad, slow, world.worker("deaf", { shutdownMs: 10, terminate: never })],
  ]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", intensity: 100, children }))
  const tell = (id: string, job: Job) => tree.ref<Job>(id).send(job)
  tell("linked", (ctx) => ctx.link("nobody"))
  tell("normal", (ctx) => ctx.exit({ kind: "normal" }))
  tell("shutdown", (ctx) => ctx.exit({ kind: "shutdown" }))
  tell("slow", never)
  fails[0]?.(new Error("gone"))
  await world.crash(tree, "throws", "leaf", "bad")
  await world.clock.advance(1_100)
  const before = world.events.length
  const exits = (events: typeof world.events) =>
    events.flatMap((event) => (event.type === "exited" ? [`${event.id} ${event.reason.kind} ${event.wasReady}`] : []))
  expect(exits(world.events).sort()).toEqual([
    "bad error false",
    "bad error true",
    "inner shutdown true",
    "leaf error true",
    "linked noproc true",
    "normal normal true",
    "service error true",
    "shutdown shutdown true",
    "slow timeout true",
    "throws error true",
  ])
  const stopped = tree.stop()
  await world.clock.advance(10)
  await stopped
  expect(exits(world.events.slice(before))).toContain("deaf killed true")
  expect(exits(world.events.slice(before))).toHaveLength(10)
})

test("an actor ends by itself with the first reason it gave, after the message in hand", async () => {
  const { world, tree, exits, a } = await one({ restart: "temporary" })
  const first: ExitReason = { kind: "shutdown", detail: "nothing to do" }
  a.send(async (ctx) => {
    ctx.exit(first)
    ctx.exit({ kind: "normal" })
    await Promise.resolve()
    world.log.push("finished the message")
  })
  a.send(() => void world.log.push("never handled"))
  await world.clock.flush()
  expect(world.since()).toBe("finished the message -a")
  expect(exits()).toEqual([first])
  await tree.stop()
})
