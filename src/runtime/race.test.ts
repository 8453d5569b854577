import { expect, test } from "bun:test"
import fc from "fast-check"
import {
  type Ask,
  type Manner,
  PARENTS,
  ScheduledWorld,
  type Tampering,
  type Told,
  WORKERS,
  type World,
} from "../testing/scheduled-world.ts"
import type { Process, ProcessHooks, RestartType, TreeEnv } from "./child-spec.ts"
import type { Strategy } from "./supervisor.ts"

const strategy = fc.constantFrom<Strategy>("one_for_one", "one_for_all", "rest_for_one")
const manner = fc.record<Manner>({
  restart: fc.constantFrom<RestartType>("permanent", "permanent", "transient", "temporary"),
  slow: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
  starts: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc
      .array(fc.constantFrom("ok" as const, "fails" as const, "hangs" as const), { maxLength: 3 })
      .map((rest) => ["ok" as const, ...rest]),
  ),
  deaf: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
  backoff: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
})
const world = fc.record<World>({
  strategies: fc.tuple(strategy, strategy),
  intensity: fc.integer({ min: 0, max: 2 }),
  manners: fc.array(manner, { minLength: 1, maxLength: 3 }),
})
const worker = fc.constantFrom(...WORKERS)
/** Two requests to one child are what their turns are for. */
const fixed = fc.oneof(fc.constant("d"), fc.constantFrom(...Object.keys(PARENTS)))
const pooled = fc.constantFrom("p0", "p1")
const asked = <A extends string>(...asks: A[]) => fc.constantFrom<A>(...asks)
const tell = (...what: Told[]) => fc.record({ ask: asked("tell"), of: worker, what: fc.constantFrom(...what) })
const ask = fc.oneof<fc.Arbitrary<Ask>[]>(
  tell("crash", "crash", "crash at once", "leave"),
  tell("crash", "work", "hang", "task", "long task"),
  fc.record({ ask: asked("call"), of: worker }),
  fc.record({ ask: asked("restart"), of: fc.oneof(worker, fixed) }),
  fc.record({ ask: asked("terminate", "restart child"), of: fixed }),
  fc.record({ ask: asked("start in pool", "start in pool", "stop in pool"), of: pooled }),
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ ask: asked("wait"), ms: fc.constantFrom(50, 600) }) },
    fc.record({ ask: asked("stop") }),
  ),
)
const asks = fc.array(ask, { maxLength: 8, size: "max" })
const turns = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 4 })

const race = (tamper?: Tampering) =>
  fc.asyncProperty(fc.scheduler(), world, asks, turns, async (scheduler, world, asks, turns) => {
    const raced = new ScheduledWorld(scheduler, turns, tamper)
    await raced.run(world, asks)
    expect(raced.wrong).toEqual([])
  })

// A rejection that nobody handles fails the test as well: the runner sees to that.
test("10,000 schedules of crashes, stops, restarts and requests: in none does an incarnation overlap, leak, hang or act after its end", async () => {
  await fc.assert(race(), { numRuns: 10_000 })
}, 120_000)

/** A child whose hooks or process are not what they should be. */
const planted =
  (change: (process: Process, hooks: ProcessHooks, env: TreeEnv) => Partial<Process>): Tampering =>
  (spec) => ({
    ...spec,
    create: (env, hooks) => {
      const mine = { ...hooks }
      const process = spec.create(env, mine)
      const changed = change(process, mine, env)
      return new Proxy(process, {
        get(target, key) {
          const value: unknown = Reflect.get(Reflect.has(changed, key) ? changed : target, key)
          return typeof value === "function" ? value.bind(target) : value
        },
      })
    },
  })

const ignore = (): void => {}
/** By the word of the complaint that each must lead to. */
const BUGS: Record<string, readonly [complaint: string, tamper: Tampering]> = {
  "an end is reported when it is asked for, not when it has come": [
    "is said to have ended, but still ends",
    planted((process, hooks) => {
      let { exited } = hooks
      hooks.exited = (reason) => exited(reason)
      return {
        stop(reason) {
          process.stop(reason)
          exited(reason)
          exited = ignore
        },
      }
    }),
  ],
  "an end is reported twice": [
    "ends twice",
    planted((_process, hooks) => {
      const { exited } = hooks
      hooks.exited = (reason) => {
        exited(reason)
        exited(reason)
      }
      return {}
    }),
  ],
  "a stop is not heard while starting": [
    "no answer to",
    planted((process, hooks) => {
      const { ready } = hooks
      let isReady = false
      hooks.ready = () => {
        isReady = true
        ready()
      }
      return {
        stop(reason) {
          if (isReady) process.stop(reason)
        },
      }
    }),
  ],
  "a timer is left behind": [
    "timers are left",
    planted((_process, _hooks, { clock }) => {
      clock.after(3_600_000, ignore)
      return {}
    }),
  ],
  "an old incarnation may still send": [
    "may still send",
    planted((_process, _hooks, env) => {
      const { registry } = env
      Object.assign(env, { registry: Object.create(registry, { ref: { value: (id: string) => registry.ref(id) } }) })
      return {}
    }),
  ],
}
for (const [bug, [complaint, tamper]] of Object.entries(BUGS)) {
  test(`the race notices when ${bug}`, async () => {
    const { errorInstance } = await fc.check(race(tamper), { numRuns: 10_000, seed: 1, endOnFailure: true })
    expect(String(errorInstance)).toContain(complaint)
  })
}
