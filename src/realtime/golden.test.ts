import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { RawClient, type Room, startRoom } from "../testing/realtime-room.ts"
import { type Encoded, serializerV1, serializerV2 } from "./frame.ts"
import type { TopicFamily } from "./topic.ts"

/**
 * What a real Phoenix 1.8.12 answered, frame by frame. Deliberate differences, each left out below: presence (not yet
 * here) and kicking by socket id (not yet here).
 */
const transcript = await Bun.file(new URL("./golden/phoenix-1.8.12.txt", import.meta.url)).text()
const notReplayed = ["presence", "disconnect broadcast", "upgrade answers", "long polling"]

interface Step {
  readonly send: string | null
  readonly expected: string[]
}
interface Scenario {
  readonly name: string
  readonly path: string
  readonly steps: Step[]
  readonly closed: number | null
}

const scenarios: Scenario[] = transcript
  .split("\n## ")
  .slice(1)
  .filter((text) => !notReplayed.some((name) => text.split("\n")[0]?.includes(name)))
  .map((text) => {
    const [name = "", path = "", ...lines] = text.split("\n").map((line) => line.trim())
    const steps: Step[] = [{ send: null, expected: [] }]
    let closed: number | null = null
    for (const line of lines) {
      if (line.startsWith("-> ")) steps.push({ send: line.slice(3), expected: [] })
      else if (line.startsWith("<- ")) {
        // What the recorder caused by an HTTP request of its own has no sent frame before it.
        if (line.includes("resource_update") || line.endsWith("62696e010203>")) steps.push({ send: null, expected: [] })
        steps.at(-1)?.expected.push(line.slice(3))
      } else if (line.startsWith("closed ")) closed = Number(line.split(" ")[1])
    }
    return { name, path, steps, closed }
  })

/** 1000 and no code at all are the recorder's own closes. */
const endedByUs = (closed: number | null): boolean => closed !== null && closed > 1000

/** The probe topic that the transcript was recorded with. */
function probe(publish: (name: string, frame: Encoded) => void): TopicFamily & { notify(topic: string): void } {
  const native = (version: string, topic: string) => `probe ${version} ${topic}`
  return {
    name: "probe",
    prefix: "resources:",
    join({ topic, payload, admit }) {
      if (topic === "resources:refuse") return { kind: "refused", response: { reason: "unauthorized" } }
      if (topic === "resources:crash") throw new Error("the join crashes")
      admit({ response: payload, recovered: null, view: "probe", subscription: (version) => native(version, topic) })
      return { kind: "joined" }
    },
    push({ topic, event, payload, client }) {
      switch (event) {
        case "echo":
          return { kind: "reply", status: "ok", response: payload }
        case "fail":
          return { kind: "reply", status: "error", response: payload }
        case "silent":
          return { kind: "silent" }
        case "push":
          client.push("pushed", payload)
          return { kind: "silent" }
        case "shout":
          publish(
            native("2", topic),
            payload instanceof Uint8Array
              ? serializerV2.broadcastBinary(topic, "shouted", payload)
              : serializerV2.broadcast(topic, "shouted", JSON.stringify(payload)),
          )
          return { kind: "reply", status: "ok", response: {} }
        case "boom":
          throw new Error("the channel crashes")
        case "stop":
          return { kind: "stop", response: null }
        case "stop_reply":
          return { kind: "stop", response: { bye: true } }
        default:
          return "unknown"
      }
    },
    notify(topic) {
      const payload = JSON.stringify({ businessId: "b", locationId: "1", n: 1 })
      publish(native("2", topic), serializerV2.broadcast(topic, "resource_update", payload))
      publish(native("1", topic), serializerV1.broadcast(topic, "resource_update", payload))
    },
  }
}

describe("every golden scenario of Phoenix 1.8.12 is answered frame by frame", () => {
  const rooms = new Map<string, Room>()
  const family = probe((name, frame) => {
    for (const { server } of rooms.values()) server.publish(name, frame)
  })
  beforeAll(async () => {
    rooms.set("/socket", await startRoom({ families: [family] }))
    rooms.set("/limited", await startRoom({ families: [family], limits: { topicsPerSocket: 1 } }))
    rooms.set("/quiet", await startRoom({ families: [family], limits: { idleSeconds: 1, sweepMs: 50 } }))
    rooms.set("/small", await startRoom({ families: [family], limits: { frameBytes: 1_000 } }))
    const auth = {
      "secret-token": {
        kind: "key",
        label: "k",
        recipient: null,
        service: true,
        admin: false,
        tenancy: "*",
        expiresAt: null,
      },
    } as const
    rooms.set("/auth", await startRoom({ families: [family], anonymousTopics: false, people: auth }))
  })
  afterAll(async () => {
    await Promise.all([...rooms.values()].map((room) => room.stop()))
  })

  for (const { name, path, steps, closed } of scenarios) {
    test(name, async () => {
      const [mount = "", query = ""] = path.split("/websocket")
      const protocols =
        mount === "/auth" ? ["phoenix", `base64url.bearer.phx.${btoa("secret-token").replaceAll("=", "")}`] : []
      const room = rooms.get(mount)
      if (room === undefined) throw new Error(`no room for ${mount}`)
      const client = await RawClient.open(room.url(query.slice(1)), protocols)
      if (mount === "/auth") expect(client.protocol).toBe("phoenix")
      const v1 = !query.includes("vsn=2")
      for (const { send, expected } of steps) {
        if (send?.startsWith("<binary ")) client.send(new Uint8Array(Buffer.from(send.slice(8, -1), "hex")))
        // The recorder cut long frames short when it printed them.
        else if (send?.length === 200) client.send(["1", "1", "resources:b-1", "phx_join", { x: "y".repeat(2_000) }])
        else if (send !== null) client.sendText(send)
        else if (expected[0]?.includes("resource_update")) family.notify("resources:b-1")
        else if (expected.length > 0) {
          const data = serializerV2.broadcastBinary("resources:b-1", "bin", Uint8Array.of(1, 2, 3))
          room.server.publish("probe 2 resources:b-1", data)
        }
        const answers: string[] = []
        for (const _ of expected) answers.push(await client.next())
        expect(answers).toEqual(expected)
        if (!v1 && !endedByUs(closed)) expect(await client.settled()).toEqual([])
      }
      if (endedByUs(closed)) expect(await client.closed).toBe(closed ?? 0)
      client.close()
    })
  }
})
