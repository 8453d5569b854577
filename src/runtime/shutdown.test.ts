import { expect, test } from "bun:test"
import { getEventListeners } from "node:events"
import { type Job, runtimeWorld } from "../testing/runtime-world.ts"
import type { ActorContext } from "./actor.ts"
import { service } from "./actor.ts"
import { supervisor } from "./supervisor.ts"

const one_for_one = "one_for_one" as const
const never = () => new Promise<void>(() => {})

test("31: a stop goes in reverse order through the whole tree", async () => {
  const world = runtimeWorld()
  const inner = supervisor({ id: "inner", strategy: one_for_one, children: [world.worker("b"), world.worker("c")] })
  const tree = await world.start(
    supervisor({ id: "root", strategy: one_for_one, children: [world.worker("a"), inner, world.worker("d")] }),
  )
  world.since()
  await tree.stop()
  expect(world.since()).toBe("-d -c -b -a")
})

test("31: every child has its own time to stop, so the whole stop is bounded", async () => {
  const world = runtimeWorld()
  const children = [
    world.worker("a", { terminate: never, shutdownMs: 300 }),
    world.worker("b", { terminate: never, shutdownMs: 200 }),
    world.worker("c", { shutdownMs: 0 }),
  ]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }))
  world.since()
  const stopped = tree.stop()
  await world.clock.advance(199)
  expect(world.since()).toBe("-b")
  await world.clock.advance(1)
  expect(world.since()).toBe("-a")
  await world.clock.advance(300)
  await stopped
  expect(world.clock.now()).toBe(500)
  expect(world.clock.pending).toBe(0)
})

test("32: a child that ends by itself during the shutdown is reported and not restarted", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const children = [world.worker("a"), world.worker("b"), world.worker("c", { terminate: () => gate.promise })]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }))
  world.since()
  const stopped = tree.stop()
  await world.crash(tree, "a")
  tree.ref<Job>("b").send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  gate.resolve()
  await stopped
  expect(world.since()).toBe("-c -a -b")
  const exits = world.events.filter((event) => event.type === "exited" && event.id !== "c")
  expect(exits).toMatchObject([
    { id: "a", reason: { kind: "error" }, asked: true },
    { id: "b", reason: { kind: "normal" }, asked: true },
  ])
  expect(world.gaveUp).toEqual([])
})

test("33: a child that ignores the abort is abandoned after its time, reported and counted, and the shutdown goes on", async () => {
  const world = runtimeWorld()
  const children = [world.worker("a"), world.worker("deaf", { shutdownMs: 1_000 })]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }))
  const gate = Promise.withResolvers<void>()
  tree.ref<Job>("deaf").send(() => gate.promise)
  await world.clock.flush()
  world.since()
  const stopped = tree.stop()
  await world.clock.advance(1_000)
  await stopped
  expect(world.since()).toBe("-a")
  expect(world.events).toContainEqual(expect.objectContaining({ type: "abandoned", id: "deaf", doing: "stop" }))
  expect(tree.snapshot().stuck).toBe(1)
  gate.reject(new Error("too late"))
  await world.clock.flush()
  expect(tree.snapshot().stuck).toBe(0)
  expect(world.events.at(-1)).toMatchObject({ type: "abandoned_settled", id: "deaf", error: { message: "too late" } })
})

test("34: whatever an abandoned incarnation still does is refused", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const heard: string[] = []
  const children = [world.worker("listener"), world.worker("a", { handlerTimeoutMs: 1_000 })]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }))
  let old: ActorContext<Job> | undefined
  const late: unknown[] = []
  tree.ref<Job>("a").send(async (ctx) => {
    old = ctx
    await gate.promise
    late.push(ctx.ref<Job>("listener").send(() => void heard.push("sent late")))
    late.push(ctx.self.send(() => void heard.push("sent to itself late")))
    ctx.sendAfter(1, () => void heard.push("timer set late"))
    ctx.task(
      async () => void heard.push("task begun late"),
      () => () => {},
    )
    ctx.exit({ kind: "normal" })
    ctx.monitor("nobody", () => () => void heard.push("monitored late"))
    ctx.link("listener")
    late.push((await ctx.supervisor("root").terminateChild("listener")).kind)
    late.push((await ctx.pool("root").startChild("x")).kind)
    await ctx
      .ref<Job>("listener")
      .call<number>((reply) => () => reply(1), 10)
      .catch((error: Error) => late.push(error.name))
  })
  await world.clock.advance(1_100)
  expect(tree.whereis("a")?.incarnation).toBe(2)
  expect(old?.signal.aborted).toBe(true)
  gate.resolve()
  await world.clock.advance(100)
  expect(late).toEqual(["dropped", "down", "down", "down", "ActorDown"])
  expect(tree.whereis("listener")).toMatchObject({ state: "running", incarnation: 1 })
  expect(heard).toEqual([])
  expect(tree.whereis("a")).toMatchObject({ state: "running", incarnation: 2 })
  await tree.stop()
})

test("36: a second stop returns the same promise", async () => {
  const world = runtimeWorld()
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children: [world.worker("a")] }))
  const first = tree.stop()
  expect(tree.stop()).toBe(first)
  await first
  expect(tree.stop()).toBe(first)
  expect(world.since()).toBe("+a -a")
})

