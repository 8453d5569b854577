import { heapStats } from "bun:jsc"
import { expect, test } from "bun:test"
import { type Job, runtimeWorld, type World } from "../testing/runtime-world.ts"
import type { ActorContext, Down, Monitor } from "./actor.ts"
import { service } from "./actor.ts"
import { describeExit } from "./exit.ts"
import { pool, supervisor, type Tree } from "./supervisor.ts"

async function two(): Promise<{ world: World; tree: Tree; tell: (id: string, job: Job) => Promise<void> }> {
  const world = runtimeWorld()
  const children = [world.worker("a"), world.worker("b", { restart: "temporary" }), world.worker("c")]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  world.since()
  const tell = async (id: string, job: Job) => {
    tree.ref<Job>(id).send(job)
    await world.clock.flush()
  }
  return { world, tree, tell }
}

const shown = ({ id, incarnation, reason }: Down) => `${id}/${incarnation} ${describeExit(reason)}`
const into = (log: string[]) => (down: Down) => () => void log.push(shown(down))

test("43: a monitor of an actor that is not there fires at once with noproc", async () => {
  const { world, tree, tell } = await two()
  await world.crash(tree, "b")
  world.since()
  await tell("a", (ctx) => {
    ctx.monitor("b", into(world.log))
    ctx.monitor("nobody", into(world.log))
  })
  expect(world.since()).toBe("b/0 b is not running nobody/0 nobody is not running")
  await tree.stop()
})

test("43: a monitor fires once, with the incarnation and the reason, whatever kind of child has ended and however", async () => {
  const world = runtimeWorld()
  const fail: ((error: unknown) => void)[] = []
  const listener = service({
    id: "http",
    start: (ctx) => {
      fail.push(ctx.fail)
      return { stop() {} }
    },
  })
  const inner = supervisor({ id: "inner", strategy: "one_for_one", intensity: 0, children: [world.worker("leaf")] })
  const children = [world.worker("a"), world.worker("b"), listener, inner, pool({ id: "pool", child: world.worker })]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  await tree.pool<string>("pool").startChild("p")
  const downs: string[] = []
  tree.ref<Job>("a").send((ctx) => {
    for (const id of ["b", "http", "inner", "leaf", "p"]) ctx.monitor(id, into(downs))
  })
  await world.clock.flush()
  await world.crash(tree, "b", "b")
  fail[0]?.(new Error("the socket is gone"))
  await world.crash(tree, "leaf")
  await tree.pool<string>("pool").stopChild("p")
  await world.clock.flush()
  await world.crash(tree, "b")
  expect(downs.sort()).toEqual([
    "b/1 Error: b crashed",
    "http/1 Error: the socket is gone",
    expect.stringContaining("inner/1 shutdown: more than 0 restarts"),
    "leaf/1 Error: leaf crashed",
    "p/1 shutdown",
  ])
  await tree.stop()
})

test("43: the report comes behind what the dead one had sent before, beyond the mailbox bound, and is never thrown out", async () => {
  for (const overflow of ["reject", "drop_oldest"] as const) {
    const world = runtimeWorld()
    const children = [
      world.worker("a", { mailbox: { bound: 2, overflow } }),
      world.worker("b", { restart: "temporary" }),
    ]
    const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
    world.since()
    const gate = Promise.withResolvers<void>()
    tree.ref<Job>("a").send((ctx) => {
      ctx.monitor("b", into(world.log))
      return gate.promise
    })
    tree.ref<Job>("b").send((ctx) => {
      for (const at of [1, 2]) ctx.ref<Job>("a").send(() => void world.log.push(`said ${at}`))
      throw new Error("over")
    })
    await world.clock.flush()
    expect(tree.whereis("a")?.mailbox?.depth).toBe(2)
    world.since()
    const answers = [3, 4, 5].map((at) => tree.ref<Job>("a").send(() => void world.log.push(`said ${at}`)))
    gate.resolve()
    await world.clock.flush()
    if (overflow === "reject") {
      expect(answers).toEqual(["busy", "busy", "busy"])
      expect(world.since()).toBe("said 1 said 2 b/1 Error: over")
    } else {
      expect(world.since()).toBe("b/1 Error: over said 4 said 5")
    }
    await tree.stop()
  }
})

test("43: monitors end with the incarnation that set them", async () => {
  const { world, tree, tell } = await two()
  await tell("a", (ctx) => void ctx.monitor("c", into(world.log)))
  await world.crash(tree, "a")
  world.since()
  await world.crash(tree, "c")
  expect(world.since()).toBe("-c +c")
  await tree.stop()
})

