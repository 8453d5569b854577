import { expect, test } from "bun:test"
import { runtimeWorld } from "../testing/runtime-world.ts"
import { actor, service } from "./actor.ts"
import { SpecError } from "./child-spec.ts"
import { pool, startTree, supervisor } from "./supervisor.ts"

const start = () => ({ handle() {} })

function fieldOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    if (error instanceof SpecError) return error.field
    throw error
  }
  return "accepted"
}

test("1: a child id used twice is refused, among siblings and deeper in the tree", () => {
  const twin = () => actor({ id: "twin", start })
  const one = (id: string, children = [twin()]) => supervisor({ id, strategy: "one_for_one", children })
  expect(fieldOf(() => one("s", [twin(), twin()]))).toBe("children")
  expect(fieldOf(() => one("top", [one("left"), one("right")]))).toBe("children")
  expect(fieldOf(() => one("twin"))).toBe("children")
})

test("2: a missing id or start is refused with an error that names the field", () => {
  expect(fieldOf(() => actor({ id: "", start }))).toBe("id")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => actor({ id: "a" }))).toBe("start")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => service({ start: () => ({ stop() {} }) }))).toBe("id")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => pool({ id: "p" }))).toBe("child")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => pool({ child: () => actor({ id: "a", start }) }))).toBe("id")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => supervisor({ strategy: "one_for_one", children: [] }))).toBe("id")
})

test("3: numbers and words that cannot be meant are refused", () => {
  const sup = (more: object) => fieldOf(() => supervisor({ id: "s", strategy: "one_for_one", children: [], ...more }))
  const act = (more: object) => fieldOf(() => actor({ id: "a", start, ...more }))
  const serve = (more: object) => fieldOf(() => service({ id: "a", start: () => ({ stop() {} }), ...more }))
  const many = (more: object) => fieldOf(() => pool({ id: "p", child: () => actor({ id: "a", start }), ...more }))
  const notNumbers = [-1, Number.NaN, Number.POSITIVE_INFINITY]
  for (const make of [act, serve, sup, many]) {
    expect(make({ restart: "always" })).toBe("restart")
    for (const bad of notNumbers) expect(make({ shutdownMs: bad })).toBe("shutdownMs")
    expect(make({ backoff: { minMs: 500, maxMs: 400 } })).toBe("backoff.maxMs")
    expect(make({ backoff: { minMs: 60_000 } })).toBe("backoff.maxMs")
    expect(make({ backoff: null })).toBe("backoff")
    expect(make({ backoff: { jitter: 2 } })).toBe("backoff.jitter")
    expect(make({ backoff: { firstStart: "never" } })).toBe("backoff.firstStart")
    for (const bad of notNumbers) expect(make({ backoff: { resetAfterMs: bad } })).toBe("backoff.resetAfterMs")
  }
  for (const make of [sup, many]) {
    for (const bad of [...notNumbers, 1.5]) expect(make({ intensity: bad })).toBe("intensity")
    for (const bad of [...notNumbers, 0]) expect(make({ periodMs: bad })).toBe("periodMs")
    expect(make({ intensity: 0, periodMs: 1 })).toBe("accepted")
  }
  expect(sup({ strategy: "all_for_one" })).toBe("strategy")
  expect(sup({ autoShutdown: "sometimes" })).toBe("autoShutdown")
  for (const bad of [0, 1.5, Number.NaN]) expect(many({ bound: bad })).toBe("bound")
  for (const bad of [0, Number.NaN]) expect(act({ startTimeoutMs: bad })).toBe("startTimeoutMs")
  expect(act({ mailbox: { bound: 0, overflow: "reject" } })).toBe("mailbox.bound")
  expect(act({ mailbox: { bound: 1, overflow: "block" } })).toBe("mailbox.overflow")
  expect(act({ mailbox: null })).toBe("mailbox")
  // The spec of an actor, where what actor() makes of it is meant.
  for (const bad of [undefined, null, "a", [{ id: "a", start }], [undefined]])
    expect(sup({ children: bad })).toBe("children")
  expect(act({ handlerTimeoutMs: 0 })).toBe("handlerTimeoutMs")
})

test("4: an option nobody reads is refused by the compiler and at run time", () => {
  // @ts-expect-error: misspelt
  expect(fieldOf(() => actor({ id: "a", start, shutdownMS: 1 }))).toBe("option")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => service({ id: "a", start: () => ({ stop() {} }), timeout: 1 }))).toBe("option")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => supervisor({ id: "s", strategy: "one_for_one", children: [], period: 5 }))).toBe("option")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => actor({ id: "a", start, backoff: { min: 1 } }))).toBe("backoff")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => actor({ id: "a", start, mailbox: { bound: 1, overflow: "reject", size: 1 } }))).toBe("mailbox")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => pool({ id: "p", child: () => actor({ id: "a", start }), max: 5 }))).toBe("option")
  // @ts-expect-error: only a child can be significant, and automatic shutdown is the supervisor's
  expect(fieldOf(() => actor({ id: "a", start, autoShutdown: "any_significant" }))).toBe("option")
})

test("41: a significant child that could never count is refused: permanent, under a supervisor that never ends with it, in a pool", async () => {
  const child = (more: object) => actor({ id: "a", start, restart: "transient", significant: true, ...more })
  expect(fieldOf(() => child({ restart: "permanent" }))).toBe("significant")
  expect(fieldOf(() => child({ significant: "yes" }))).toBe("significant")
  const above = (more: object) =>
    fieldOf(() => supervisor({ id: "s", strategy: "one_for_one", children: [child({})], ...more }))
  expect(above({})).toBe("significant")
  expect(above({ autoShutdown: "never" })).toBe("significant")
  expect(above({ autoShutdown: "any_significant" })).toBe("accepted")
  expect(fieldOf(() => service({ id: "a", start: () => ({ stop() {} }), significant: true }))).toBe("significant")
  expect(fieldOf(() => supervisor({ id: "s", strategy: "one_for_one", children: [], significant: true }))).toBe(
    "significant",
  )
  const world = runtimeWorld()
  const them = pool({ id: "pool", child: () => child({}) })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [them] }))
  const refused = { kind: "failed", reason: { kind: "error", error: { name: "SpecError", field: "significant" } } }
  expect(await tree.pool("pool").startChild("a")).toMatchObject(refused)
  expect(await tree.supervisor("root").startChild(child({}))).toMatchObject(refused)
  await tree.stop()
})

test("a listener that throws does not disturb the tree", async () => {
  const world = runtimeWorld()
  const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a")] }), {
    clock: world.clock,
    emit: () => {
      throw new Error("telemetry is broken")
    },
    onGiveUp() {},
  })
  await world.crash(tree, "a")
  expect(world.since()).toBe("+a -a +a")
  await tree.stop()
})
