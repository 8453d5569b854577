import { afterEach, expect, test } from "bun:test"
import { actor } from "../runtime/actor.ts"
import { systemClock as clock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { createRegistry } from "./registry.ts"
import { treeMetrics } from "./tree-metrics.ts"

let tree: Tree | null = null
afterEach(async () => {
  await tree?.stop()
  tree = null
})

const person = "canary@example.com"
const worker = (id: string) =>
  actor<"work" | "crash">({
    id,
    kind: "worker",
    start: () => ({
      handle(message) {
        if (message === "crash") throw new Error(`of ${person}`)
      },
    }),
  })

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line.startsWith("hub_actor"))

test("a scrape reads the tree by kind, and names nobody", async () => {
  const again = Promise.withResolvers<void>()
  tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children: [worker("a"), worker(person)] }), {
    clock,
    emit: (event) => event.type === "started" && event.incarnation === 2 && again.resolve(),
    onGiveUp() {},
  })
  const registry = createRegistry()
  treeMetrics(registry, () => tree?.snapshot().kinds ?? null)
  tree.ref("a").send("work")
  tree.ref("a").send("crash")
  await again.promise
  tree.ref("nobody").send("work")
  const text = await registry.render()
  expect(linesOf(text)).toEqual(
    expect.arrayContaining([
      'hub_actors{kind="worker",state="running"} 2',
      'hub_actors{kind="worker",state="backoff"} 0',
      'hub_actor_mailbox_depth{kind="worker"} 0',
      'hub_actor_messages_total{kind="worker"} 1',
      'hub_actor_restarts_total{kind="worker"} 1',
      'hub_actor_dead_letters_total{kind="worker"} 0',
      "hub_actors_stuck 0",
    ]),
  )
  expect(text).toContain("# TYPE hub_actor_messages_total counter")
  expect(text).toContain("# TYPE hub_actors gauge")
  expect(text).not.toContain("canary")
})

test("before there is a tree there are no samples, and no failure", async () => {
  const registry = createRegistry()
  treeMetrics(registry, () => null)
  expect(linesOf(await registry.render())).toEqual([])
})
