import { afterEach, describe, expect, test } from "bun:test"
import { type Channel, Socket } from "phoenix"
import type { BusinessId } from "../domain/ids.ts"
import type { Principal, Tenancy } from "../domain/principal.ts"
import { actor } from "../runtime/actor.ts"
import { systemClock } from "../runtime/clock.ts"
import type { RuntimeEvent } from "../runtime/event.ts"
import { pool, startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import type { ActorLine, ActorTree } from "../telemetry/actor-tree.ts"
import { eventually } from "../testing/eventually.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"
import type { Watched } from "./dashboard-watch.ts"

/** What takes seconds by its nature takes longer on a busy machine. */
const SLOW_MS = 20_000

const admin = (tenancy: Tenancy): Principal => ({ ...person(null, tenancy), admin: true })
const grant = (business: string) => ({ business: business as BusinessId, locations: null })
const people = {
  admin: admin("*"),
  also: admin("*"),
  b1: admin([grant("b1")]),
  person: person("u1", "*"),
}

/** A tree beside the room's, as the hub's own stands around it. */
interface World {
  readonly tree: Tree
  readonly watched: Watched
  readonly events: RuntimeEvent[]
  looks: number
  listeners: number
}
let world: World
let room: Room
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await new Promise<void>((done) => socket.disconnect(() => done()))
  await room.stop()
  await world.tree.stop()
})

type Job = "work" | "crash"
const worker = (id: string) =>
  actor<Job>({
    id,
    kind: "worker",
    start: () => ({
      handle(job) {
        if (job === "crash") throw new Error(`${id} is broken`)
      },
    }),
  })

async function startWorld(more: Partial<Parameters<typeof startRoom>[0]> = {}): Promise<void> {
  const listeners = new Set<() => void>()
  const events: RuntimeEvent[] = []
  const root = supervisor({
    id: "hub",
    strategy: "one_for_one",
    intensity: 10_000,
    children: [worker("w"), pool<string>({ id: "topics", child: worker, intensity: 10_000 })],
  })
  const tree = await startTree(root, {
    clock: systemClock,
    emit(event) {
      events.push(event)
      for (const listener of listeners) listener()
    },
    onGiveUp() {},
  })
  world = {
    tree,
    events,
    looks: 0,
    listeners: 0,
    watched: {
      node: "n1",
      look() {
        world.looks += 1
        return tree.snapshot()
      },
      onChange(listener) {
        listeners.add(listener)
        world.listeners = listeners.size
        return () => {
          listeners.delete(listener)
          world.listeners = listeners.size
        }
      },
    },
  }
  room = await startRoom({ people, watched: world.watched, ...more })
}

function connect(token: string): Socket {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, {
    params: { token },
    reconnectAfterMs: () => 5,
    rejoinAfterMs: () => 5,
  })
  sockets.push(socket)
  socket.connect()
  return socket
}
const reply = (push: ReturnType<Channel["join"]>): Promise<[string, unknown]> =>
  new Promise((done) => {
    for (const status of ["ok", "error", "timeout"] as const)
      push.receive(status, (got: unknown) => done([status, got]))
  })

interface Watching {
  readonly channel: Channel
  readonly joined: ActorTree
  /** With the moments at which they came, in ms. */
  readonly pushes: readonly { readonly at: number; readonly tree: ActorTree }[]
  /** The first push that fits, of those that have come and those to come. */
  until(fits: (tree: ActorTree) => boolean): Promise<ActorTree>
}

async function watch(token: string): Promise<Watching> {
  const channel = connect(token).channel("dashboard")
  const pushes: { at: number; tree: ActorTree }[] = []
  const waiting = new Set<() => void>()
  channel.on("actors", (tree: ActorTree) => {
    pushes.push({ at: performance.now(), tree })
    for (const wake of waiting) wake()
  })
  const [status, response] = await reply(channel.join())
  expect(status).toBe("ok")
  return {
    channel,
    joined: (response as { readonly actors: ActorTree }).actors, // what the topic answers; its shape is compared below
    pushes,
    until: (fits) =>
      new Promise((done) => {
        const look = (): void => {
          const found = pushes.find(({ tree }) => fits(tree))
          if (found === undefined) return
          waiting.delete(look)
          done(found.tree)
        }
        waiting.add(look)
        look()
      }),
  }
}
const flat = (line: ActorLine): ActorLine[] => [line, ...(line.children ?? []).flatMap(flat)]
const lineOf = ({ tree }: ActorTree, id: string): ActorLine | undefined => flat(tree).find((line) => line.id === id)
const crash = (id: string): void => void world.tree.ref<Job>(id).send("crash")

