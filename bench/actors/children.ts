/**
 * Starts and stops many idle actors: in a pool, as the hub's topics are, or as the fixed children of a supervisor. Each
 * counts its start and its `terminate`, so that nothing is measured that did not happen.
 */
import { heapStats } from "bun:jsc"
import { actor } from "../../src/runtime/actor.ts"
import { systemClock } from "../../src/runtime/clock.ts"
import { type PoolRef, pool, startTree, supervisor, type Tree } from "../../src/runtime/supervisor.ts"

/** Milliseconds. */
export interface Took {
  readonly start: number
  readonly stop: number
}

class Census {
  started = 0
  stopped = 0

  child(number: number) {
    return actor<never>({
      id: `child-${number}`,
      kind: "child",
      start: () => {
        this.started++
        return { handle() {}, terminate: () => void this.stopped++ }
      },
    })
  }

  check(children: number): void {
    if (this.started === children && this.stopped === children) return
    throw new Error(`${this.started} started and ${this.stopped} stopped of ${children}`)
  }
}

const options = {
  clock: systemClock,
  emit() {},
  onGiveUp() {
    throw new Error("the tree gave up")
  },
}

async function treeWithPool(census: Census): Promise<{ readonly tree: Tree; readonly children: PoolRef<number> }> {
  const children = pool<number>({ id: "children", child: (number) => census.child(number) })
  const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children: [children] }), options)
  return { tree, children: tree.pool<number>("children") }
}

async function fill(children: PoolRef<number>, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const { kind } = await children.startChild(number)
    if (kind !== "started") throw new Error(`a child is ${kind}`)
  }
}

/** Each start is awaited before the next; they stop together, with the tree, as at the end of the hub. */
export async function pooled(count: number): Promise<Took> {
  const census = new Census()
  const { tree, children } = await treeWithPool(census)
  const began = performance.now()
  await fill(children, count)
  const up = performance.now()
  await tree.stop()
  const down = performance.now()
  census.check(count)
  return { start: up - began, stop: down - up }
}

/** As topics come and go: each start and each stop is awaited before the next. */
export async function oneByOne(count: number): Promise<Took> {
  const census = new Census()
  const { tree, children } = await treeWithPool(census)
  const began = performance.now()
  await fill(children, count)
  const up = performance.now()
  for (let number = 0; number < count; number++) await children.stopChild(`child-${number}`)
  const down = performance.now()
  await tree.stop()
  census.check(count)
  return { start: up - began, stop: down - up }
}

/** The spec, with its checks, counts as part of the start; a supervisor stops its children one after the other. */
export async function supervised(count: number): Promise<Took> {
  const census = new Census()
  const began = performance.now()
  const children = Array.from({ length: count }, (_, number) => census.child(number))
  const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children }), options)
  const up = performance.now()
  await tree.stop()
  const down = performance.now()
  census.check(count)
  return { start: up - began, stop: down - up }
}

/** Objects that live as long as their child, and those that only its start needs: some 2.5 kB, as an idle actor has. */
const KEPT = 22
const PASSING = 10

/**
 * As much of a heap as the children have, by name in a map and each awaited, and no supervisor: what the memory and its
 * collector alone cost.
 */
export async function heapOnly(count: number): Promise<Took> {
  const kept = new Map<string, object>()
  let touched = 0
  const began = performance.now()
  for (let number = 0; number < count; number++) {
    const id = `child-${number}`
    const one = (_: unknown, part: number) => ({ id, part, next: undefined, turn: () => void touched++ })
    const passing = Array.from({ length: PASSING }, one)
    for (const { turn } of passing) turn()
    kept.set(id, { id, parts: Array.from({ length: KEPT }, one), calls: new Set(), own: [] })
    await new Promise<void>((resolve) => resolve())
  }
  const up = performance.now()
  for (const id of [...kept.keys()].reverse()) {
    kept.delete(id)
    await new Promise<void>((resolve) => resolve())
  }
  const down = performance.now()
  if (touched !== count * PASSING) throw new Error(`${touched} objects touched`)
  return { start: up - began, stop: down - up }
}

/** Bytes for each idle child. */
export interface Weight {
  readonly heap: number
  readonly rss: number
}

/** In a process of its own, because what earlier rounds left behind would be used again and not be seen. */
export async function weigh(count: number): Promise<Weight> {
  const child = Bun.spawn([process.execPath, import.meta.path, String(count)], { stdout: "pipe", stderr: "inherit" })
  const deadline = setTimeout(() => child.kill(), 30_000)
  const text = await child.stdout.text()
  clearTimeout(deadline)
  return JSON.parse(text) // this file's own words, below
}

async function weighHere(count: number): Promise<Weight> {
  const { tree, children } = await treeWithPool(new Census())
  const measure = () => {
    Bun.gc(true)
    return { heap: heapStats().heapSize, rss: process.memoryUsage.rss() }
  }
  const before = measure()
  await fill(children, count)
  const after = measure()
  await tree.stop()
  return { heap: (after.heap - before.heap) / count, rss: (after.rss - before.rss) / count }
}

if (import.meta.main) console.log(JSON.stringify(await weighHere(Number(process.argv[2]))))
