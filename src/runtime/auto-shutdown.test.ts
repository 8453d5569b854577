import { expect, test } from "bun:test"
import { type Job, runtimeWorld } from "../testing/runtime-world.ts"
import type { AutoShutdown } from "./auto-shutdown.ts"
import type { RestartType } from "./child-spec.ts"
import { type Strategy, supervisor } from "./supervisor.ts"

/** root > job (transient, so that its calm end is seen) > a and b significant, c not. */
async function job(autoShutdown: AutoShutdown, more: { restart?: RestartType; strategy?: Strategy } = {}) {
  const world = runtimeWorld()
  const { restart = "transient", strategy = "one_for_one" } = more
  const significant = autoShutdown !== "never"
  const children = [
    world.worker("a", { restart, significant }),
    world.worker("b", { restart, significant }),
    world.worker("c", { restart: "transient" }),
  ]
  const inner = supervisor({ id: "job", strategy, autoShutdown, restart: "transient", children })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  world.since()
  const end = async (id: string) => {
    tree.ref<Job>(id).send((ctx) => ctx.exit({ kind: "normal" }))
    await world.clock.flush()
  }
  const reason = () => world.events.findLast((event) => event.type === "exited" && event.id === "job")
  return { world, tree, end, reason }
}

test("41: with any_significant the first significant child that ends by itself ends its supervisor with shutdown", async () => {
  const { world, tree, end, reason } = await job("any_significant")
  await end("c")
  expect(tree.whereis("job")?.state).toBe("running")
  await end("b")
  expect(world.since()).toBe("-c -b -a")
  expect(reason()).toMatchObject({ reason: { kind: "shutdown" }, asked: false })
  expect(tree.whereis("job")?.state).toBe("stopped")
  await tree.stop()
})

test("41: with all_significant the last of them does", async () => {
  const { world, tree, end } = await job("all_significant")
  await end("a")
  expect(tree.whereis("job")?.state).toBe("running")
  await end("b")
  expect(world.since()).toBe("-a -b -c")
  expect(tree.whereis("job")?.state).toBe("stopped")
  await tree.stop()
})

test("41: without automatic shutdown a supervisor outlives all its children", async () => {
  const { tree, end } = await job("never")
  for (const id of ["a", "b", "c"]) await end(id)
  expect(tree.whereis("job")?.state).toBe("running")
  await tree.stop()
})

test("41: a significant transient child that crashes is restarted; a temporary one that crashes has ended by itself", async () => {
  const transient = await job("any_significant")
  await transient.world.crash(transient.tree, "a")
  expect(transient.world.since()).toBe("-a +a")
  await transient.tree.stop()

  const temporary = await job("any_significant", { restart: "temporary" })
  await temporary.world.crash(temporary.tree, "a")
  expect(temporary.world.since()).toBe("-a -c -b")
  await temporary.tree.stop()
})

test("41: a permanent supervisor that ended with its job is started again, and that counts", async () => {
  const world = runtimeWorld()
  const children = [world.worker("a", { restart: "transient", significant: true })]
  const inner = supervisor({ id: "job", strategy: "one_for_one", autoShutdown: "any_significant", children })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  tree.ref<Job>("a").send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  expect(tree.whereis("job")).toMatchObject({ state: "running", incarnation: 2, restarts: 1 })
  await tree.stop()
})

test("41: a significant supervisor passes its end on to the one above", async () => {
  const world = runtimeWorld()
  const leaf = world.worker("a", { restart: "transient", significant: true })
  const mode = { strategy: "one_for_one", autoShutdown: "any_significant" } as const
  const inner = supervisor({ id: "inner", ...mode, restart: "transient", significant: true, children: [leaf] })
  const outer = supervisor({ id: "outer", ...mode, restart: "temporary", children: [world.worker("b"), inner] })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [outer] }))
  tree.ref<Job>("a").send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  expect(world.since()).toBe("+b +a -a -b")
  expect(tree.whereis("outer")).toBeUndefined()
  await tree.stop()
})

test("42: a significant child that was ended by a sibling's restart or by an operator does not count", async () => {
  const { world, tree } = await job("any_significant", { strategy: "one_for_all", restart: "temporary" })
  await world.crash(tree, "c")
  expect(world.since()).toBe("-c -b -a +c")
  expect(tree.whereis("job")?.state).toBe("running")
  await tree.stop()

  const asked = await job("any_significant")
  expect(await asked.tree.supervisor("job").terminateChild("a")).toEqual({ kind: "terminated" })
  expect(await asked.tree.restart("b")).toEqual({ kind: "restarted" })
  await asked.world.clock.flush()
  expect(asked.tree.whereis("job")?.state).toBe("running")
  // One that is down already is no longer waited for.
  await asked.tree.stop()
  const last = await job("all_significant")
  await last.tree.supervisor("job").terminateChild("a")
  await last.end("b")
  expect(last.tree.whereis("job")?.state).toBe("stopped")
  await last.tree.stop()
})

test("42: while a significant child waits for its restart it has not ended", async () => {
  const world = runtimeWorld()
  const options = { restart: "transient", significant: true } as const
  const children = [world.worker("a", { ...options, backoff: { minMs: 1_000 } }), world.worker("b", options)]
  const inner = supervisor({ id: "job", strategy: "one_for_one", autoShutdown: "all_significant", children })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  await world.crash(tree, "a")
  tree.ref<Job>("b").send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.advance(1_000)
  expect(tree.whereis("a")?.state).toBe("running")
  expect(tree.whereis("job")?.incarnation).toBe(1)
  await tree.stop()
})

test("42: a significant child whose restart an operator asked for in vain has not ended by itself", async () => {
  const world = runtimeWorld()
  const flaky = world.worker("a", {
    restart: "temporary",
    significant: true,
    starting: (ctx) => (ctx.incarnation > 1 ? Promise.reject("no") : undefined),
  })
  const inner = supervisor({ id: "job", strategy: "one_for_one", autoShutdown: "any_significant", children: [flaky] })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  expect(await tree.restart("a")).toMatchObject({ kind: "failed" })
  await world.clock.flush()
  expect(tree.whereis("a")).toBeUndefined()
  expect(tree.whereis("job")).toMatchObject({ state: "running", incarnation: 1 })
  await tree.stop()
})

test("42: a significant child that is down only until its group starts has not ended", async () => {
  const world = runtimeWorld()
  const children = [
    world.worker("a", { restart: "temporary", significant: true }),
    world.worker("b", { restart: "transient", significant: true }),
  ]
  const inner = supervisor({ id: "job", strategy: "one_for_all", autoShutdown: "all_significant", children })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  await world.crash(tree, "b", "a")
  expect(world.since()).toBe("+a +b -b -a +b")
  expect(tree.whereis("job")?.incarnation).toBe(1)
  await tree.stop()
})
