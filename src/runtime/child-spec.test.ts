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

test("1 a child id used twice is refused, among siblings and deeper in the tree", () => {
  const twin = () => actor({ id: "twin", start })
  const one = (id: string, children = [twin()]) => supervisor({ id, strategy: "one_for_one", children })
  expect(fieldOf(() => one("s", [twin(), twin()]))).toBe("children")
  expect(fieldOf(() => one("top", [one("left"), one("right")]))).toBe("children")
  expect(fieldOf(() => one("twin"))).toBe("children")
})

test("2 a missing id or start is refused with an error that names the field", () => {
  expect(fieldOf(() => actor({ id: "", start }))).toBe("id")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => actor({ id: "a" }))).toBe("start")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => service({ start: () => ({ stop() {} }) }))).toBe("id")
  // @ts-expect-error: the compiler refuses it too
  expect(fieldOf(() => pool({ id: "p" }))).toBe("child")
})

test("3 numbers and words that cannot be meant are refused", () => {
  const sup = (more: object) => fieldOf(() => supervisor({ id: "s", strategy: "one_for_one", children: [], ...more }))
  const act = (more: object) => fieldOf(() => actor({ id: "a", start, ...more }))
  expect(act({ restart: "always" })).toBe("restart")
  expect(sup({ strategy: "all_for_one" })).toBe("strategy")
  for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) expect(sup({ intensity: bad })).toBe("intensity")
  for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) expect(sup({ periodMs: bad })).toBe("periodMs")
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(act({ shutdownMs: bad })).toBe("shutdownMs")
  expect(act({ mailbox: { bound: 0, overflow: "reject" } })).toBe("mailbox.bound")
  expect(act({ mailbox: { bound: 1, overflow: "block" } })).toBe("mailbox.overflow")
  expect(act({ handlerTimeoutMs: 0 })).toBe("handlerTimeoutMs")
  expect(act({ backoff: { minMs: 500, maxMs: 400 } })).toBe("backoff.maxMs")
  expect(act({ backoff: { jitter: 2 } })).toBe("backoff.jitter")
  expect(sup({ intensity: 0, periodMs: 1 })).toBe("accepted")
})

test("4 an option nobody reads is refused by the compiler and at run time", () => {
  // @ts-expect-error: misspelt
  expect(fieldOf(() => actor({ id: "a", start, shutdownMS: 1 }))).toBe("option")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => service({ id: "a", start: () => ({ stop() {} }), timeout: 1 }))).toBe("option")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => supervisor({ id: "s", strategy: "one_for_one", children: [], period: 5 }))).toBe("option")
  // @ts-expect-error: misspelt
  expect(fieldOf(() => actor({ id: "a", start, backoff: { min: 1 } }))).toBe("backoff")
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
