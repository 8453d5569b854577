import { expect, test } from "bun:test"
import { type Job, runtimeWorld } from "../testing/runtime-world.ts"
import { pool, type Strategy, supervisor } from "./supervisor.ts"

async function three(strategy: Strategy = "one_for_one", intensity = 5) {
  const world = runtimeWorld()
  const children = [world.worker("a"), world.worker("b"), world.worker("c")]
  const tree = await world.start(supervisor({ id: "root", strategy, intensity, children }))
  world.since()
  return { world, tree, root: tree.supervisor("root") }
}

test("9: a supervisor answers already_started for a running id and already_present for a stopped one", async () => {
  const { world, tree, root } = await three()
  expect(await root.startChild(world.worker("a"))).toEqual({ kind: "already_started", id: "a" })
  await root.terminateChild("a")
  expect(await root.startChild(world.worker("a"))).toEqual({ kind: "already_present", id: "a" })
  expect(await root.startChild(world.worker("d"))).toEqual({ kind: "started", id: "d" })
  expect(world.since()).toBe("-a +d")
  await tree.stop()
  expect(world.since()).toBe("-d -c -b")
  expect(await root.startChild(world.worker("e"))).toEqual({ kind: "down" })
})

test("9: a child that is started at run time and fails is answered with its reason and not kept; one that declines is kept", async () => {
  const { world, tree, root } = await three()
  const bad = world.worker("bad", { starting: () => Promise.reject(new Error("no such host")) })
  expect(await root.startChild(bad)).toMatchObject({ kind: "failed", id: "bad", reason: { kind: "error" } })
  expect(tree.whereis("bad")).toBeUndefined()
  expect(await root.startChild(world.worker("no", { starting: () => "ignore" }))).toEqual({ kind: "ignored", id: "no" })
  expect(tree.whereis("no")?.state).toBe("ignored")
  const once = world.worker("once", { starting: () => "ignore", restart: "temporary" })
  expect(await root.startChild(once)).toEqual({ kind: "ignored", id: "once" })
  expect(tree.whereis("once")).toBeUndefined()
  await root.startChild(world.worker("once"))
  expect(tree.whereis("once")?.incarnation).toBe(1)
  expect(await root.startChild(world.worker("root"))).toMatchObject({ kind: "failed", id: "root" })
  await tree.stop()
})

test("40: a terminated child stays down and known until it is asked for; a running one can be neither restarted nor deleted", async () => {
  const { world, tree, root } = await three()
  expect(await root.deleteChild("b")).toEqual({ kind: "running" })
  expect(await root.restartChild("b")).toEqual({ kind: "running" })
  expect(await root.terminateChild("b")).toEqual({ kind: "terminated" })
  expect(await root.terminateChild("b")).toEqual({ kind: "terminated" })
  await world.clock.advance(60_000)
  expect(tree.whereis("b")).toMatchObject({ state: "stopped", incarnation: 1, restarts: 0 })
  expect(root.children().map(({ id, state }) => `${id} ${state}`)).toEqual(["a running", "b stopped", "c running"])
  expect(await root.restartChild("b")).toEqual({ kind: "started", id: "b" })
  expect(world.since()).toBe("-b +b")
  await root.terminateChild("b")
  expect(await root.deleteChild("b")).toEqual({ kind: "deleted" })
  expect(tree.whereis("b")).toBeUndefined()
  expect(await root.deleteChild("b")).toEqual({ kind: "unknown" })
  expect(await root.restartChild("b")).toEqual({ kind: "unknown" })
  expect(await root.terminateChild("b")).toEqual({ kind: "unknown" })
  await tree.stop()
  for (const answer of [root.terminateChild("a"), root.restartChild("a"), root.deleteChild("a")]) {
    expect(await answer).toEqual({ kind: "down" })
  }
  expect(root.children()).toEqual([])
})

test("40: terminating a child counts nothing and touches no sibling, and its crash meanwhile is not restarted", async () => {
  const { world, tree, root } = await three("one_for_all", 0)
  const asked = root.terminateChild("b")
  tree.ref<Job>("b").send(() => {
    throw new Error("too late")
  })
  expect(await asked).toEqual({ kind: "terminated" })
  await world.clock.flush()
  expect(world.since()).toBe("-b")
  expect(world.gaveUp).toEqual([])
  await tree.stop()
})

test("40: a terminated temporary child is forgotten", async () => {
  const { world, tree, root } = await three()
  await root.startChild(world.worker("once", { restart: "temporary" }))
  expect(await root.terminateChild("once")).toEqual({ kind: "terminated" })
  expect(await root.restartChild("once")).toEqual({ kind: "unknown" })
  await tree.stop()
})

