import { expect, test } from "bun:test"
import { runtimeWorld, type World } from "../testing/runtime-world.ts"
import { Intensity } from "./intensity.ts"
import { supervisor, type Tree } from "./supervisor.ts"

async function one(intensity: number, periodMs = 30_000): Promise<{ world: World; tree: Tree }> {
  const world = runtimeWorld()
  const tree = await world.start(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      intensity,
      periodMs,
      children: [world.worker("a"), world.worker("b")],
    }),
  )
  world.since()
  return { world, tree }
}

test("24 exactly the allowed number of restarts is survived, one more escalates", async () => {
  const { world, tree } = await one(2)
  await world.crash(tree, "a")
  await world.crash(tree, "b")
  expect(world.gaveUp).toEqual([])
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a +a -b +b -a -b")
  expect(world.gaveUp).toMatchObject([{ kind: "shutdown" }])
  expect(world.events).toContainEqual(
    expect.objectContaining({ type: "gave_up", id: "root", child: "a", intensity: 2 }),
  )
  expect(world.clock.pending).toBe(0)
})

test("24 an intensity of 0 gives up at the first crash, the default allows 5 in 30 s", async () => {
  const strict = await one(0)
  await strict.world.crash(strict.tree, "a")
  expect(strict.world.gaveUp).toHaveLength(1)

  const world = runtimeWorld()
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a")] }))
  for (let crash = 0; crash < 5; crash++) await world.crash(tree, "a")
  expect(world.gaveUp).toEqual([])
  await world.crash(tree, "a")
  expect(world.gaveUp).toHaveLength(1)
})

test("25 the window's edge is inclusive", async () => {
  const inside = await one(1, 5_000)
  await inside.world.crash(inside.tree, "a")
  await inside.world.clock.advance(5_000)
  await inside.world.crash(inside.tree, "a")
  expect(inside.world.gaveUp).toHaveLength(1)

  const outside = await one(1, 5_000)
  await outside.world.crash(outside.tree, "a")
  await outside.world.clock.advance(5_001)
  await outside.world.crash(outside.tree, "a")
  expect(outside.world.gaveUp).toEqual([])
  await outside.tree.stop()
})

test("25 a jump of the wall clock by two hours, either way, changes nothing", async () => {
  const { world, tree } = await one(1, 5_000)
  await world.crash(tree, "a")
  world.clock.shiftWall(2 * 3_600_000)
  await world.clock.advance(4_000)
  world.clock.shiftWall(-4 * 3_600_000)
  await world.crash(tree, "a")
  expect(world.gaveUp).toHaveLength(1)
})

test("26 a failing start during a restart counts like a crash", async () => {
  const world = runtimeWorld()
  let starts = 0
  const flaky = world.worker("a", {
    starting: () => {
      starts++
      if (starts > 1) throw new Error("cannot start")
      return undefined
    },
  })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", intensity: 3, children: [flaky] }))
  await world.crash(tree, "a")
  expect(starts).toBe(4)
  expect(world.gaveUp).toHaveLength(1)
  expect(world.clock.pending).toBe(0)
})

test("27 a stop that is asked during a loop of failing restarts wins", async () => {
  const world = runtimeWorld()
  let starts = 0
  const { promise: tenth, resolve } = Promise.withResolvers<void>()
  const flaky = world.worker("a", {
    starting: () => {
      starts++
      if (starts === 10) resolve()
      if (starts > 1) throw new Error("cannot start")
      return undefined
    },
  })
  for (const strategy of ["one_for_one", "one_for_all"] as const) {
    starts = 0
    const root = supervisor({ id: "root", strategy, intensity: 1_000_000, children: [flaky] })
    const tree = await world.start(root)
    await world.crash(tree, "a")
    await tenth
    expect(tree.whereis("a")?.type).toBe("actor")
    await tree.stop()
    const atStop = starts
    await world.clock.flush()
    expect(starts).toBe(atStop)
    expect(world.gaveUp).toEqual([])
  }
})

test("28 the parent sees shutdown as the reason of a supervisor that gave up, and restarts it", async () => {
  const world = runtimeWorld()
  const inner = supervisor({
    id: "inner",
    strategy: "one_for_one",
    intensity: 1,
    children: [world.worker("a"), world.worker("b")],
  })
  const root = supervisor({ id: "root", strategy: "one_for_one", intensity: 1, children: [inner, world.worker("c")] })
  const tree = await world.start(root)
  world.since()
  await world.crash(tree, "a")
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a +a -a -b +a +b")
  expect(tree.whereis("inner")).toMatchObject({ incarnation: 2, recentRestarts: [{ reason: { kind: "shutdown" } }] })
  expect(world.gaveUp).toEqual([])
  await world.crash(tree, "a")
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a +a -a -b -c")
  expect(world.gaveUp).toMatchObject([{ kind: "shutdown", detail: expect.stringContaining("inner") }])
  await tree.stop()
})

test("29 a million counted crashes leave only what the window needs", () => {
  const intensity = new Intensity(5, 1)
  for (let crash = 0; crash < 1_000_000; crash++) intensity.allow(crash)
  expect(intensity.allow(1_000_001)).toBe(true)
  expect(
    Object.values(intensity)
      .flat()
      .filter((value) => typeof value === "number").length,
  ).toBeLessThan(10)
})
