/** The dashboard's pace and bounds, on a clock of the test's own. How it looks over a socket: dashboard.test.ts. */
import { describe, expect, test } from "bun:test"
import type { BusinessId } from "../domain/ids.ts"
import { type ActorContext, actor } from "../runtime/actor.ts"
import { startTree, supervisor } from "../runtime/supervisor.ts"
import { sightOf } from "../telemetry/actor-sight.ts"
import type { SeenTree } from "../telemetry/actor-tree.ts"
import { type FakeClock, fakeClock } from "../testing/fake-clock.ts"
import { DASHBOARD, type DashboardMessage, Watch } from "./dashboard-watch.ts"

/** A watch behind its actor, over a tree of one part that is another incarnation at each look, which takes `tookMs`. */
async function watching(clock: FakeClock, tookMs = 0, incarnationOf = (look: number) => look) {
  const looks: number[] = []
  const handled: string[] = []
  let spent = 0
  let change = (): void => {}
  // What a look costs is time in which nothing else runs.
  const slow = { ...clock, now: () => clock.now() + spent }
  const look = (): SeenTree => {
    spent += tookMs
    looks.push(slow.now())
    const root = {
      id: "hub",
      kind: "hub",
      type: "actor",
      state: "running",
      significant: false,
      incarnation: incarnationOf(looks.length),
      restarts: 0,
      recentRestarts: [],
    } as const
    return { root, stuck: 0, deadLetters: 0, recentDeadLetters: [] }
  }
  const watched = {
    node: "n1",
    look,
    onChange(listener: () => void) {
      change = listener
      return () => {
        change = () => {}
      }
    },
  }
  const published: string[] = []
  const native = { publish: (_: string, frame: string) => void published.push(frame), subscribers: () => 1 }
  const child = actor<DashboardMessage>({
    id: DASHBOARD,
    start(ctx: ActorContext<DashboardMessage>) {
      const own = { ...ctx, clock: slow }
      const watch = new Watch({ watched, native, telemetry: { emit() {} } }, own, new Set())
      return {
        handle(message) {
          handled.push(message.kind)
          watch.handle(message)
        },
      }
    },
  })
  const root = supervisor({ id: "root", strategy: "one_for_one", children: [child] })
  const tree = await startTree(root, { clock, emit() {}, onGiveUp() {} })
  const enter = (business: string): Promise<boolean> => {
    const sight = sightOf([{ business: business as BusinessId, locations: null }]) // any text will do as an id here
    const entered = tree
      .ref<DashboardMessage>(DASHBOARD)
      .call<boolean>((reply) => ({ kind: "enter", sight, admit: () => true, reply }), 1_000)
    return clock.flush().then(() => entered)
  }
  return { tree, looks, handled, published, enter, change: () => change() }
}

describe("the dashboard's watch", () => {
  test("serves a hundred different tenancies at once, refuses one more, and still takes one that it has", async () => {
    const { tree, enter } = await watching(fakeClock())
    for (let n = 0; n < 100; n++) expect(await enter(`b${n}`)).toBe(true)
    expect(await enter("b100")).toBe(false)
    expect(await enter("b99")).toBe(true)
    await tree.stop()
  })

  test("is told of a thousand changes once between two looks", async () => {
    const clock = fakeClock()
    const { tree, handled, enter, change } = await watching(clock)
    await enter("b1")
    for (let n = 0; n < 1_000; n++) change()
    await clock.flush()
    expect(handled.filter((kind) => kind === "changed")).toEqual(["changed"])
    await clock.advance(250)
    change()
    await clock.flush()
    expect(handled.filter((kind) => kind === "changed")).toHaveLength(2)
    await tree.stop()
  })

  test("whose look takes long looks less often, though at a change within a second", async () => {
    const clock = fakeClock()
    const { tree, looks, enter, change } = await watching(clock, 100)
    await enter("b1")
    await clock.advance(1_000)
    const before = looks.length
    await clock.advance(2_000)
    // A twentieth of the time: every 2 s, where it would be every second.
    expect(looks.length - before).toBeLessThanOrEqual(1)
    change()
    await clock.advance(900)
    expect(looks.length - before).toBe(2)
    await tree.stop()
  })

  test("tells who came last that all is as it was before they came", async () => {
    const clock = fakeClock()
    // Who joins second is shown the second incarnation; whoever looks later sees the first again.
    const { tree, published, enter } = await watching(clock, 0, (look) => (look === 2 ? 2 : 1))
    await enter("b1")
    await clock.advance(300)
    await enter("b1")
    await clock.advance(1_000)
    expect(published.some((frame) => frame.includes('"incarnation":1'))).toBe(true)
    const told = published.length
    await clock.advance(5_000)
    expect(published).toHaveLength(told)
    await tree.stop()
  })
})
