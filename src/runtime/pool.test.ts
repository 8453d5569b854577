import { expect, test } from "bun:test"
import { type Job, runtimeWorld, type WorkerOptions } from "../testing/runtime-world.ts"
import { actor } from "./actor.ts"
import { NORMAL, SHUTDOWN } from "./exit.ts"
import type { ActorRef } from "./ref.ts"
import { pool, supervisor } from "./supervisor.ts"

async function topics(options: WorkerOptions = {}, more: { bound?: number; intensity?: number } = {}) {
  const world = runtimeWorld()
  const child = (id: string) => world.worker(id, { kind: "topic", ...options })
  const tree = await world.start(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [pool<string>({ id: "topics", child, ...more }), world.worker("z")],
    }),
  )
  return { world, tree, topics: tree.pool<string>("topics") }
}

test("9: starting a running id answers already_started, a known one that is not running already_present", async () => {
  const { world, tree, topics: them } = await topics({ backoff: {} })
  expect(await them.startChild("a")).toEqual({ kind: "started", id: "a" })
  expect(await them.startChild("a")).toEqual({ kind: "already_started", id: "a" })
  await world.crash(tree, "a")
  expect(await them.startChild("a")).toEqual({ kind: "already_present", id: "a" })
  expect(await them.startChild("z")).toMatchObject({ kind: "failed", reason: { kind: "error" } })
  await tree.stop()
  expect(world.clock.pending).toBe(0)
})

test("a pool starts, restarts, stops and forgets its children by id", async () => {
  const { world, tree, topics: them } = await topics()
  await them.startChild("a")
  await them.startChild("b")
  expect(them.children()).toEqual(["a", "b"])
  await world.crash(tree, "a")
  expect(tree.whereis("a")).toMatchObject({ kind: "topic", incarnation: 2, restarts: 1 })
  expect(await them.stopChild("a")).toBe("stopped")
  expect(await them.stopChild("a")).toBe("unknown")
  expect(tree.whereis("a")).toBeUndefined()
  tree.ref<Job>("b").send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  expect(world.since()).toBe("+z +a +b -a +a -a -b +b")
  await tree.stop()
  expect(await them.startChild("c")).toEqual({ kind: "down" })
  expect(await them.stopChild("c")).toBe("down")
})

test("a child of a pool that cannot start is answered with its reason and forgotten", async () => {
  const { tree, topics: them } = await topics({ starting: () => Promise.reject(new Error("no such topic")) })
  expect(await them.startChild("a")).toMatchObject({ kind: "failed", id: "a", reason: { kind: "error" } })
  expect(them.children()).toEqual([])
  expect(tree.whereis("a")).toBeUndefined()
  await tree.stop()
})

test("a transient child that ends well leaves the pool", async () => {
  const { world, tree, topics: them } = await topics({ restart: "transient" })
  await them.startChild("a")
  tree.ref<Job>("a").send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  expect(them.children()).toEqual([])
  await tree.stop()
})

test("a pool has a bound", async () => {
  const { tree, topics: them } = await topics({}, { bound: 1 })
  await them.startChild("a")
  expect(await them.startChild("b")).toEqual({ kind: "full", bound: 1 })
  await tree.stop()
})

test("a child's slow start in a pool keeps neither its siblings' start nor their restart waiting", async () => {
  const gate = Promise.withResolvers<undefined>()
  const {
    world,
    tree,
    topics: them,
  } = await topics({ starting: (ctx) => (ctx.id === "slow" ? gate.promise : undefined) })
  const slow = them.startChild("slow")
  expect(await them.startChild("quick")).toMatchObject({ kind: "started" })
  await world.crash(tree, "quick")
  expect(tree.whereis("quick")).toMatchObject({ state: "running", incarnation: 2 })
  const stopped = them.stopChild("slow")
  gate.resolve(undefined)
  expect(await stopped).toBe("stopped")
  expect(await slow).toMatchObject({ kind: "failed", reason: { kind: "shutdown" } })
  await tree.stop()
})

