// A client that shares no code with Phoenix's own: that of Supabase, in the last version that had its own socket.
import { afterEach, describe, expect, test } from "bun:test"
import { RealtimeChannel, RealtimeClient } from "@supabase/realtime-js"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import { resourceStream } from "../domain/stream.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"

const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const tenancy = [{ business: "b1" as BusinessId, locations: ["l1" as LocationId] }]
const people = { ann: person("ann", tenancy), ben: person("ben", tenancy) }

let room: Room
const clients: RealtimeClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) {
    await client.removeAllChannels()
    client.disconnect()
  }
  await room.stop()
})

function connect(vsn: string, token = "ann", options: object = {}): RealtimeClient {
  const client = new RealtimeClient(`ws://127.0.0.1:${room.server.port}/socket`, {
    // It asks for a key of its own server's; ours looks at the token.
    params: { apikey: "none", token },
    vsn,
    // Also how long it waits for an answer before it joins again, and forgets the first join.
    reconnectAfterMs: () => 100,
    ...options,
  })
  clients.push(client)
  return client
}

/** It names topics after its own server, and passes on what else it was given to join with. */
function channelOf(client: RealtimeClient, topic: string, params: JsonObject = {}): RealtimeChannel {
  const channel = new RealtimeChannel(topic, { config: {}, ...params }, client)
  client.channels.push(channel)
  return channel
}
const subscribed = (channel: RealtimeChannel): Promise<string> =>
  new Promise((done) => channel.subscribe((status, error) => done(error === undefined ? status : error.message)))
/** Its types know its own server's events; what it does with others is the protocol's. */
const heard = (channel: RealtimeChannel, event: string, callback: (payload: Json) => void) =>
  channel.on(event as "system", {}, callback)

for (const vsn of ["1.0.0", "2.0.0"]) {
  describe(`version ${vsn}`, () => {
    test("joins, hears a push, is answered, and leaves", async () => {
      room = await startRoom({ people, anonymousTopics: false })
      const channel = channelOf(connect(vsn), "resources:b1-l1")
      const pushed = new Promise<Json>((done) => heard(channel, "resource_update", done))
      expect(await subscribed(channel)).toBe("SUBSCRIBED")
      room.publish([room.streams.append(stream, { n: 1 })])
      expect(await pushed).toEqual({ n: 1, _offset: 1 })
      expect(await channel.send({ type: "presence", event: "track", payload: {} })).toBe("error")
      expect(await channel.unsubscribe()).toBe("ok")
      // It says so before the server does.
      while (room.realtime.gauges.joined() > 0) await new Promise((resolve) => setImmediate(resolve))
    })

    test("is refused what its token does not name, with the reason", async () => {
      room = await startRoom({ people, anonymousTopics: false })
      expect(await subscribed(channelOf(connect(vsn), "resources:b2-l1"))).toContain("unauthorized")
    })

    test("comes back by itself after a lost line, and hears what follows", async () => {
      room = await startRoom({ people, anonymousTopics: false })
      const client = connect(vsn)
      const channel = channelOf(client, "resources:b1:l1")
      const pushed = new Promise<Json>((done) => heard(channel, "resource_update", done))
      const joins = Promise.withResolvers<void>()
      let count = 0
      channel.subscribe((status) => {
        if (status === "SUBSCRIBED" && ++count === 2) joins.resolve()
        else if (status === "SUBSCRIBED") client.conn?.close(3000, "lost")
      })
      await joins.promise
      room.publish([room.streams.append(stream, { n: 1 })])
      expect(await pushed).toEqual({ n: 1, _offset: 1 })
    })

    test("its heartbeats are answered", async () => {
      room = await startRoom({ people, anonymousTopics: false })
      const client = connect(vsn, "ann", { heartbeatIntervalMs: 10 })
      const beats: string[] = []
      const answered = new Promise<void>((done) =>
        client.onHeartbeat((status) => {
          beats.push(status)
          if (beats.filter((beat) => beat === "ok").length === 3) done()
        }),
      )
      client.connect()
      await answered
      expect(beats).not.toContain("timeout")
    })

    test("its own presence class reads who is there", async () => {
      room = await startRoom({ people, anonymousTopics: false })
      const [ann, ben] = ["ann", "ben"].map((who) => {
        const channel = channelOf(connect(vsn, who), "resources:b1:l1", { presence: { at: who } })
        const both = new Promise<void>((done) => {
          channel.on("presence", { event: "sync" }, () => {
            if (Object.keys(channel.presenceState()).length === 2) done()
          })
        })
        return { channel, both }
      })
      if (ann === undefined || ben === undefined) throw new Error("two were asked for")
      expect([await subscribed(ann.channel), await subscribed(ben.channel)]).toEqual(["SUBSCRIBED", "SUBSCRIBED"])
      await Promise.all([ann.both, ben.both])
      expect(ann.channel.presenceState()).toMatchObject({ ann: [{ at: "ann" }], ben: [{ at: "ben" }] })
    })
  })
}
