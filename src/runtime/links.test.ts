import { expect, test } from "bun:test"
import { type Job, runtimeWorld, type World } from "../testing/runtime-world.ts"
import type { ActorContext, Down } from "./actor.ts"
import { service } from "./actor.ts"
import { describeExit } from "./exit.ts"
import { supervisor, type Tree } from "./supervisor.ts"

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

const ends: [string, Job, string][] = [
  ["an error", () => Promise.reject(new Error("bad")), "-b -a +a"],
  ["a shutdown", (ctx) => ctx.exit({ kind: "shutdown" }), "-b -a +a"],
  ["a normal end", (ctx) => ctx.exit({ kind: "normal" }), "-b"],
]
for (const [what, end, seen] of ends) {
  test(`45: ${what} of a linked actor ${seen === "-b" ? "does not end" : "ends"} the other one, whoever made the link`, async () => {
    for (const [from, to] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const { world, tree, tell } = await two()
      await tell(from, (ctx) => ctx.link(to))
      await tell("b", end)
      expect(world.since()).toBe(seen)
      const reasons = world.events.flatMap((event) =>
        event.type === "exited" ? [`${event.id} ${event.reason.kind}`] : [],
      )
      const [of] = reasons
      if (seen !== "-b") expect(reasons).toEqual([`${of}`, `${of}`.replace("b", "a")])
      await tree.stop()
    }
  })
}

test("45: the exit of a linked actor ends one that is waiting in a handler, aborted, with the same reason", async () => {
  const { world, tree, tell } = await two()
  let ctx: ActorContext<Job> | undefined
  await tell("a", (own) => {
    ctx = own
    own.link("b")
    return new Promise(() => {})
  })
  await world.crash(tree, "b")
  expect(ctx?.signal.aborted).toBe(true)
  expect(tree.whereis("a")).toMatchObject({
    incarnation: 2,
    recentRestarts: [{ reason: { error: { message: "b crashed" } } }],
  })
  await tree.stop()
})

test("45: who traps exits gets them as messages instead, a normal one and noproc too", async () => {
  const { world, tree, tell } = await two()
  await tell("a", (ctx) => {
    ctx.trapExits(into(world.log))
    for (const id of ["b", "c", "nobody"]) ctx.link(id)
  })
  expect(world.since()).toBe("nobody/0 nobody is not running")
  await tell("b", (ctx) => ctx.exit({ kind: "normal" }))
  await world.crash(tree, "c")
  expect(world.since()).toBe("-b b/1 normal -c +c c/1 Error: c crashed")
  expect(tree.whereis("a")?.incarnation).toBe(1)
  await world.crash(tree, "c")
  expect(world.since()).toBe("-c +c")
  await tree.stop()
})

test("45: a link to nobody ends the one that made it with noproc; to itself it means nothing", async () => {
  const { world, tree, tell } = await two()
  await tell("a", (ctx) => ctx.link("a"))
  expect(world.since()).toBe("")
  await tell("a", (ctx) => ctx.link("nobody"))
  expect(world.since()).toBe("-a +a")
  expect(tree.whereis("a")?.recentRestarts).toMatchObject([{ reason: { kind: "noproc", id: "nobody" } }])
  await tree.stop()
})

test("45: an unlinked actor is left alone, also when the other one has just ended", async () => {
  const { world, tree, tell } = await two()
  await tell("a", (ctx) => {
    ctx.link("b")
    ctx.link("c")
    ctx.unlink("c")
  })
  await world.crash(tree, "c")
  expect(world.since()).toBe("-c +c")
  await tell("a", (ctx) => {
    ctx.link("nobody")
    ctx.unlink("nobody")
  })
  expect(tree.whereis("a")?.incarnation).toBe(1)
  await tree.stop()
})

test("45: a service shares the end of whom it is linked with; a supervisor only passes its own on", async () => {
  const world = runtimeWorld()
  const http = service({ id: "http", start: () => ({ stop: () => void world.log.push("-http") }) })
  const inner = supervisor({ id: "inner", strategy: "one_for_one", intensity: 1, children: [world.worker("leaf")] })
  const children = [world.worker("a"), world.worker("b"), http, inner]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  world.since()
  tree.ref<Job>("a").send((ctx) => {
    ctx.link("http")
    ctx.link("inner")
  })
  await world.clock.flush()
  await world.crash(tree, "a")
  expect(world.since()).toBe("-a +a -http")
  expect(tree.whereis("http")?.incarnation).toBe(2)
  expect(tree.whereis("inner")?.incarnation).toBe(1)
  tree.ref<Job>("b").send((ctx) => ctx.link("inner"))
  await world.crash(tree, "leaf")
  await world.crash(tree, "leaf")
  expect(world.since()).toBe("-leaf +leaf -leaf +leaf -b +b")
  await tree.stop()
})

test("45: a supervisor's stop ends a child that traps exits all the same", async () => {
  const { world, tree, tell } = await two()
  await tell("a", (ctx) => ctx.trapExits(into(world.log)))
  await tree.stop()
  expect(world.since()).toBe("-c -b -a")
})

test("34: an abandoned incarnation neither makes nor undoes a link of the next one", async () => {
  const world = runtimeWorld()
  const { promise: hung, resolve: settle } = Promise.withResolvers<void>()
  const contexts: ActorContext<Job>[] = []
  const starting = (ctx: ActorContext<Job>) => {
    contexts.push(ctx)
    ctx.link("b")
    return undefined
  }
  const trapping = (ctx: ActorContext<Job>) => {
    ctx.trapExits(() => () => {})
    return undefined
  }
  const children = [
    world.worker("b", { starting: trapping }),
    world.worker("c"),
    world.worker("a", { starting, handlerTimeoutMs: 100 }),
  ]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  tree.ref<Job>("a").send(() => hung)
  await world.clock.advance(500)
  contexts[0]?.link("c")
  contexts[0]?.unlink("b")
  await world.crash(tree, "c")
  expect(tree.whereis("a")?.incarnation).toBe(2)
  await world.crash(tree, "b")
  expect(tree.whereis("a")?.incarnation).toBe(3)
  settle()
  await tree.stop()
})
