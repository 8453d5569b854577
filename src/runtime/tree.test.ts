import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Job, runtimeWorld, type WorkerOptions, type World } from "../testing/runtime-world.ts"
import type { Down } from "./actor.ts"
import type { ChildSpec } from "./child-spec.ts"
import { pool, StartFailed, type Strategy, startTree, supervisor, type Tree } from "./supervisor.ts"

type Manner = "plain" | "slow start" | "failing start" | "slow stop" | "deaf" | "backoff" | "transient" | "temporary"
interface Plan {
  readonly strategy: Strategy
  readonly intensity: number
  readonly children: readonly (Manner | Plan)[]
}

const manner = fc.constantFrom<Manner>(
  "plain",
  "slow start",
  "failing start",
  "slow stop",
  "deaf",
  "backoff",
  "transient",
  "temporary",
)
const plan = (depth: number): fc.Arbitrary<Plan> =>
  fc.record({
    strategy: fc.constantFrom<Strategy>("one_for_one", "one_for_all", "rest_for_one"),
    intensity: fc.integer({ min: 0, max: 6 }),
    children: fc.array(depth > 0 ? fc.oneof({ weight: 3, arbitrary: manner }, plan(depth - 1)) : manner, {
      maxLength: 4,
    }),
  })

const step = fc.oneof(
  fc.record({ crash: fc.nat() }),
  fc.record({ crash: fc.nat() }),
  fc.record({ end: fc.nat() }),
  fc.record({ hang: fc.nat() }),
  fc.record({ restart: fc.nat() }),
  fc.record({ startChild: fc.nat({ max: 3 }) }),
  fc.record({ stopChild: fc.nat({ max: 3 }) }),
  fc.record({ terminate: fc.nat() }),
  fc.record({ revive: fc.nat() }),
  fc.record({ watcher: fc.nat(), watched: fc.nat() }),
  fc.record({ watcher: fc.nat(), watched: fc.nat() }),
  fc.record({ link: fc.nat(), to: fc.nat(), trap: fc.boolean() }),
  fc.record({ advance: fc.constantFrom(1, 10, 100, 1_000, 31_000) }),
  fc.constant("flush" as const),
)

function optionsFor(manner: Manner, world: World): WorkerOptions {
  const wait = (ms: number) => new Promise<undefined>((resolve) => world.clock.after(ms, () => resolve(undefined)))
  const common: WorkerOptions = { handlerTimeoutMs: 500, startTimeoutMs: 200, shutdownMs: 100 }
  switch (manner) {
    case "plain":
      return common
    case "slow start":
      return { ...common, starting: () => wait(20) }
    case "failing start":
      return {
        ...common,
        starting: (ctx) => (ctx.incarnation % 3 === 2 ? Promise.reject(new Error("not yet")) : undefined),
      }
    case "slow stop":
      return { ...common, terminate: () => wait(20).then(() => {}) }
    case "deaf":
      return { ...common, terminate: () => wait(400).then(() => {}) }
    case "backoff":
      return { ...common, backoff: { minMs: 10, maxMs: 100 } }
    case "transient":
    case "temporary":
      return { ...common, restart: manner }
  }
}

function build(world: World, root: Plan): { spec: ChildSpec; ids: string[] } {
  const ids: string[] = []
  const make = (plan: Plan): ChildSpec => {
    const id = `s${ids.push("") - 1}`
    ids[ids.length - 1] = id
    const children = plan.children.map((child) => {
      if (typeof child === "object") return make(child)
      const name = `w${ids.length}`
      ids.push(name)
      return world.worker(name, optionsFor(child, world))
    })
    return supervisor({ id, strategy: plan.strategy, intensity: plan.intensity, children })
  }
  const template = (name: string) => world.worker(name, optionsFor("slow start", world))
  const inside = make(root)
  const children = [inside, pool<string>({ id: "pool", child: template, intensity: 100 })]
  return { spec: supervisor({ id: "root", strategy: "one_for_one", intensity: 20, children }), ids }
}

