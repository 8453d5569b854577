import { expect, test } from "bun:test"
import fc from "fast-check"
import { runtimeWorld } from "../testing/runtime-world.ts"
import { type Backoff, backoffDelay } from "./backoff.ts"
import { supervisor } from "./supervisor.ts"

test("55: a delay is the shortest one doubled per failure, longer by the jitter at most, and never above the longest", () => {
  const plain = [1, 2, 3, 8, 9, 1_000].map((failures) => backoffDelay({}, failures, () => 0))
  expect(plain).toEqual([200, 400, 800, 25_600, 30_000, 30_000])
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, luck) => {
      const base = backoffDelay({}, failures, () => 0)
      const delay = backoffDelay({}, failures, () => luck)
      expect(delay).toBeGreaterThanOrEqual(base)
      expect(delay).toBeLessThanOrEqual(Math.min(30_000, base * 1.2))
    }),
  )
})

/** A child that is away as long as `away.now` says so. */
async function dependency(backoff: Backoff = {}) {
  const world = runtimeWorld()
  const away = { now: false }
  const child = world.worker("db", {
    backoff,
    starting: () => {
      if (away.now) throw new Error("connection refused")
      return undefined
    },
  })
  const root = supervisor({ id: "root", strategy: "one_for_one", intensity: 0, children: [child, world.worker("b")] })
  return { world, away, root }
}

const delays = (world: { events: readonly object[] }) =>
  world.events.flatMap((event) => ("delayMs" in event ? [event.delayMs] : []))

test("55: a dependency that stays away is tried again with growing delays and never burns the intensity", async () => {
  const { world, away, root } = await dependency()
  const tree = await world.start(root)
  away.now = true
  await world.crash(tree, "db")
  expect(tree.whereis("db")?.state).toBe("backoff")
  await world.clock.advance(10 * 60_000)
  expect(delays(world).slice(0, 9)).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000])
  expect(world.gaveUp).toEqual([])
  away.now = false
  await world.clock.advance(30_000)
  expect(tree.whereis("db")?.state).toBe("running")
  expect(tree.whereis("b")?.incarnation).toBe(1)
  await tree.stop()
  expect(world.clock.pending).toBe(0)
})

test("30: a child that was well for long enough starts again from the shortest delay, a shorter spell does not count", async () => {
  const { world, root } = await dependency()
  const tree = await world.start(root)
  await world.crash(tree, "db")
  await world.clock.advance(200 + 29_999)
  await world.crash(tree, "db")
  await world.clock.advance(400 + 30_000)
  await world.crash(tree, "db")
  expect(delays(world)).toEqual([200, 400, 200])
  await tree.stop()
})

test("38: a stop that is asked during a backoff cancels the timer", async () => {
  const { world, root } = await dependency()
  const tree = await world.start(root)
  await world.crash(tree, "db")
  expect(world.clock.pending).toBe(1)
  await tree.stop()
  expect(world.clock.pending).toBe(0)
  await world.clock.advance(60_000)
  expect(world.since()).toBe("+db +b -db -b")
})

test("a dependency that is away at the first start does not keep the others from starting", async () => {
  const { world, away, root } = await dependency()
  away.now = true
  const tree = await world.start(root)
  expect(world.since()).toBe("+b")
  away.now = false
  await world.clock.advance(200)
  expect(world.since()).toBe("+db")
  await tree.stop()
})

test("a dependency whose first start must not fail fails the start", async () => {
  const { world, away, root } = await dependency({ firstStart: "fail" })
  away.now = true
  await expect(world.start(root)).rejects.toMatchObject({ failedToStart: "db" })
})

test("in a rest_for_one group those after a dependency that is away wait with it", async () => {
  const world = runtimeWorld()
  let away = true
  const db = world.worker("db", {
    backoff: {},
    starting: () => {
      if (away) throw new Error("connection refused")
      return undefined
    },
  })
  const root = supervisor({
    id: "root",
    strategy: "rest_for_one",
    intensity: 0,
    children: [world.worker("a"), db, world.worker("c")],
  })
  const tree = await world.start(root)
  expect(world.since()).toBe("+a")
  await world.clock.advance(200)
  expect(world.since()).toBe("")
  expect(tree.whereis("c")?.state).toBe("backoff")
  away = false
  await world.clock.advance(400)
  expect(world.since()).toBe("+db +c")
  await world.crash(tree, "db")
  expect(world.since()).toBe("-db -c")
  await tree.stop()
  expect(world.since()).toBe("-a")
  expect(world.clock.pending).toBe(0)
})

test("21: a crash during the pause of a group takes down at once those it covers, and the longer wait counts, not the sum", async () => {
  const world = runtimeWorld()
  const options = (minMs: number) => ({ backoff: { minMs, jitter: 0 } })
  const children = [
    world.worker("a", options(1_000)),
    world.worker("b"),
    world.worker("c", options(500)),
    world.worker("d"),
  ]
  const tree = await world.start(supervisor({ id: "root", strategy: "rest_for_one", children }))
  world.since()
  await world.crash(tree, "c")
  await world.clock.advance(100)
  await world.crash(tree, "a")
  expect(world.since()).toBe("-c -d -a -b")
  for (const id of ["a", "b", "c", "d"]) expect(tree.whereis(id)?.state).toBe("backoff")
  await world.clock.advance(999)
  expect(world.since()).toBe("")
  await world.clock.advance(1)
  expect(world.since()).toBe("+a +b +c +d")
  await tree.stop()
})