test("39: no timer is left after a stop, whatever was going on", async () => {
  const world = runtimeWorld()
  const tree = await world.start(
    supervisor({
      id: "root",
      strategy: one_for_one,
      children: [world.worker("a"), world.worker("b", { backoff: {} })],
    }),
  )
  const a = tree.ref<Job>("a")
  a.send((ctx) => {
    ctx.sendAfter(60_000, () => {})
    ctx.task(
      (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
      () => () => {},
    )
  })
  a.send((ctx) => new Promise((resolve) => ctx.signal.addEventListener("abort", () => resolve())))
  await world.crash(tree, "b")
  const call = a.call<number>((reply) => () => reply(1), 5_000).catch((error: Error) => error.name)
  expect(world.clock.pending).toBeGreaterThanOrEqual(4)
  await tree.stop()
  expect(await call).toBe("ActorDown")
  expect(world.clock.pending).toBe(0)
  expect(tree.snapshot().stuck).toBe(0)
})

test("39: no listener is left on a signal: of an actor, a task, or the one that startTree was given", async () => {
  const world = runtimeWorld()
  const outside = new AbortController()
  const signals: AbortSignal[] = [outside.signal]
  const children = [world.worker("a"), world.worker("b")]
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children }), outside.signal)
  expect(getEventListeners(outside.signal, "abort")).toEqual([])
  const gate = Promise.withResolvers<number>()
  for (const id of ["a", "b"]) {
    tree.ref<Job>(id).send((ctx) => {
      signals.push(ctx.signal)
      for (const atStop of ["abort", "finish"] as const) {
        ctx.task(
          (signal) => {
            signals.push(signal)
            return id === "a" ? gate.promise : new Promise<number>(() => {})
          },
          () => () => {},
          { atStop, timeoutMs: 1_000 },
        )
      }
    })
  }
  await world.clock.flush()
  expect(signals).toHaveLength(7)
  gate.resolve(1)
  await world.clock.flush()
  const [, a] = signals
  expect(a && getEventListeners(a, "abort")).toEqual([])
  await world.clock.advance(1_000)
  await tree.stop()
  for (const signal of signals) expect(getEventListeners(signal, "abort")).toEqual([])
})

test("39: no socket is left, and a process in which a tree has stopped has nothing more to wait for", async () => {
  const script = `
    import { actor, service } from "./actor.ts"
    import { systemClock } from "./clock.ts"
    import { pool, startTree, supervisor } from "./supervisor.ts"
    const http = service({ id: "http", start: () => {
      const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("here") })
      globalThis.port = server.port
      return { stop: () => server.stop(true) }
    } })
    const busy = actor({ id: "busy", start: (ctx) => ({ handle() {
      ctx.sendAfter(600_000, 1)
      ctx.task(() => new Promise(() => {}), () => 1, { timeoutMs: 600_000 })
      return new Promise((resolve) => ctx.signal.addEventListener("abort", () => resolve()))
    } }) })
    const away = actor({ id: "away", backoff: { minMs: 600_000, maxMs: 600_000 }, start: () => { throw new Error("away") } })
    const them = pool({ id: "pool", child: (id) => actor({ id, start: () => ({ handle() {} }) }) })
    const children = [http, busy, away, them]
    const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children }), { clock: systemClock, emit() {}, onGiveUp() {} })
    await tree.pool("pool").startChild("p")
    tree.ref("busy").send(1)
    tree.ref("nobody").send(1)
    tree.ref("busy").call(() => 2, 600_000).catch(() => {})
    const url = "http://127.0.0.1:" + port
    const before = await (await fetch(url)).text()
    await tree.stop()
    const after = await fetch(url).then(() => "still here", () => "gone")
    console.log(before, after)
  `
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: import.meta.dir, stdout: "pipe", stderr: "inherit" })
  expect(await child.exited).toBe(0)
  expect((await new Response(child.stdout).text()).trim()).toBe("here gone")
}, 20_000)

test("a service is stopped with its reason, and one that reports a failure is stopped and restarted", async () => {
  const world = runtimeWorld()
  const fail: ((error: unknown) => void)[] = []
  const listener = service({
    id: "http",
    start: async (ctx) => {
      fail.push(ctx.fail)
      return { stop: (reason) => void world.log.push(`${ctx.incarnation} stopped: ${reason.kind}`) }
    },
  })
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children: [listener] }))
  fail[0]?.("the socket is gone")
  await world.clock.flush()
  fail[0]?.("said twice, and too late")
  await world.clock.flush()
  expect(tree.whereis("http")).toMatchObject({ state: "running", incarnation: 2, restarts: 1 })
  await tree.stop()
  expect(world.since()).toBe("1 stopped: error 2 stopped: shutdown")
})

test("a polite stop lets running tasks end and hands over their outcomes before terminate", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<string>()
  const tree = await world.start(supervisor({ id: "root", strategy: one_for_one, children: [world.worker("a")] }))
  tree.ref<Job>("a").send((ctx) => {
    const note = (outcome: { kind: string }) => () => void world.log.push(outcome.kind)
    ctx.sendAfter(10, () => void world.log.push("tick"))
    ctx.task(() => gate.promise, note, { atStop: "finish" })
    ctx.task((signal) => new Promise((_, no) => signal.addEventListener("abort", () => no(new Error("aborted")))), note)
  })
  await world.clock.flush()
  world.since()
  const stopped = tree.stop()
  await world.clock.advance(10)
  expect(world.since()).toBe("failed")
  gate.resolve("sent")
  await stopped
  expect(world.since()).toBe("done -a")
})

test("38: a backoff that would end while others are still stopping starts nothing", async () => {
  const world = runtimeWorld()
  const slow = world.worker("slow", { terminate: () => new Promise((resolve) => world.clock.after(1_000, resolve)) })
  const tree = await world.start(
    supervisor({ id: "root", strategy: one_for_one, children: [world.worker("db", { backoff: {} }), slow] }),
  )
  await world.crash(tree, "db")
  world.since()
  const stopped = tree.stop()
  await world.clock.advance(1_000)
  await stopped
  expect(world.since()).toBe("-slow")
})
