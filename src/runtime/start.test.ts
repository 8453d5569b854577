import { expect, test } from "bun:test"
import { getEventListeners } from "node:events"
import { type Job, runtimeWorld } from "../testing/runtime-world.ts"
import { type ActorContext, service } from "./actor.ts"
import { StartFailed, supervisor } from "./supervisor.ts"

const one_for_one = "one_for_one" as const

/** What a promise rejects with; fails the test if it resolves. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("it did not fail")
}

test("5: children start in order, the next only after the previous is ready", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<undefined>()
  const slow = world.worker("a", { starting: () => gate.promise })
  const starting = world.start(supervisor({ id: "root", strategy: one_for_one, children: [slow, world.worker("b")] }))
  await world.clock.flush()
  expect(world.since()).toBe("")
  gate.resolve(undefined)
  const tree = await starting
  expect(world.since()).toBe("+a +b")
  await tree.stop()
})

test("6: a start that takes longer than its deadline fails, and its signal is aborted", async () => {
  const world = runtimeWorld()
  let signal: AbortSignal | undefined
  const hangs = world.worker("a", {
    startTimeoutMs: 100,
    starting: (ctx) => {
      signal = ctx.signal
      return new Promise(() => {})
    },
  })
  const failed = failure(world.start(supervisor({ id: "root", strategy: one_for_one, children: [hangs] })))
  await world.clock.advance(99)
  expect(signal?.aborted).toBe(false)
  await world.clock.advance(1)
  expect(await failed).toMatchObject({ failedToStart: "a", reason: { kind: "timeout", what: "start", afterMs: 100 } })
  expect(signal?.aborted).toBe(true)
  expect(world.clock.pending).toBe(0)
})

test("6: a service that comes up after its start deadline is stopped at once", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const late = service({
    id: "late",
    startTimeoutMs: 100,
    async start() {
      await gate.promise
      return { stop: () => void world.log.push("stopped late") }
    },
  })
  const failed = failure(world.start(supervisor({ id: "root", strategy: one_for_one, children: [late] })))
  await world.clock.advance(100)
  await failed
  expect(world.since()).toBe("")
  gate.resolve()
  await world.clock.flush()
  expect(world.since()).toBe("stopped late")
})

test("7: when the first start of a child fails, the earlier ones are stopped in reverse and the start rejects", async () => {
  const world = runtimeWorld()
  const broken = new Error("no such host")
  const bad = world.worker("bad", { starting: () => Promise.reject(broken) })
  const inner = supervisor({ id: "inner", strategy: one_for_one, children: [world.worker("c"), bad] })
  const root = supervisor({
    id: "root",
    strategy: one_for_one,
    children: [world.worker("a"), world.worker("b"), inner],
  })
  const error = await failure(world.start(root))
  expect(error).toBeInstanceOf(StartFailed)
  expect(error).toMatchObject({ failedToStart: "bad", cause: broken })
  expect(world.since()).toBe("+a +b +c -c -b -a")
  expect(world.gaveUp).toEqual([])
  expect(world.clock.pending).toBe(0)
})

test("8: a start that declines leaves its place and does not disturb the others", async () => {
  const world = runtimeWorld()
  const children = [
    world.worker("declines", { starting: () => "ignore" }),
    world.worker("once", { starting: () => "ignore", restart: "temporary" }),
    world.worker("b"),
  ]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }))
  expect(world.since()).toBe("+b")
  expect(tree.whereis("declines")?.state).toBe("ignored")
  expect(tree.whereis("once")).toBeUndefined()
  expect(tree.ref("declines").send(1)).toBe("down")
  expect(await tree.supervisor("root").restartChild("declines")).toEqual({ kind: "ignored", id: "declines" })
  await tree.stop()
})

test("10: every restart builds fresh state; nothing of the old instance fires in the new one", async () => {
  const world = runtimeWorld()
  const instances = new Set<object>()
  const child = world.worker("a", {
    starting: (ctx) => {
      instances.add(ctx)
      ctx.sendAfter(50, () => void world.log.push(`tick of ${ctx.incarnation}`))
      return undefined
    },
  })
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children: [child] }))
  await world.crash(tree, "a")
  await world.clock.advance(50)
  expect(instances.size).toBe(2)
  expect(world.since()).toBe("+a -a +a tick of 2")
  await tree.stop()
})

test("10: an old instance leaves nothing to the new one: no listener, timer, task, message, monitor or ref", async () => {
  const world = runtimeWorld()
  let old: ActorContext<Job> | undefined
  const child = world.worker("a", {
    starting: (ctx) => {
      if (ctx.incarnation > 1) return undefined
      old = ctx
      const say = (what: string) => () => void world.log.push(`${what} of ${ctx.incarnation}`)
      ctx.sendAfter(10, say("tick"))
      ctx.monitor("b", () => say("down"))
      ctx.task(
        (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
        () => say("task"),
      )
      ctx.task(
        () => new Promise((resolve) => world.clock.after(20, () => resolve(1))),
        () => say("late task"),
        { atStop: "finish" },
      )
      return undefined
    },
  })
  const children = [world.worker("b"), child]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }))
  world.since()
  const a = tree.ref<Job>("a")
  a.send(() => {
    throw new Error("over")
  })
  a.send(() => void world.log.push("queued for the old one"))
  await world.clock.flush()
  expect(world.since()).toBe("-a +a")
  expect(old?.signal.aborted).toBe(true)
  expect(old && getEventListeners(old.signal, "abort")).toEqual([])
  expect(old?.self.send(() => {})).toBe("down")
  await world.crash(tree, "b")
  await world.clock.advance(1_000)
  expect(world.since()).toBe("-b +b")
  a.send((ctx) => void world.log.push(`heard by ${ctx.incarnation}`))
  await world.clock.flush()
  expect(world.since()).toBe("heard by 2")
  await tree.stop()
})

test("37: a stop that is asked during the start aborts the child that is starting and stops the ones before it", async () => {
  const world = runtimeWorld()
  const asked = new AbortController()
  const slow = world.worker("slow", {
    starting: (ctx) =>
      new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(new Error("gave up starting")))),
  })
  const root = supervisor({ id: "root", strategy: one_for_one, children: [world.worker("a"), slow, world.worker("c")] })
  const failed = failure(world.start(root, asked.signal))
  await world.clock.flush()
  asked.abort()
  expect(await failed).toMatchObject({ reason: { kind: "shutdown" } })
  expect(world.since()).toBe("+a -a")
  const exits = world.events.flatMap((event) => (event.type === "exited" ? [`${event.id} ${event.reason.kind}`] : []))
  expect(exits).toEqual(["slow shutdown", "a shutdown"])
  expect(world.clock.pending).toBe(0)
})

test("37: a start that ignores the abort is left behind after its shutdown time", async () => {
  const world = runtimeWorld()
  const asked = new AbortController()
  const deaf = world.worker("deaf", { starting: () => new Promise(() => {}), shutdownMs: 200 })
  const root = supervisor({ id: "root", strategy: one_for_one, children: [world.worker("a"), deaf] })
  const failed = failure(world.start(root, asked.signal))
  await world.clock.flush()
  asked.abort()
  await world.clock.advance(200)
  await failed
  expect(world.since()).toBe("+a -a")
  expect(world.events).toContainEqual(expect.objectContaining({ type: "abandoned", id: "deaf", doing: "start" }))
  expect(world.clock.pending).toBe(0)
})

for (const [strategy, seen] of [
  ["one_for_one", "+a -a +b +a"],
  ["one_for_all", "+a -a +b -b +a +b"],
] as const) {
  test(`5: ${strategy}: a child that crashes while the next one starts is restarted, and counted, once all have started`, async () => {
    const world = runtimeWorld()
    const { promise: gate, resolve: open } = Promise.withResolvers<undefined>()
    const crashing = (ctx: ActorContext<Job>) => {
      if (ctx.incarnation > 1) return undefined
      ctx.self.send(() => {
        throw new Error("early")
      })
      return undefined
    }
    const children = [world.worker("a", { starting: crashing }), world.worker("b", { starting: () => gate })]
    const starting = world.start(supervisor({ id: "root", strategy, intensity: 1, children }))
    await world.clock.flush()
    expect(world.log).toEqual(["+a", "-a"])
    open(undefined)
    const tree = await starting
    await world.clock.flush()
    expect(world.since()).toBe(seen)
    expect(tree.whereis("a")).toMatchObject({ state: "running", incarnation: 2, restarts: 1 })
    await tree.stop()
  })
}
