import { expect, test } from "bun:test"
import { type Job, runtimeWorld } from "../testing/runtime-world.ts"
import type { ExitReason } from "./exit.ts"
import { pool, type Strategy, supervisor } from "./supervisor.ts"

const REASONS: Record<string, ExitReason> = {
  normal: { kind: "normal" },
  shutdown: { kind: "shutdown" },
  error: { kind: "error", error: new Error("broken") },
}

async function endsOf(restart: "permanent" | "transient" | "temporary") {
  const answers: Record<string, string> = {}
  for (const [name, reason] of Object.entries(REASONS)) {
    const world = runtimeWorld()
    const child = world.worker("a", { restart })
    const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [child] }))
    tree.ref<Job>("a").send((ctx) => ctx.exit(reason))
    await world.clock.flush()
    answers[name] = tree.whereis("a")?.state ?? "gone"
    await tree.stop()
    expect(world.clock.pending).toBe(0)
  }
  return answers
}

test("11: a permanent child is restarted whatever its reason", async () => {
  expect(await endsOf("permanent")).toEqual({ normal: "running", shutdown: "running", error: "running" })
})

test("12: a transient child is restarted only after an abnormal end", async () => {
  expect(await endsOf("transient")).toEqual({ normal: "stopped", shutdown: "stopped", error: "running" })
})

test("13: a temporary child is never restarted and its spec is gone", async () => {
  expect(await endsOf("temporary")).toEqual({ normal: "gone", shutdown: "gone", error: "gone" })
})

async function group(strategy: Strategy, options: { b?: "temporary"; intensity?: number } = {}) {
  const world = runtimeWorld()
  const { b = "permanent", intensity = 5 } = options
  const children = [world.worker("a"), world.worker("b", { restart: b }), world.worker("c")]
  const tree = await world.start(supervisor({ id: "root", strategy, intensity, children }))
  world.since()
  return { world, tree }
}

test("14: a temporary bystander of a group restart is not started again", async () => {
  const { world, tree } = await group("one_for_all", { b: "temporary" })
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a -c -b +a +c")
  expect(tree.whereis("b")).toBeUndefined()
  await tree.stop()
})

test("14: a temporary bystander of a rest_for_one restart is not started again, one before it stays", async () => {
  const { world, tree } = await group("rest_for_one", { b: "temporary" })
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a -c -b +a +c")
  expect(tree.whereis("b")).toBeUndefined()
  await tree.stop()
  const other = await group("rest_for_one", { b: "temporary" })
  await other.world.crash(other.tree, "c")
  expect(other.world.since()).toBe("-c +c")
  expect(other.tree.whereis("b")?.state).toBe("running")
  await other.tree.stop()
})

test("14: a temporary child that has to be killed as a bystander is not started again either", async () => {
  const world = runtimeWorld()
  const deaf = world.worker("b", { restart: "temporary", shutdownMs: 100, terminate: () => new Promise(() => {}) })
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_all", children: [world.worker("a"), deaf] }),
  )
  world.since()
  await world.crash(tree, "a")
  await world.clock.advance(100)
  expect(world.since()).toBe("-a -b +a")
  expect(world.events).toContainEqual(expect.objectContaining({ type: "exited", id: "b", reason: { kind: "killed" } }))
  expect(tree.whereis("b")).toBeUndefined()
  await tree.stop()
})

test("16: the names that a spec fixes count on after a temporary child, names made up in a pool begin again", async () => {
  const world = runtimeWorld()
  const inner = supervisor({
    id: "inner",
    strategy: "one_for_one",
    children: [world.worker("t", { restart: "temporary" })],
  })
  const them = pool({ id: "pool", child: (id: string) => world.worker(id) })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner, them] }))
  await world.crash(tree, "t")
  expect(await tree.restart("inner")).toEqual({ kind: "restarted" })
  expect(tree.whereis("t")?.incarnation).toBe(2)
  const topics = tree.pool<string>("pool")
  await topics.startChild("p")
  await world.crash(tree, "p")
  expect(tree.whereis("p")?.incarnation).toBe(2)
  await topics.stopChild("p")
  await topics.startChild("p")
  expect(tree.whereis("p")?.incarnation).toBe(1)
  await tree.stop()
})

test("16: a name below a child of a pool begins again with it", async () => {
  const world = runtimeWorld()
  const child = (id: string) => supervisor({ id, strategy: "one_for_one", children: [world.worker(`${id}-leaf`)] })
  const them = pool({ id: "pool", child })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [them] }))
  const topics = tree.pool<string>("pool")
  await topics.startChild("p")
  await world.crash(tree, "p-leaf")
  expect(tree.whereis("p-leaf")?.incarnation).toBe(2)
  await topics.stopChild("p")
  await topics.startChild("p")
  expect(tree.whereis("p-leaf")?.incarnation).toBe(1)
  await tree.stop()
})

test("16: every restart has a new incarnation number, also under a restarted supervisor", async () => {
  const world = runtimeWorld()
  const seen: number[] = []
  const child = world.worker("a", {
    starting: (ctx) => {
      seen.push(ctx.incarnation)
      return undefined
    },
  })
  const inner = supervisor({ id: "inner", strategy: "one_for_one", intensity: 1, children: [child] })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  await world.crash(tree, "a")
  await world.crash(tree, "a")
  await world.crash(tree, "a")
  expect(seen).toEqual([1, 2, 3, 4])
  expect(tree.whereis("inner")?.incarnation).toBe(2)
  await tree.stop()
})

