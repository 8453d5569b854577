// Whatever is thrown, and wherever: it becomes an exit, or an outcome, and never an unhandled rejection.

import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Job, runtimeWorld, type WorkerOptions } from "../testing/runtime-world.ts"
import { type ActorContext, actor, type Behaviour, service } from "./actor.ts"
import { describeExit } from "./exit.ts"
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

const throwingGetters = {
  get name() {
    throw new Error("no name")
  },
  get message() {
    throw new Error("no message")
  },
}

/** Even `instanceof` throws. */
const unaskable = new Proxy(
  {},
  {
    getPrototypeOf() {
      throw new Error("no prototype")
    },
  },
)

class Shy extends Error {
  override get message(): string {
    throw new Error("no message")
  }
}

/** Things that look like promises, or cannot be asked whether they are. */
const falsePromises: readonly (() => unknown)[] = [
  () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what is tried
    then() {
      throw new Error("then throws")
    },
  }),
  () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what is tried
    get then() {
      throw new Error("then cannot be read")
    },
  }),
  () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what is tried
    then(_: unknown, rejected: (error: unknown) => void) {
      rejected(new Error("then rejects"))
      throw new Error("and throws")
    },
  }),
  () =>
    Object.assign(Promise.resolve(), {
      // biome-ignore lint/suspicious/noThenProperty: that is what is tried
      then() {
        throw new Error("own then throws")
      },
    }),
  () =>
    new Proxy(
      {},
      {
        has() {
          throw new Error("cannot be asked")
        },
        get() {
          throw new Error("cannot be asked")
        },
      },
    ),
]

test("50: a handler that hands back something that only looks like a promise ends its actor, or is over, and nothing else happens", async () => {
  for (const make of falsePromises) {
    const { world, tree, exits, a } = await one()
    // A Job is said to give a promise or nothing; this is what a wrong one gives.
    a.send(() => make() as Promise<void>)
    await world.clock.flush()
    a.send((ctx) => void world.log.push(`works as ${ctx.incarnation}`))
    await world.clock.flush()
    expect(["works as 1", "-a +a works as 2"]).toContain(world.since())
    expect(exits().every(({ kind }) => kind === "error")).toBe(true)
    await tree.stop()
  }
  expect(unhandled).toEqual([])
})

test("50: a start, a restart and a terminate that hand back such things end the same way", async () => {
  for (const make of falsePromises) {
    // As above.
    const wrong = make as () => Promise<void>
    const terminate = await one({ terminate: wrong })
    await terminate.world.crash(terminate.tree, "a")
    expect(terminate.exits()).toMatchObject([{ kind: "error" }])
    expect(terminate.tree.whereis("a")?.incarnation).toBe(2)
    await terminate.tree.stop()

    const world = runtimeWorld()
    const start = (ctx: ActorContext<Job>) => (ctx.incarnation === 2 ? wrong() : { handle: (job: Job) => job(ctx) })
    // As above.
    const child = actor<Job>({ id: "a", start: start as () => Behaviour<Job> })
    const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [child] }))
    await world.crash(tree, "a")
    expect(["running", "stopped"]).toContain(tree.whereis("a")?.state ?? "gone")
    await tree.stop()
  }
  expect(unhandled).toEqual([])
})

test("50: a throw where a monitor's or a trapped exit's message is made is an exit", async () => {
  const { world, tree, exits, a } = await one()
  const broken = (): Job => {
    throw new Error("in make")
  }
  a.send((ctx) => void ctx.monitor("nobody", broken))
  await world.clock.flush()
  a.send((ctx) => {
    ctx.trapExits(broken)
    ctx.link("nobody")
  })
  await world.clock.flush()
  expect(exits().map(describeExit)).toEqual(["Error: in make", "Error: in make"])
  await tree.stop()
  expect(unhandled).toEqual([])
})

test("50: a service that throws in start, in stop, or reports whatever, ends with an exit", async () => {
  for (const value of [new Error("bad"), undefined, "text", hostile, unaskable, new Shy()]) {
    const world = runtimeWorld()
    let fail: ((error: unknown) => void) | undefined
    const child = service({
      id: "s",
      start: (ctx) => {
        fail = ctx.fail
        if (ctx.incarnation === 2) throw value
        return { stop: () => (ctx.incarnation === 3 ? Promise.reject(value) : undefined) }
      },
    })
    const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [child] }))
    fail?.(value)
    await world.clock.flush()
    expect(tree.whereis("s")).toMatchObject({ state: "running", incarnation: 3 })
    await tree.stop()
    const kinds = world.events.flatMap((event) =>
      event.type === "exited" && event.id === "s" ? [event.reason.kind] : [],
    )
    expect(kinds).toEqual(["error", "error", "error"])
  }
  expect(unhandled).toEqual([])
})

test("50: every kind of throw in a handler is an exit and never an unhandled rejection", async () => {
  const thrown: readonly [unknown, string][] = [
    [new TypeError("broken"), "TypeError: broken"],
    ["a string", "NonErrorThrown: a string was thrown: a string"],
    [undefined, "NonErrorThrown: a undefined was thrown: undefined"],
    [null, "NonErrorThrown: a object was thrown: null"],
    [hostile, "NonErrorThrown: a object was thrown: not an Error"],
    [Symbol("odd"), "NonErrorThrown: a symbol was thrown: Symbol(odd)"],
    [() => {}, "NonErrorThrown: a function was thrown: not an Error"],
    [throwingGetters, "NonErrorThrown: a object was thrown: not an Error"],
    [unaskable, "NonErrorThrown: a object was thrown: not an Error"],
    [new Shy(), "an error that cannot be shown"],
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

test("50: a throw in terminate, sync or async, becomes the exit reason", async () => {
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

test("50: a throw in a restart's start, sync or async, is a failed start", async () => {
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

test("50: a task that throws hands its actor an outcome; one that makes the outcome wrong crashes it", async () => {
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
