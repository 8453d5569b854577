import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Job, runtimeWorld, type WorkerOptions } from "../testing/runtime-world.ts"
import type { ActorContext } from "./actor.ts"
import { describeExit, type ExitReason } from "./exit.ts"
import { supervisor } from "./supervisor.ts"

const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)
beforeAll(() => void process.on("unhandledRejection", note))
afterAll(() => void process.off("unhandledRejection", note))

async function one(options: WorkerOptions = {}) {
  const world = runtimeWorld()
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a", options), world.worker("b")] }),
  )
  world.since()
  const exits = () =>
    world.events.flatMap((event) => (event.type === "exited" && event.id === "a" ? [event.reason] : []))
  return { world, tree, exits, a: tree.ref<Job>("a") }
}

const hostile = {
  toString() {
    throw new Error("cannot even be shown")
  },
}

test("50 every kind of throw in a handler is an exit and never an unhandled rejection", async () => {
  const thrown: readonly [unknown, string][] = [
    [new TypeError("broken"), "TypeError: broken"],
    ["a string", "NonErrorThrown: a string was thrown: a string"],
    [undefined, "NonErrorThrown: a undefined was thrown: undefined"],
    [null, "NonErrorThrown: a object was thrown: null"],
    [hostile, "NonErrorThrown: a object was thrown: not an Error"],
    [Symbol("odd"), "NonErrorThrown: a symbol was thrown: Symbol(odd)"],
  ]
  for (const [value, shown] of thrown) {
    for (const job of [
      () => {
        throw value
      },
      () => Promise.reject(value),
      async () => {
        await Promise.resolve()
        throw value
      },
    ]) {
      const { world, tree, exits, a } = await one()
      a.send(job)
      await world.clock.flush()
      expect(exits().map(describeExit)).toEqual([shown])
      expect(tree.whereis("a")).toMatchObject({ state: "running", incarnation: 2 })
      await tree.stop()
    }
  }
  expect(unhandled).toEqual([])
})

test("50 a throw in terminate, sync or async, becomes the exit reason", async () => {
  for (const terminate of [
    () => {
      throw new Error("in terminate")
    },
    () => Promise.reject(undefined),
  ]) {
    const { world, tree, exits } = await one({ terminate })
    await world.crash(tree, "a")
    expect(exits()).toMatchObject([{ kind: "error" }])
    expect(tree.whereis("a")?.incarnation).toBe(2)
    await tree.stop()
    expect(exits()).toHaveLength(2)
  }
  expect(unhandled).toEqual([])
})

test("50 a throw in a restart's start, sync or async, is a failed start", async () => {
  for (const fail of [
    () => {
      throw "no"
    },
    () => Promise.reject(undefined),
  ]) {
    const { world, tree } = await one({ starting: (ctx) => (ctx.incarnation === 2 ? fail() : undefined) })
    await world.crash(tree, "a")
    expect(tree.whereis("a")).toMatchObject({ state: "running", incarnation: 3, restarts: 2 })
    await tree.stop()
  }
  expect(unhandled).toEqual([])
})

test("50 a task that throws hands its actor an outcome; one that makes the outcome wrong crashes it", async () => {
  const { world, tree, exits, a } = await one()
  const outcomes: string[] = []
  const keep = (outcome: object) => () => void outcomes.push(JSON.stringify(outcome))
  a.send((ctx) => {
    ctx.task(async () => "fine", keep)
    ctx.task(
      () => {
        throw new Error("at once")
      },
      (outcome) => () => void outcomes.push(outcome.kind === "failed" ? outcome.error.message : ""),
    )
    ctx.task(
      () => Promise.reject(undefined),
      (outcome) => () => void outcomes.push(outcome.kind),
    )
    ctx.task(() => new Promise(() => {}), keep, { timeoutMs: 500 })
  })
  await world.clock.advance(500)
  expect(outcomes).toEqual(
    ["at once", "failed", '{"kind":"done","value":"fine"}', '{"kind":"timeout","afterMs":500}'].sort(bySeen(outcomes)),
  )
  expect(exits()).toEqual([])
  a.send((ctx) =>
    ctx.task(
      async () => 1,
      () => {
        throw new Error("in done")
      },
    ),
  )
  await world.clock.flush()
  expect(exits().map(describeExit)).toEqual(["Error: in done"])
  await tree.stop()
  expect(unhandled).toEqual([])
})