test("28: a pool that gives up is restarted empty by its parent", async () => {
  const { world, tree, topics: them } = await topics({}, { intensity: 1 })
  await them.startChild("a")
  await them.startChild("b")
  await world.crash(tree, "a")
  await world.crash(tree, "b")
  expect(tree.whereis("topics")).toMatchObject({ state: "running", incarnation: 2 })
  expect(them.children()).toEqual([])
  expect(await them.startChild("a")).toMatchObject({ kind: "started" })
  await tree.stop()
})

test("35: the children of a pool stop all together, within one common time", async () => {
  const { world, tree, topics: them } = await topics({ terminate: () => new Promise(() => {}), shutdownMs: 1_000 })
  for (let at = 0; at < 50; at++) await them.startChild(`t${at}`)
  const began = world.clock.now()
  const stopped = tree.stop()
  await world.clock.advance(1_000)
  await stopped
  expect(world.clock.now() - began).toBe(1_000)
  expect(world.clock.pending).toBe(0)
})

test("15: what an ended temporary child was started with is not kept, not by a ref that still names it either", async () => {
  const world = runtimeWorld()
  const child = (args: { readonly id: string }) =>
    actor<string>({
      id: args.id,
      kind: "topic",
      restart: "temporary",
      start: (ctx) => ({ handle: () => ctx.exit(args.id === "" ? SHUTDOWN : NORMAL) }),
    })
  const them = pool<{ readonly id: string }>({ id: "topics", child })
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("w"), them] }),
  )
  const kept: WeakRef<object>[] = []
  const refs: ActorRef<string>[] = []
  const run = async (id: string) => {
    const args = { id, padding: new Array(1_000).fill(id) }
    kept.push(new WeakRef(args))
    await tree.pool<typeof args>("topics").startChild(args)
    const ref = tree.ref<string>(id)
    tree.ref<Job>("w").send((ctx) => void ctx.monitor(id, () => () => {}))
    await world.clock.flush()
    ref.send("end")
    refs.push(ref)
  }
  for (let at = 0; at < 50; at++) await run(`t${at}`)
  await world.clock.flush()
  expect(tree.whereis("topics")?.children).toEqual([])
  for (let tries = 0; tries < 20 && kept.some((ref) => ref.deref() !== undefined); tries++) {
    await world.clock.flush()
    Bun.gc(true)
  }
  // The collector scans the stack conservatively, so a few may look alive; a leak would keep all of them.
  expect(kept.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(5)
  expect(refs).toHaveLength(50)
  await tree.stop()
})

test("23: starting and stopping ten times as many children takes less than a hundred times as long", async () => {
  const timed = async (count: number): Promise<number> => {
    const { tree, topics: them } = await topics()
    const began = performance.now()
    for (let at = 0; at < count; at++) await them.startChild(`t${at}`)
    await tree.stop()
    return performance.now() - began
  }
  await timed(1_000)
  expect(await timed(10_000)).toBeLessThan(100 * Math.max(1, await timed(1_000)))
})

test("a child that is stopped while an operator restarts it is stopped, and not running under that answer", async () => {
  const gate = Promise.withResolvers<void>()
  const { world, tree, topics: them } = await topics({ terminate: () => gate.promise })
  await them.startChild("a")
  const restarted = tree.restart("a")
  const stopped = them.stopChild("a")
  gate.resolve()
  await world.clock.flush()
  expect([await restarted, await stopped]).toEqual([{ kind: "restarted" }, "stopped"])
  expect(tree.whereis("a")).toBeUndefined()
  expect(await them.stopChild("a")).toBe("unknown")
  await tree.stop()
})

test("8: a child that declines its restart leaves no place behind: its name is free, and it counts for no bound", async () => {
  let starts = 0
  const {
    world,
    tree,
    topics: them,
  } = await topics({ starting: () => (++starts % 2 === 0 ? "ignore" : undefined) }, { bound: 1 })
  for (const end of [() => world.crash(tree, "a"), () => tree.restart("a")]) {
    expect(await them.startChild("a")).toEqual({ kind: "started", id: "a" })
    await end()
    expect(them.children()).toEqual([])
  }
  expect(tree.whereis("a")).toBeUndefined()
  await tree.stop()
})
