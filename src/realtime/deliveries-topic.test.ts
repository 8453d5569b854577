import { afterEach, describe, expect, test } from "bun:test"
import { type Channel, Socket } from "phoenix"
import type { BusinessId } from "../domain/ids.ts"
import type { Principal, Tenancy } from "../domain/principal.ts"
import type { News } from "../pubsub/pubsub.ts"
import { eventually } from "../testing/eventually.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"
import type { BusinessesOf } from "./deliveries-topic.ts"

const admin = (tenancy: Tenancy): Principal => ({ ...person(null, tenancy), admin: true })
const people = {
  admin: admin("*"),
  b1: admin([{ business: "b1" as BusinessId, locations: [] }]),
  person: person("u1", "*"),
}
let room: Room
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await new Promise<void>((done) => socket.disconnect(() => done()))
  await room.stop()
})

/** `dlv_b1_7` is b1's. */
let asked = 0
const businessesOf: BusinessesOf = async (ids) => {
  asked += 1
  if (ids.includes("away")) throw new Error("the database is away")
  return new Map(ids.map((id) => [id, (id.split("_")[1] ?? "") as BusinessId]))
}
const start = async (): Promise<void> => {
  asked = 0
  room = await startRoom({ people, businessesOf })
}
const changed = (...ids: readonly string[]): readonly News[] => [{ kind: "deliveries_changed", ids }]

function channelOf(token: string): Channel {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, { params: { token } })
  sockets.push(socket)
  socket.connect()
  return socket.channel("deliveries")
}
const reply = (push: ReturnType<Channel["join"]>): Promise<[string, unknown]> =>
  new Promise((done) => {
    for (const status of ["ok", "error"] as const) push.receive(status, (got: unknown) => done([status, got]))
  })
async function watch(token: string): Promise<{ readonly channel: Channel; readonly ids: readonly string[] }> {
  const channel = channelOf(token)
  const ids: string[] = []
  channel.on("deliveries", (push: { readonly ids: readonly string[] }) => void ids.push(...push.ids))
  expect(await reply(channel.join())).toEqual(["ok", {}])
  return { channel, ids }
}
const until = (ids: readonly string[], n: number): Promise<unknown> =>
  eventually(
    async () => ids.length,
    (count) => count >= n,
    { withinMs: 5_000, what: "ids pushed" },
  )

describe("the topic `deliveries`", () => {
  test("is for admins alone", async () => {
    await start()
    expect(await reply(channelOf("person").join())).toEqual(["error", { reason: "unauthorized" }])
  })

  test("tells which deliveries changed, and a confined admin those of their business alone", async () => {
    await start()
    const [all, own] = await Promise.all([watch("admin"), watch("b1")])
    room.publish(changed("dlv_b1_1", "dlv_b2_2"))
    await Promise.all([until(all.ids, 2), until(own.ids, 1)])
    room.publish(changed("dlv_b2_3"))
    room.publish(changed("dlv_b1_4", "dlv_b1_4"))
    await Promise.all([until(all.ids, 4), until(own.ids, 2)])
    expect(own.ids).toEqual(["dlv_b1_1", "dlv_b1_4"])
    expect(all.ids).toEqual(["dlv_b1_1", "dlv_b2_2", "dlv_b2_3", "dlv_b1_4"])
  })

  test("survives a database that is away, and asks it nothing while nobody watches", async () => {
    await start()
    const { channel, ids } = await watch("admin")
    room.publish(changed("away"))
    await eventually(
      async () => asked,
      (n) => n > 0,
      { withinMs: 5_000, what: "questions" },
    )
    room.publish(changed("dlv_b1_1"))
    await until(ids, 1)
    await reply(channel.leave())
    const handled = (): number => room.tree.whereis("deliveries-topic")?.handled ?? -1
    const before = handled()
    room.publish(changed("dlv_b1_2")) // finds nobody, and stops listening
    await eventually(
      async () => handled(),
      (n) => n > before,
      { withinMs: 5_000, what: "messages of the actor" },
    )
    const questions = asked
    room.publish(changed("dlv_b1_3"))
    expect(asked).toBe(questions)
    expect(ids).toEqual(["dlv_b1_1"])
  })
})