/** Orders the expected as seen: in which order independent tasks end is not promised. */
function bySeen(seen: readonly string[]) {
  return (left: string, right: string) => seen.indexOf(left) - seen.indexOf(right)
}

test("51 a handler over its time is aborted and its actor exits with timeout", async () => {
  const { world, tree, exits, a } = await one({ handlerTimeoutMs: 1_000 })
  let old: ActorContext<Job> | undefined
  a.send((ctx) => {
    old = ctx
    return new Promise(() => {})
  })
  await world.clock.advance(900)
  expect(old?.signal.aborted).toBe(false)
  expect(tree.whereis("a")?.handlerAgeMs).toBe(900)
  await world.clock.advance(100)
  expect(old?.signal.aborted).toBe(true)
  expect(exits()).toEqual([{ kind: "timeout", what: "handler", afterMs: 1_000 }])
  expect(world.since()).toBe("+a")
  await tree.stop()
})

test("52 an actor whose handler never settles is replaced, and the stuck one is counted", async () => {
  const { world, tree, a } = await one({ handlerTimeoutMs: 1_000 })
  a.send(() => new Promise(() => {}))
  await world.clock.advance(1_000)
  expect(tree.snapshot().stuck).toBe(1)
  expect(world.events).toContainEqual(
    expect.objectContaining({ type: "abandoned", doing: "handler", id: "a", incarnation: 1 }),
  )
  a.send((ctx) => void world.log.push(`works as ${ctx.incarnation}`))
  await world.clock.flush()
  expect(world.since()).toBe("+a works as 2")
  expect(tree.snapshot().root.children).toHaveLength(2)
  await tree.stop()
  expect(tree.snapshot().stuck).toBe(1)
  expect(world.clock.pending).toBe(0)
})

test("54 state cannot change under a handler that waits, because the next message waits too", async () => {
  const { world, tree, a } = await one()
  let balance = 100
  const withdraw = (amount: number) => async () => {
    const seen = balance
    await Promise.resolve()
    if (seen >= amount) balance = seen - amount
  }
  for (let at = 0; at < 10; at++) a.send(withdraw(30))
  await world.clock.flush()
  expect(balance).toBe(10)
  await tree.stop()
})

test("56 every exit is reported with its reason, its incarnation, and nothing of a message", async () => {
  const { world, tree, a } = await one({ restart: "transient" })
  const secret = "someone@example.org"
  a.send(() => {
    void secret
    throw new Error("could not parse")
  })
  await world.clock.flush()
  a.send((ctx) => ctx.exit({ kind: "normal" }))
  await world.clock.flush()
  await tree.stop()
  const exits = world.events.flatMap((event) => (event.type === "exited" ? [event] : []))
  expect(
    exits.map(({ id, incarnation, reason, asked }) => `${id}/${incarnation} ${describeExit(reason)} ${asked}`),
  ).toEqual(["a/1 Error: could not parse false", "a/2 normal false", "b/1 shutdown true"])
  expect(JSON.stringify(world.events)).not.toContain(secret)
})

test("an actor ends by itself with the first reason it gave, after the message in hand", async () => {
  const { world, tree, exits, a } = await one({ restart: "temporary" })
  const first: ExitReason = { kind: "shutdown", detail: "nothing to do" }
  a.send(async (ctx) => {
    ctx.exit(first)
    ctx.exit({ kind: "normal" })
    await Promise.resolve()
    world.log.push("finished the message")
  })
  a.send(() => void world.log.push("never handled"))
  await world.clock.flush()
  expect(world.since()).toBe("finished the message -a")
  expect(exits()).toEqual([first])
  await tree.stop()
})