describe("the topic `dashboard`", () => {
  test("answers an admin's join with the tree, and refuses everybody else", async () => {
    await startWorld()
    const { joined } = await watch("admin")
    expect(joined).toMatchObject({ node: "n1", tree: { id: "hub", children_count: 2 } })
    const refusedTo = async (token: string, topic = "dashboard"): Promise<unknown> =>
      reply(connect(token).channel(topic).join())
    expect(await refusedTo("person")).toEqual(["error", { reason: "unauthorized" }])
    expect(await refusedTo("admin", "dashboards")).toEqual(["error", { reason: "unmatched topic" }])
    const nobody = new Socket(`ws://127.0.0.1:${room.server.port}/socket`)
    sockets.push(nobody)
    nobody.connect()
    expect(await reply(nobody.channel("dashboard").join())).toEqual(["error", { reason: "unauthorized" }])
  })

  test("is not open from where operators may not come from", async () => {
    await startWorld({ operatorsFrom: () => false })
    expect(await reply(connect("admin").channel("dashboard").join())).toEqual(["error", { reason: "unauthorized" }])
  })

  test("shows a crash within a second, with its reason", async () => {
    await startWorld()
    const { until, joined } = await watch("admin")
    expect(lineOf(joined, "w")).toMatchObject({ restarts: 0, incarnation: 1 })
    const began = performance.now()
    crash("w")
    const tree = await until((each) => (lineOf(each, "w")?.restarts ?? 0) > 0)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(lineOf(tree, "w")).toMatchObject({ recent_restarts: [{ reason: "error", detail: "Error: w is broken" }] })
  })

  test(
    "shows the crash of one of thousands within a second, in a frame of bounded size",
    async () => {
      await startWorld()
      const many = Array.from({ length: 3_000 }, (_, n) => `topic resources:b${n}`)
      for (const id of many) await world.tree.pool<string>("topics").startChild(id)
      const { until, joined } = await watch("admin")
      expect(lineOf(joined, "topics")).toMatchObject({ children_count: 3_000, children_states: { running: 3_000 } })
      expect(JSON.stringify(joined).length).toBeLessThan(64 * 1024)
      const began = performance.now()
      crash("topic resources:b2900")
      const tree = await until((each) => (lineOf(each, "topic resources:b2900")?.restarts ?? 0) > 0)
      expect(performance.now() - began).toBeLessThan(1_000)
      expect(lineOf(tree, "topics")?.children?.[0]).toMatchObject({ id: "topic resources:b2900", restarts: 1 })
    },
    SLOW_MS,
  )

  test(
    "pushes at most four times a second at a hundred crashes a second, and ends with what is true",
    async () => {
      await startWorld()
      const crashing = Array.from({ length: 10 }, (_, n) => `topic resources:b${n}`)
      for (const id of crashing) await world.tree.pool<string>("topics").startChild(id)
      const { pushes, until } = await watch("admin")
      const restarts = (): number => world.events.filter(({ type }) => type === "restarting").length
      // The rate is the subject here, so this one does go by the clock.
      for (let round = 1; round <= 25; round++) {
        for (const id of crashing) crash(id)
        await Bun.sleep(100)
      }
      expect(restarts()).toBe(250)
      await until((tree) => crashing.every((id) => lineOf(tree, id)?.restarts === 25))
      expect(pushes.length).toBeGreaterThan(4)
      for (const [n, { at }] of pushes.entries()) {
        const fifth = pushes[n + 4]
        // Five of them never lie within a second; what arrives is as regular as the machine is.
        if (fifth !== undefined) expect(fifth.at - at).toBeGreaterThan(800)
      }
    },
    SLOW_MS,
  )

  test(
    "pushes moved figures once a second, and nothing while nothing moves",
    async () => {
      await startWorld()
      const { pushes, until } = await watch("admin")
      await eventually(
        async () => world.looks,
        (looks) => looks >= 3,
        { withinMs: 6_000, what: "looks" },
      )
      expect(pushes).toEqual([])
      world.tree.ref<Job>("w").send("work")
      const tree = await until((each) => lineOf(each, "w")?.handled === 1)
      expect(tree.stuck).toBe(0)
      expect(pushes).toHaveLength(1)
    },
    SLOW_MS,
  )

  test(
    "is in the tree that it shows, and looking at itself moves nothing",
    async () => {
      await startWorld()
      await room.stop()
      let looks = 0
      const look = () => {
        looks += 1
        return room.tree.snapshot()
      }
      room = await startRoom({ people, watched: { ...world.watched, look } })
      const { joined, pushes } = await watch("admin")
      expect(lineOf(joined, "dashboard")).toMatchObject({ kind: "dashboard", type: "actor", mailbox: { bound: 1_000 } })
      await eventually(
        async () => looks,
        (count) => count >= 3,
        { withinMs: 6_000, what: "looks" },
      )
      expect(pushes).toEqual([])
    },
    SLOW_MS,
  )

  test(
    "does nothing while nobody watches",
    async () => {
      const clock = fakeClock()
      await startWorld({ clock })
      expect([world.looks, world.listeners]).toEqual([0, 0])
      const { channel } = await watch("admin")
      expect(world.listeners).toBe(1)
      await reply(channel.leave())
      // That nobody is left is noticed at the next look.
      await eventually(
        async () => {
          await clock.advance(1_000)
          return world.listeners
        },
        (n) => n === 0,
        { withinMs: 5_000, what: "listeners" },
      )
      const looks = world.looks
      crash("w")
      await eventually(
        async () => world.tree.whereis("w")?.restarts,
        (n) => n === 1,
        { withinMs: 5_000, what: "w" },
      )
      // A timer that was left looks now.
      await clock.advance(60_000)
      expect(world.looks).toBe(looks)
    },
    SLOW_MS,
  )

  test("is encoded once for all who may see the same, and shows no other tenant's topics", async () => {
    await startWorld()
    for (const id of ["topic resources:b1", "topic resources:b2"]) {
      await world.tree.pool<string>("topics").startChild(id)
    }
    const [first, second, confined] = await Promise.all([watch("admin"), watch("also"), watch("b1")])
    expect(lineOf(confined.joined, "topics")?.children?.map(({ id }) => id)).toEqual(["topic resources:b1"])
    const pushedSoFar = (): number => room.events.filter(({ kind }) => kind === "frames_pushed").length
    const before = pushedSoFar()
    crash("topic resources:b2")
    const seen = (tree: ActorTree): boolean => (lineOf(tree, "topic resources:b2")?.restarts ?? 0) > 0
    const [one, other] = await Promise.all([first.until(seen), second.until(seen)])
    expect(one).toEqual(other)
    const told = room.events.filter((event) => event.kind === "frames_pushed").slice(before)
    expect(told).toContainEqual({ kind: "frames_pushed", family: "dashboard", count: 2 })
    crash("w")
    const own = await confined.until((tree) => (lineOf(tree, "w")?.restarts ?? 0) > 0)
    expect(lineOf(own, "w")?.recent_restarts).toMatchObject([{ reason: "error", detail: null }])
    expect(JSON.stringify(confined.pushes)).not.toContain("b2")
  })

  test("a crash of it is phx_error on that topic only, and the client finds the next one", async () => {
    const sabotage = { on: false }
    await startWorld()
    const { look } = world.watched
    await room.stop()
    room = await startRoom({
      people,
      watched: {
        ...world.watched,
        look() {
          if (sabotage.on) {
            sabotage.on = false
            throw new Error("broken")
          }
          return look()
        },
      },
    })
    const socket = connect("admin")
    const other = socket.channel("resources:b1")
    expect((await reply(other.join()))[0]).toBe("ok")
    let othersErrors = 0
    other.onError(() => {
      othersErrors += 1
    })
    const channel = socket.channel("dashboard")
    const errors: unknown[] = []
    channel.onError((reason) => void errors.push(reason))
    const joins: unknown[] = []
    const again = Promise.withResolvers<void>()
    channel.join().receive("ok", (response: unknown) => {
      joins.push(response)
      if (joins.length === 1) sabotage.on = true
      else again.resolve()
    })
    await again.promise
    expect(errors).toEqual([{ reason: "channel_crash" }])
    expect(othersErrors).toBe(0)
    expect(room.tree.whereis("dashboard")).toMatchObject({ kind: "dashboard", state: "running", restarts: 1 })
  })
})
