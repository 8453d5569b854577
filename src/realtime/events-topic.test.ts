import { afterEach, describe, expect, test } from "bun:test"
import { type Channel, Socket } from "phoenix"
import type { BusinessId, EventId } from "../domain/ids.ts"
import type { Principal, Tenancy } from "../domain/principal.ts"
import type { EventGlimpse, News } from "../pubsub/pubsub.ts"
import { eventually } from "../testing/eventually.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"

const admin = (tenancy: Tenancy): Principal => ({ ...person(null, tenancy), admin: true })
const people = {
  admin: admin("*"),
  also: admin("*"),
  b1: admin([{ business: "b1" as BusinessId, locations: null }]),
  person: person("u1", "*"),
}
let room: Room
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await new Promise<void>((done) => socket.disconnect(() => done()))
  await room.stop()
})

interface Pushed {
  readonly events: readonly EventGlimpse[]
  readonly more: number
}
function channelOf(token: string): Channel {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, { params: { token } })
  sockets.push(socket)
  socket.connect()
  return socket.channel("events")
}
const reply = (push: ReturnType<Channel["join"]>): Promise<[string, unknown]> =>
  new Promise((done) => {
    for (const status of ["ok", "error"] as const) push.receive(status, (got: unknown) => done([status, got]))
  })
async function watch(token: string): Promise<{ readonly channel: Channel; readonly pushes: readonly Pushed[] }> {
  const channel = channelOf(token)
  const pushes: Pushed[] = []
  channel.on("events", (push: Pushed) => void pushes.push(push))
  expect(await reply(channel.join())).toEqual(["ok", {}])
  return { channel, pushes }
}
let made = 0
const glimpse = (business: string): EventGlimpse => ({
  id: `evt_${++made}` as EventId,
  type: "invoice.overdue",
  source: "erp",
  severity: "high",
  business_id: business,
  location_id: null,
  accepted_at: "2026-01-05T09:00:00.000Z",
})
const passing = (counts: Readonly<Record<string, number>>, shown = Number.POSITIVE_INFINITY): News => ({
  kind: "events_passing",
  events: Object.entries(counts).flatMap(([of, n]) => Array.from({ length: Math.min(shown, n) }, () => glimpse(of))),
  counts: Object.entries(counts).map(([of, n]) => [of, null, n] as const),
})
const total = (pushes: readonly Pushed[]): number =>
  pushes.reduce((sum, { events, more }) => sum + events.length + more, 0)
const untilTotal = (pushes: readonly Pushed[], n: number): Promise<unknown> =>
  eventually(
    async () => total(pushes),
    (sum) => sum >= n,
    { withinMs: 5_000, what: "events pushed" },
  )

describe("the topic `events`", () => {
  test("is for admins alone", async () => {
    room = await startRoom({ people })
    expect(await reply(channelOf("person").join())).toEqual(["error", { reason: "unauthorized" }])
    const nobody = new Socket(`ws://127.0.0.1:${room.server.port}/socket`)
    sockets.push(nobody)
    nobody.connect()
    expect(await reply(nobody.channel("events").join())).toEqual(["error", { reason: "unauthorized" }])
  })

  test("shows which events were accepted, and to a confined admin those of their business alone", async () => {
    room = await startRoom({ people })
    const [all, own] = await Promise.all([watch("admin"), watch("b1")])
    room.publish([passing({ b1: 1, b2: 2 })])
    await Promise.all([untilTotal(all.pushes, 3), untilTotal(own.pushes, 1)])
    expect(all.pushes[0]?.events[0]).toEqual({ ...glimpse("b1"), id: `evt_${made - 3}` as EventId })
    room.publish([passing({ b2: 5 })])
    room.publish([passing({ b1: 1 })])
    await Promise.all([untilTotal(all.pushes, 9), untilTotal(own.pushes, 2)])
    expect(own.pushes.flatMap(({ events }) => events).map((event) => event.business_id)).toEqual(["b1", "b1"])
    expect(total(own.pushes)).toBe(2)
  })

  test("pushes a flood four times a second at most, a hundred at once, and counts the rest", async () => {
    room = await startRoom({ people })
    const { pushes } = await watch("admin")
    const began = performance.now()
    for (let commit = 0; commit < 100; commit++) {
      room.publish([passing({ b1: 40, b2: 10 }, 2)])
      if (commit % 10 === 9) await Bun.sleep(50)
    }
    await untilTotal(pushes, 5_000)
    expect(total(pushes)).toBe(5_000)
    expect(pushes.length).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 250) + 1)
    for (const { events } of pushes) expect(events.length).toBeLessThanOrEqual(100)
    expect(pushes.some(({ more }) => more > 0)).toBe(true)
  })

  test("is encoded once for all who may see the same", async () => {
    room = await startRoom({ people })
    const [one, other] = await Promise.all([watch("admin"), watch("also")])
    room.publish([passing({ b1: 3 })])
    await Promise.all([untilTotal(one.pushes, 3), untilTotal(other.pushes, 3)])
    expect(one.pushes).toEqual(other.pushes)
    expect(room.events).toContainEqual({ kind: "frames_pushed", family: "events", count: 2 })
  })

  test("listens to nothing while nobody watches", async () => {
    room = await startRoom({ people })
    const handled = (): number => room.tree.whereis("events")?.handled ?? -1
    room.publish([passing({ b1: 3 })])
    const { channel } = await watch("admin")
    expect(handled()).toBe(1)
    channel.leave()
    // The client calls itself gone at once, whatever the server says.
    await eventually(
      async () => room.events,
      (events) => events.some(({ kind }) => kind === "topic_left"),
      { withinMs: 5_000, what: "the end of the leave" },
    )
    room.publish([passing({ b1: 3 })]) // finds nobody, and stops listening
    await eventually(
      async () => handled(),
      (n) => n === 2,
      { withinMs: 5_000, what: "messages of the actor" },
    )
    for (let n = 0; n < 10; n++) room.publish([passing({ b1: 3 })])
    await Bun.sleep(400)
    expect(handled()).toBe(2)
    expect(room.events.filter(({ kind }) => kind === "frames_pushed")).toEqual([])
  })
})