test("17: one_for_one touches nobody else", async () => {
  const { world, tree } = await group("one_for_one")
  await world.crash(tree, "b")
  expect(world.since()).toBe("-b +b")
  await tree.stop()
})

test("18: one_for_all stops the others in reverse and starts all in order", async () => {
  const { world, tree } = await group("one_for_all")
  await world.crash(tree, "b")
  expect(world.since()).toBe("-b -c -a +a +b +c")
  await tree.stop()
})

test("19: rest_for_one touches only those that started later", async () => {
  const { world, tree } = await group("rest_for_one")
  await world.crash(tree, "b")
  expect(world.since()).toBe("-b -c +b +c")
  await tree.stop()
})

for (const [strategy, order] of [
  ["one_for_all", "-a -c -b +a -a +a +b +c"],
  ["rest_for_one", "-a -c -b +a +b +c"],
] as const) {
  test(`20: ${strategy}: a second child that fails to start during the group restart is tried again and counted`, async () => {
    const world = runtimeWorld()
    let failures = 1
    const flaky = world.worker("b", {
      starting: (ctx) => {
        if (ctx.incarnation > 1 && failures-- > 0) throw new Error("not yet")
        return undefined
      },
    })
    const children = [world.worker("a"), flaky, world.worker("c")]
    const tree = await world.start(supervisor({ id: "root", strategy, children }))
    world.since()
    await world.crash(tree, "a")
    expect(world.since()).toBe(order)
    expect(tree.whereis("a")?.restarts).toBe(1)
    expect(tree.whereis("b")?.restarts).toBe(1)
    await tree.stop()
  })
}

test("21: a crash of A while B of the same group is still stopping leads to one start of each", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const children = [world.worker("a"), world.worker("b", { terminate: () => gate.promise }), world.worker("c")]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_all", children }))
  world.since()
  await world.crash(tree, "c")
  expect(world.since()).toBe("-c -b")
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a")
  gate.resolve()
  await world.clock.flush()
  expect(world.since()).toBe("+a +b +c")
  expect(world.events.filter((event) => event.type === "restarting").map((event) => event.id)).toEqual(["c", "a"])
  await tree.stop()
})

test("21: a crash of an earlier sibling widens a rest_for_one restart that is under way", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const slow = world.worker("d", { terminate: () => gate.promise })
  const children = [world.worker("a"), world.worker("b"), world.worker("c"), slow]
  const tree = await world.start(supervisor({ id: "root", strategy: "rest_for_one", children }))
  world.since()
  await world.crash(tree, "c")
  await world.crash(tree, "a")
  gate.resolve()
  await world.clock.flush()
  expect(world.since()).toBe("-c -d -a -b +a +b +c +d")
  await tree.stop()
})

test("22: two crashes in the same tick are two counted restarts and one group restart", async () => {
  const { world, tree } = await group("one_for_all")
  await world.crash(tree, "a", "c")
  expect(world.since()).toBe("-a -c -b +a +b +c")
  const counted = world.events.filter((event) => event.type === "restarting" && event.counted)
  expect(counted.map((event) => "id" in event && event.id)).toEqual(["a", "c"])
  await tree.stop()

  const strict = await group("one_for_all", { intensity: 1 })
  await strict.world.crash(strict.tree, "a", "c")
  expect(strict.world.gaveUp).toHaveLength(1)
})

test("22: a crash that had begun before the group restart reached it counts too", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const children = [world.worker("a", { terminate: () => gate.promise }), world.worker("b")]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_all", children }))
  world.since()
  await world.crash(tree, "a")
  await world.crash(tree, "b")
  gate.resolve()
  await world.clock.flush()
  expect(world.since()).toBe("-a -b +a +b")
  expect(tree.whereis("a")?.restarts).toBe(1)
  expect(tree.whereis("b")?.restarts).toBe(1)
  await tree.stop()
})

test("an operator's restart of a child whose sibling crashes meanwhile leaves one of each", async () => {
  const world = runtimeWorld()
  const gate = Promise.withResolvers<void>()
  const children = [world.worker("a", { terminate: () => gate.promise }), world.worker("b")]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_all", children }))
  world.since()
  const asked = tree.restart("a")
  await world.crash(tree, "b")
  gate.resolve()
  await world.clock.flush()
  expect(await asked).toEqual({ kind: "restarted" })
  expect(world.since()).toBe("-a -b +a +b")
  await tree.stop()
})

test("an operator restarts one child: siblings are not touched and nothing is counted", async () => {
  const { world, tree } = await group("one_for_all", { intensity: 0 })
  expect(await tree.restart("b")).toEqual({ kind: "restarted" })
  expect(world.since()).toBe("-b +b")
  expect(tree.whereis("b")).toMatchObject({ state: "running", incarnation: 2, restarts: 0 })
  expect(await tree.restart("nobody")).toEqual({ kind: "unknown" })
  expect(await tree.restart("root")).toEqual({ kind: "root" })
  expect(world.gaveUp).toEqual([])
  await tree.stop()
})
