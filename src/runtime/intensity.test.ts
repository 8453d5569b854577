import { heapStats } from "bun:jsc"
import { expect, test } from "bun:test"
import { type Job, runtimeWorld, type World } from "../testing/runtime-world.ts"
import { actor } from "./actor.ts"
import { Intensity } from "./intensity.ts"
import { startTree, supervisor, type Tree } from "./supervisor.ts"

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

test("24: exactly the allowed number of restarts is survived, one more escalates", async () => {
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

test("24: an intensity of 0 gives up at the first crash, the default allows 5 in 30 s", async () => {
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

test("25: the window's edge is inclusive", async () => {
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

test("25: a jump of the wall clock by two hours, either way, changes nothing", async () => {
  const { world, tree } = await one(1, 5_000)
  await world.crash(tree, "a")
  world.clock.shiftWall(2 * 3_600_000)
  await world.clock.advance(4_000)
  world.clock.shiftWall(-4 * 3_600_000)
  await world.crash(tree, "a")
  expect(world.gaveUp).toHaveLength(1)
})

test("26: a failing start during a restart counts like a crash", async () => {
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

test("26: a failing start during the restart of a group counts too", async () => {
  const world = runtimeWorld()
  const flaky = world.worker("b", { starting: (ctx) => (ctx.incarnation > 1 ? Promise.reject("no") : undefined) })
  const children = [world.worker("a"), flaky]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_all", intensity: 2, children }))
  world.since()
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a -b +a -a +a -a")
  expect(world.gaveUp).toHaveLength(1)
  await tree.stop()
})

test("26: a restart that has failed is booked when it is tried again, so that whatever else has happened comes first", async () => {
  const world = runtimeWorld()
  const flaky = world.worker("a", { starting: (ctx) => (ctx.incarnation > 1 ? Promise.reject("no") : undefined) })
  const children = [flaky, world.worker("b")]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", intensity: 2, children }))
  world.since()
  await world.crash(tree, "a", "b")
  expect(world.since()).toBe("-a -b +b -b")
  expect(world.gaveUp).toHaveLength(1)
})

test("27: between two tries of a failing restart a supervisor answers, and can be told to stop trying", async () => {
  const world = runtimeWorld()
  let starts = 0
  const { promise: tenth, resolve } = Promise.withResolvers<void>()
  const flaky = world.worker("a", {
    starting: () => {
      if (++starts === 10) resolve()
      if (starts > 1) throw new Error("cannot start")
      return undefined
    },
  })
  const root = supervisor({ id: "root", strategy: "one_for_one", intensity: 1_000_000, children: [flaky] })
  const tree = await world.start(root)
  tree.ref<Job>("a").send(() => {
    throw new Error("over")
  })
  await tenth
  const asked = tree.supervisor("root")
  expect(await asked.startChild(world.worker("b"))).toEqual({ kind: "started", id: "b" })
  expect(await asked.restartChild("a")).toEqual({ kind: "restarting" })
  expect(await asked.terminateChild("a")).toEqual({ kind: "terminated" })
  const after = starts
  await world.clock.flush()
  expect(starts).toBe(after)
  expect(tree.whereis("a")?.state).toBe("stopped")
  await tree.stop()
})

test("27: a stop that is asked during a loop of failing restarts wins", async () => {
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

test("28: the parent sees shutdown as the reason of a supervisor that gave up, and restarts it", async () => {
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

test("28: when the root gives up, everything is stopped and reported before anybody is told", async () => {
  const world = runtimeWorld()
  const inner = supervisor({ id: "inner", strategy: "one_for_one", intensity: 0, children: [world.worker("a")] })
  const root = supervisor({ id: "root", strategy: "one_for_one", intensity: 0, children: [world.worker("b"), inner] })
  const seen: string[] = []
  const tree = await startTree(root, {
    clock: world.clock,
    emit: (event) => void seen.push(event.type === "exited" ? `${event.type} ${event.id}` : event.type),
    onGiveUp: (reason) => void seen.push(`told ${reason.kind}`),
  })
  seen.length = 0
  await world.crash(tree, "a")
  expect(seen).toEqual(["exited a", "gave_up", "exited inner", "gave_up", "exited b", "told shutdown"])
  await tree.stop()
  expect(seen.at(-1)).toBe("told shutdown")
})

test("28: a process whose root gives up ends with a code that is not 0, after what it had to say was written", async () => {
  const script = `
    import { actor } from "./actor.ts"
    import { systemClock } from "./clock.ts"
    import { startTree, supervisor } from "./supervisor.ts"
    const a = actor({ id: "a", start: () => ({ handle() { throw new Error("broken") }, terminate() { console.log("freed") } }) })
    const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", intensity: 0, children: [a] }), {
      clock: systemClock,
      emit: (event) => console.log(event.type),
      onGiveUp: () => { process.exitCode = 70 },
    })
    tree.ref("a").send(1)
  `
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: import.meta.dir, stdout: "pipe", stderr: "inherit" })
  expect(await child.exited).toBe(70)
  expect((await new Response(child.stdout).text()).trim().split("\n")).toEqual([
    "started",
    "freed",
    "exited",
    "gave_up",
  ])
}, 20_000)

test("29: a million counted crashes leave only what the window needs", () => {
  const intensity = new Intensity(5, 1)
  for (let crash = 0; crash < 1_000_000; crash++) intensity.allow(crash)
  expect(intensity.allow(1_000_001)).toBe(true)
  expect(
    Object.values(intensity)
      .flat()
      .filter((value) => typeof value === "number").length,
  ).toBeLessThan(10)
})

test("29: crashes leave nothing behind in a tree: neither objects, nor names, nor timers", async () => {
  const world = runtimeWorld()
  let now = 0
  // Each look at the clock is a minute later, so that none of the crashes is one too many.
  const clock = { ...world.clock, now: () => (now += 60_000) }
  let crashes = 0
  const child = actor<Job>({
    id: "a",
    start: (ctx) => {
      if (crashes++ < limit) ctx.self.send(() => {})
      return {
        handle() {
          throw reason
        },
      }
    },
  })
  const reason = new Error("again")
  let limit = 0
  const root = supervisor({ id: "root", strategy: "one_for_one", children: [child, world.worker("b")] })
  const tree = await startTree(root, { clock, emit() {}, onGiveUp() {} })
  const run = async (count: number): Promise<number> => {
    crashes = 0
    limit = count
    tree.ref<Job>("a").send(() => {})
    while (crashes < count) await new Promise((resolve) => setImmediate(resolve))
    Bun.gc(true)
    return heapStats().objectCount
  }
  await run(1_000)
  const before = await run(1_000)
  const after = await run(50_000)
  expect(tree.whereis("a")?.restarts).toBeGreaterThan(52_000)
  expect(tree.whereis("a")?.recentRestarts).toHaveLength(10)
  expect(after - before).toBeLessThan(5_000)
  expect(world.clock.pending).toBeLessThanOrEqual(1)
  await tree.stop()
}, 30_000)
