import { expect, test } from "bun:test"
import { type Job, runtimeWorld } from "../testing/runtime-world.ts"
import { Figures, type KindFigures } from "./figures.ts"
import { pool, startTree, supervisor } from "./supervisor.ts"

test("figures are given per kind: how many are in which state, how deep their mailboxes are, what they have handled", async () => {
  const world = runtimeWorld()
  const children = [
    world.worker("a", { kind: "worker" }),
    world.worker("b", { kind: "worker" }),
    world.worker("db", { kind: "store", backoff: {} }),
    world.worker("no", { kind: "worker", starting: () => "ignore" }),
  ]
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children }))
  const of = (kind: string): KindFigures | undefined => tree.snapshot().kinds.find((each) => each.kind === kind)
  await world.crash(tree, "db")
  await tree.supervisor("root").terminateChild("b")
  const a = tree.ref<Job>("a")
  a.send(() => {})
  await world.clock.flush()
  a.send(() => new Promise(() => {}))
  await world.clock.flush()
  a.send(() => {})
  a.send(() => {})
  const none = { starting: 0, running: 0, stopping: 0, stopped: 0, backoff: 0, ignored: 0 }
  expect(of("worker")).toEqual({
    kind: "worker",
    actors: { ...none, running: 1, stopped: 1, ignored: 1 },
    mailboxDepth: 2,
    handled: 1,
    restarts: 0,
    deadLetters: 0,
    stuck: 0,
  })
  expect(of("store")).toMatchObject({ actors: { ...none, backoff: 1 }, restarts: 1 })
  expect(of("supervisor")).toMatchObject({ actors: { ...none, running: 1 } })
  await world.clock.advance(30_000)
  expect(of("worker")).toMatchObject({ stuck: 1, deadLetters: 2, handled: 1, restarts: 1 })
  expect(tree.snapshot().stuck).toBe(1)
  await tree.stop()
})

test("a counter never goes down, whoever crashes, is restarted, ends or is removed", async () => {
  const world = runtimeWorld()
  const child = (id: string) =>
    world.worker(id, { kind: "topic", restart: id.startsWith("t") ? "temporary" : "permanent" })
  const inner = supervisor({
    id: "inner",
    strategy: "one_for_one",
    intensity: 2,
    children: [pool({ id: "pool", child }), world.worker("a", { kind: "worker" })],
  })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", intensity: 100, children: [inner] }))
  let last = new Map<string, KindFigures>()
  const look = () => {
    const now = new Map(tree.snapshot().kinds.map((each) => [each.kind, each]))
    for (const [kind, before] of last) {
      const after = now.get(kind)
      for (const counter of ["handled", "restarts", "deadLetters"] as const) {
        expect(after?.[counter] ?? -1).toBeGreaterThanOrEqual(before[counter])
      }
    }
    last = now
  }
  let handled = 0
  const them = tree.pool<string>("pool")
  for (let round = 0; round < 30; round++) {
    const id = `${round % 2 === 0 ? "t" : "p"}${round}`
    await them.startChild(id)
    const to = tree.ref<Job>(round % 3 === 0 ? id : "a")
    if (to.send(() => {}) === "ok") handled++
    await world.clock.flush()
    look()
    await world.crash(tree, round % 3 === 1 ? id : "a")
    look()
    if (round % 5 === 0) await them.stopChild(id)
    look()
  }
  expect((last.get("topic")?.handled ?? 0) + (last.get("worker")?.handled ?? 0)).toBe(handled)
  await tree.stop()
  look()
})

test("kinds are meant to be few: from the two hundredth on they are counted together", () => {
  const figures = new Figures()
  for (let at = 0; at < 1_000; at++) figures.of(`id ${at}`).restarts++
  const kinds = figures.snapshot([])
  expect(kinds).toHaveLength(201)
  expect(kinds.at(-1)).toMatchObject({ kind: "other", restarts: 800 })
})

test("who looks while an end is being told counts nothing twice", async () => {
  const world = runtimeWorld()
  const seen: number[] = []
  const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a")] }), {
    clock: world.clock,
    emit: (event) => {
      if (event.type === "exited" && event.id === "a") seen.push(handledBy("a"))
    },
    onGiveUp() {},
  })
  const handledBy = (kind: string) => tree.snapshot().kinds.find((of) => of.kind === kind)?.handled ?? 0
  for (let sent = 0; sent < 5; sent++) tree.ref<Job>("a").send(() => {})
  await world.crash(tree, "a")
  expect([...seen, handledBy("a")]).toEqual([5, 5])
  await tree.stop()
})
