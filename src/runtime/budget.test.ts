// How the restart budgets of a tree multiply, and where they end: at a supervisor with a backoff.

import { expect, test } from "bun:test"
import { runtimeWorld } from "../testing/runtime-world.ts"
import type { Backoff } from "./backoff.ts"
import { supervisor } from "./supervisor.ts"

/** Root > inner > leaf, with the default budget of 5 in 30 s each. */
async function nested(more: { readonly backoff?: Backoff; readonly intensity?: number } = {}) {
  const world = runtimeWorld()
  const leaf = world.worker("leaf")
  const inner = supervisor({ id: "inner", strategy: "one_for_one", children: [leaf], ...more })
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [inner, world.worker("z")] }),
  )
  return { world, tree }
}

test("24: budgets multiply: with 5 above 5 the root survives 35 crashes of one leaf, and the 36th is the end", async () => {
  const { world, tree } = await nested()
  for (let crash = 1; crash <= 35; crash++) await world.crash(tree, "leaf")
  expect(world.gaveUp).toEqual([])
  expect(tree.whereis("inner")).toMatchObject({ incarnation: 6, restarts: 5 })
  await world.crash(tree, "leaf")
  expect(world.gaveUp).toHaveLength(1)
})

test("55: a supervisor with a backoff is a bulkhead: it gives up at every 6th crash, is away for its delay, and its parent counts nothing", async () => {
  const { world, tree } = await nested({ backoff: { minMs: 1_000, maxMs: 8_000, jitter: 0 } })
  for (let life = 1; life <= 100; life++) {
    expect(tree.whereis("inner")).toMatchObject({ state: "running", incarnation: life })
    for (let crash = 1; crash <= 5; crash++) await world.crash(tree, "leaf")
    expect(tree.whereis("leaf")?.state).toBe("running")
    await world.crash(tree, "leaf")
    expect(tree.whereis("inner")?.state).toBe("backoff")
    expect(tree.ref("leaf").send(1)).toBe("down")
    await world.clock.advance(Math.min(8_000, 1_000 * 2 ** (life - 1)))
  }
  expect(world.gaveUp).toEqual([])
  expect(tree.whereis("z")?.incarnation).toBe(1)
  const counted = world.events.filter(
    (event) => event.type === "restarting" && event.supervisor === "root" && event.counted,
  )
  expect(counted).toEqual([])
  await tree.stop()
  expect(world.clock.pending).toBe(0)
})

test("55: a bulkhead that cannot start, the first time or later, is tried again after its delay", async () => {
  const world = runtimeWorld()
  let away = true
  const bad = world.worker("bad", { starting: () => (away ? Promise.reject(new Error("no such host")) : undefined) })
  const inner = supervisor({
    id: "inner",
    strategy: "one_for_one",
    intensity: 0,
    backoff: { minMs: 1_000, jitter: 0 },
    children: [world.worker("a"), bad],
  })
  const root = supervisor({ id: "root", strategy: "one_for_one", intensity: 0, children: [inner, world.worker("z")] })
  const tree = await world.start(root)
  expect(world.since()).toBe("+a -a +z")
  await world.clock.advance(1_000)
  expect(world.since()).toBe("+a -a")
  expect(tree.whereis("inner")).toMatchObject({
    state: "backoff",
    recentRestarts: [{ reason: { kind: "failed_to_start", child: "bad" } }, { reason: { kind: "failed_to_start" } }],
  })
  away = false
  await world.clock.advance(2_000)
  expect(world.since()).toBe("+a +bad")
  away = true
  await world.crash(tree, "a")
  await world.clock.advance(60_000)
  expect(world.gaveUp).toEqual([])
  expect(tree.whereis("z")?.incarnation).toBe(1)
  await tree.stop()
})

test("30: a bulkhead that was well for long enough starts again from its shortest delay", async () => {
  const { world, tree } = await nested({ intensity: 0, backoff: { minMs: 1_000, jitter: 0 } })
  const delays = () =>
    world.events.flatMap((event) => (event.type === "restarting" && event.id === "inner" ? [event.delayMs] : []))
  await world.crash(tree, "leaf")
  await world.clock.advance(1_000)
  await world.crash(tree, "leaf")
  await world.clock.advance(2_000 + 30_000)
  await world.crash(tree, "leaf")
  expect(delays()).toEqual([1_000, 2_000, 1_000])
  await tree.stop()
})

test("38: a stop ends the wait of a bulkhead", async () => {
  const { world, tree } = await nested({ intensity: 0, backoff: {} })
  await world.crash(tree, "leaf")
  expect(world.clock.pending).toBe(1)
  await tree.stop()
  expect(world.clock.pending).toBe(0)
})

test("12: a transient supervisor that gives up is not started again, because that is a shutdown", async () => {
  const world = runtimeWorld()
  const inner = supervisor({
    id: "inner",
    strategy: "one_for_one",
    intensity: 0,
    restart: "transient",
    children: [world.worker("leaf")],
  })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [inner] }))
  await world.crash(tree, "leaf")
  expect(tree.whereis("inner")?.state).toBe("stopped")
  await tree.stop()
})