for (const [strategy, seen] of [
  ["one_for_one", "-c +c"],
  ["rest_for_one", "-c +c"],
  ["one_for_all", "-c -a +a +b +c"],
] as const) {
  test(`40: ${strategy}: a terminated child comes up again only with the restart of a group it belongs to`, async () => {
    const { world, tree, root } = await three(strategy)
    await root.terminateChild("b")
    world.since()
    await world.crash(tree, "c")
    expect(world.since()).toBe(seen)
    await tree.stop()
  })
}

test("40: a child that waits for its restart can be called off, but neither restarted nor deleted", async () => {
  const world = runtimeWorld()
  const children = [world.worker("db", { backoff: { minMs: 1_000 } })]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  const root = tree.supervisor("root")
  await world.crash(tree, "db")
  expect(await root.restartChild("db")).toEqual({ kind: "restarting" })
  expect(await root.deleteChild("db")).toEqual({ kind: "restarting" })
  expect(await root.terminateChild("db")).toEqual({ kind: "terminated" })
  expect(world.clock.pending).toBe(0)
  await world.clock.advance(60_000)
  expect(tree.whereis("db")?.state).toBe("stopped")
  expect(await root.restartChild("db")).toEqual({ kind: "started", id: "db" })
  await tree.stop()
})

test("40: a restart that is asked for and fails is answered, counts nothing and leaves the child down", async () => {
  const world = runtimeWorld()
  const flaky = world.worker("a", { starting: (ctx) => (ctx.incarnation === 2 ? Promise.reject("no") : undefined) })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", intensity: 0, children: [flaky] }))
  const root = tree.supervisor("root")
  await root.terminateChild("a")
  expect(await root.restartChild("a")).toMatchObject({ kind: "failed", id: "a", reason: { kind: "error" } })
  await world.clock.flush()
  expect(tree.whereis("a")).toMatchObject({ state: "stopped", restarts: 0 })
  expect(await root.restartChild("a")).toEqual({ kind: "started", id: "a" })
  await tree.stop()
})

test("40: while a group is restarted every request is told not now, and a pool refuses what only a supervisor can do", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const them = pool({ id: "pool", child: (id: string) => world.worker(id) })
  const children = [them, world.worker("a"), world.worker("b", { terminate: () => gate.promise })]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_all", children }))
  const root = tree.supervisor("root")
  await tree.pool<string>("pool").startChild("p")
  const asPool = tree.supervisor("pool")
  const toPool = [
    asPool.startChild(world.worker("c")),
    asPool.terminateChild("p"),
    asPool.restartChild("p"),
    asPool.deleteChild("p"),
  ]
  for (const answer of toPool) expect(await answer).toEqual({ kind: "pool" })
  expect(asPool.children()).toMatchObject([{ id: "p", state: "running" }])
  await world.crash(tree, "a")
  const answers = [
    root.startChild(world.worker("c")),
    root.terminateChild("a"),
    root.restartChild("a"),
    root.deleteChild("a"),
  ]
  for (const answer of answers) expect(await answer).toEqual({ kind: "not_now" })
  gate.resolve()
  await world.clock.flush()
  await tree.stop()
})

test("40: requests about one child are taken in the order in which they were asked", async () => {
  const { world, tree, root } = await three()
  const gate = Promise.withResolvers<void>()
  await root.startChild(world.worker("slow", { terminate: () => gate.promise }))
  world.since()
  const asked = [
    root.terminateChild("slow"),
    root.restartChild("slow"),
    root.terminateChild("slow"),
    root.deleteChild("slow"),
  ]
  await world.clock.flush()
  gate.resolve()
  expect((await Promise.all(asked)).map(({ kind }) => kind)).toEqual(["terminated", "started", "terminated", "deleted"])
  expect(world.since()).toBe("-slow +slow -slow")
  await tree.stop()
})

test("40: an actor asks a supervisor by name, and no longer once its incarnation is over", async () => {
  const { world, tree } = await three()
  const answers: string[] = []
  let late: (() => Promise<void>) | undefined
  tree.ref<Job>("a").send(async (ctx) => {
    const root = ctx.supervisor("root")
    late = async () => void answers.push((await root.terminateChild("c")).kind)
    answers.push((await root.terminateChild("b")).kind)
  })
  await world.clock.flush()
  await world.crash(tree, "a")
  await late?.()
  expect(answers).toEqual(["terminated", "down"])
  expect(tree.whereis("c")?.state).toBe("running")
  await tree.stop()
})