test("43: a monitor means who has the name when it is set: set while the next one starts, it does not report the last one", async () => {
  const world = runtimeWorld()
  let watcher: ActorContext<Job> | undefined
  const restarted = world.worker("b", {
    starting: (ctx) => {
      if (ctx.incarnation === 2) watcher?.monitor("b", into(world.log))
      return undefined
    },
  })
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a"), restarted] }),
  )
  tree.ref<Job>("a").send((ctx) => {
    watcher = ctx
    ctx.monitor("b", into(world.log))
  })
  await world.clock.flush()
  world.since()
  await world.crash(tree, "b")
  expect(world.since()).toBe("-b +b b/1 Error: b crashed")
  await world.crash(tree, "b")
  expect(world.since()).toBe("-b +b b/2 Error: b crashed")
  await tree.stop()
})

test("43: an actor that ends leaves nothing of its monitors with those it watched", async () => {
  const { world, tree } = await two()
  const kept: WeakRef<object>[] = []
  const watch = (ctx: ActorContext<Job>): void => {
    const large = new Array(1_000).fill(ctx.incarnation)
    kept.push(new WeakRef(large))
    ctx.monitor("c", () => () => void world.log.push(String(large.length)))
    throw new Error("over")
  }
  for (let at = 0; at < 50; at++) {
    tree.ref<Job>("a").send(watch)
    await world.clock.advance(60_000)
  }
  for (let tries = 0; tries < 20 && kept.some((ref) => ref.deref() !== undefined); tries++) {
    await world.clock.flush()
    Bun.gc(true)
  }
  // The collector scans the stack conservatively, so a few may look alive; a leak would keep all of them.
  expect(kept.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(5)
  await tree.stop()
})

test("43: who lives long and watches many keeps nothing of those that have ended, nor does anybody of their names", async () => {
  const world = runtimeWorld()
  const children = [world.worker("a"), pool<string>({ id: "pool", child: (id) => world.worker(id, { kind: "one" }) })]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  const them = tree.pool<string>("pool")
  let next = 0
  const run = async (count: number): Promise<number> => {
    for (const last = next + count; next < last; next++) {
      const id = `p${next}`
      await them.startChild(id)
      tree.ref<Job>("a").send((ctx) => {
        ctx.trapExits(() => () => {})
        ctx.monitor(id, () => () => {})
        ctx.monitor(id, () => () => {}).cancel()
        ctx.link(id)
      })
      await new Promise((resolve) => setImmediate(resolve))
      await them.stopChild(id)
    }
    world.events.length = 0
    world.since()
    await world.clock.flush()
    Bun.gc(true)
    return heapStats().objectCount
  }
  await run(500)
  const before = await run(500)
  expect((await run(5_000)) - before).toBeLessThan(2_500)
  await tree.stop()
})

test("44: a monitor that is cancelled flushes a report that waits already, and hears nothing later", async () => {
  const { world, tree, tell } = await two()
  let monitors: Monitor[] = []
  const gate = Promise.withResolvers<void>()
  tree.ref<Job>("a").send(async (ctx) => {
    monitors = [ctx.monitor("b", into(world.log)), ctx.monitor("c", into(world.log))]
    await gate.promise
    for (const monitor of monitors) monitor.cancel()
    monitors[0]?.cancel()
  })
  await world.clock.flush()
  await world.crash(tree, "b")
  world.since()
  gate.resolve()
  await world.clock.flush()
  await world.crash(tree, "c")
  expect(world.since()).toBe("-c +c")
  expect(tree.whereis("a")).toMatchObject({ state: "running", incarnation: 1, mailbox: { depth: 0 } })
  await tell("a", () => void world.log.push("still works"))
  expect(world.since()).toBe("still works")
  await tree.stop()
})

test("44: a report for an incarnation that is over reaches nobody, not the next one either", async () => {
  const { world, tree } = await two()
  const gate = Promise.withResolvers<void>()
  tree.ref<Job>("a").send((ctx) => {
    ctx.monitor("b", into(world.log))
    return gate.promise
  })
  await world.clock.flush()
  await world.crash(tree, "b")
  gate.reject(new Error("over"))
  await world.clock.flush()
  expect(world.since()).toBe("-b -a +a")
  expect(tree.snapshot().deadLetters).toBe(0)
  await tree.stop()
})

test("43: a child that declines its start has ended, for who monitors it while it starts", async () => {
  const world = runtimeWorld()
  const { promise: gate, resolve: decline } = Promise.withResolvers<"ignore">()
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a"), world.worker("z")] }),
  )
  const answer = tree.supervisor("root").startChild(world.worker("late", { starting: () => gate }))
  const downs: string[] = []
  tree.ref<Job>("a").send((ctx) => void ctx.monitor("late", into(downs)))
  await world.clock.flush()
  expect(downs).toEqual([])
  decline("ignore")
  await world.clock.flush()
  expect(await answer).toEqual({ kind: "ignored", id: "late" })
  expect(downs).toEqual(["late/1 normal"])
  await tree.stop()
})