test("whatever crashes, hangs, stops and restarts, in whatever tree: one incarnation of a name at a time, no end is told twice, and a stop ends everything", async () => {
  await fc.assert(
    fc.asyncProperty(plan(2), fc.array(step, { maxLength: 25 }), async (root, steps) => {
      const world = runtimeWorld()
      const { spec, ids } = build(world, root)
      const supervisors = ["root", ...ids.filter((id) => id.startsWith("s"))]
      const watches: { readonly incarnation: number; readonly told: Down[] }[] = []
      const watch = (tree: Tree, id: string, target: string) => {
        tree.ref<Job>(id).send((ctx) => {
          const place = tree.whereis(target)
          const isUp = place !== undefined && ["starting", "running", "stopping"].includes(place.state)
          const entry = { incarnation: isUp ? place.incarnation : 0, told: [] as Down[] }
          watches.push(entry)
          ctx.monitor(target, (down) => () => void entry.told.push(down))
        })
      }
      let settled = false
      const starting = world.start(spec).finally(() => {
        settled = true
      })
      starting.catch(() => {})
      while (!settled) await world.clock.advance(10)
      const tree = await starting.catch((error: unknown) => {
        expect(error).toBeInstanceOf(StartFailed)
        return undefined
      })
      if (tree !== undefined) {
        const asked: Promise<unknown>[] = []
        const some = (at: number) => ids[at % ids.length] ?? "root"
        // The n-th supervisor from here; most children are not its own, which it must say.
        const requests = (at: number) => tree.supervisor(supervisors[at % supervisors.length] ?? "root")
        for (const each of steps) {
          if (each === "flush") await world.clock.flush()
          else if ("crash" in each) {
            tree.ref<Job>(some(each.crash)).send(() => {
              throw new Error("crash")
            })
          } else if ("end" in each) tree.ref<Job>(some(each.end)).send((ctx) => ctx.exit({ kind: "normal" }))
          else if ("hang" in each) tree.ref<Job>(some(each.hang)).send(() => new Promise(() => {}))
          else if ("restart" in each) asked.push(tree.restart(some(each.restart)))
          else if ("startChild" in each) asked.push(tree.pool<string>("pool").startChild(`p${each.startChild}`))
          else if ("stopChild" in each) asked.push(tree.pool<string>("pool").stopChild(`p${each.stopChild}`))
          else if ("terminate" in each) asked.push(requests(each.terminate).terminateChild(some(each.terminate)))
          else if ("revive" in each) asked.push(requests(each.revive).restartChild(some(each.revive)))
          else if ("watcher" in each) watch(tree, some(each.watcher), some(each.watched))
          else if ("link" in each) {
            tree.ref<Job>(some(each.link)).send((ctx) => {
              if (each.trap) ctx.trapExits(() => () => {})
              ctx.link(some(each.to))
            })
          } else await world.clock.advance(each.advance)
        }
        let stopped = false
        const stop = tree.stop().then(() => {
          stopped = true
        })
        for (let waited = 0; !stopped && waited < 60_000; waited += 50) await world.clock.advance(50)
        expect(stopped).toBe(true)
        await stop
        let answered = false
        const answers = Promise.all(asked).then(() => {
          answered = true
        })
        await world.clock.flush()
        expect(answered).toBe(true)
        await answers
        expect(tree.ref<Job>("pool").send(() => {})).toBe("down")
      }
      // Only what the workers themselves still wait for may be left; none of it is the runtime's.
      await world.clock.advance(1_000)
      expect(world.clock.pending).toBe(0)
      for (const { incarnation, told } of watches) {
        expect(told.length).toBeLessThanOrEqual(1)
        // One that is about to be tried again is shown as starting while nobody is there yet.
        for (const down of told) expect([incarnation, 0]).toContain(down.incarnation)
        if (incarnation === 0) expect(told.every(({ reason }) => reason.kind === "noproc")).toBe(true)
      }
      const live = new Map<string, number>()
      for (const event of world.events) {
        if (event.type === "started") {
          expect(live.has(event.id)).toBe(false)
          live.set(event.id, event.incarnation)
        } else if (event.type === "exited" && event.wasReady) {
          expect(live.get(event.id)).toBe(event.incarnation)
          live.delete(event.id)
        }
      }
      expect([...live.keys()]).toEqual([])
    }),
    { numRuns: 2_000 },
  )
}, 60_000)

test("33: a supervisor whose time to stop runs out abandons what still runs below it, the last one first", async () => {
  const world = runtimeWorld()
  const deaf = { terminate: () => new Promise<void>(() => {}), shutdownMs: 60_000 }
  const below = supervisor({
    id: "below",
    strategy: "one_for_one",
    shutdownMs: 100,
    children: [world.worker("a", deaf), world.worker("b"), world.worker("c", deaf)],
  })
  const tree = await world.start(supervisor({ id: "root", strategy: "one_for_one", children: [below] }))
  const refs = ["a", "b", "c"].map((id) => tree.ref<Job>(id))
  const stopped = tree.stop()
  await world.clock.advance(100)
  await stopped
  const exits = world.events.flatMap((event) => (event.type === "exited" ? [`${event.id} ${event.reason.kind}`] : []))
  expect(exits).toEqual(["c killed", "b killed", "a killed", "below killed"])
  expect(refs.map((ref) => ref.send(() => {}))).toEqual(["down", "down", "down"])
  expect(world.clock.pending).toBe(0)
})

for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
  test(`27: ${strategy}: a stop asked by whoever is told of something stops all, also what was about to be started`, async () => {
    for (const told of ["exited", "restarting", "gave_up", "started"] as const) {
      const world = runtimeWorld()
      const children = [world.worker("a"), world.worker("b")]
      let tree: Tree | undefined
      let stopped: Promise<void> | undefined
      tree = await startTree(supervisor({ id: "root", strategy, intensity: told === "gave_up" ? 0 : 5, children }), {
        clock: world.clock,
        emit: (event) => {
          if (event.type === told) stopped ??= tree?.stop()
        },
        onGiveUp() {},
      })
      await world.crash(tree, "b")
      await stopped
      await world.clock.flush()
      const runs = world.since().split(" ")
      for (const sign of ["+a", "+b"])
        expect(runs.filter((run) => run === sign).length).toBe(
          runs.filter((run) => run === sign.replace("+", "-")).length,
        )
      expect(world.clock.pending).toBe(0)
    }
  })
}
