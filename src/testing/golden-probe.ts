/**
 * The topic that the golden transcripts were recorded with: it answers whatever a scenario asks for. A fixture and
 * nothing else: no hub has it.
 */
import type { NativeTopics } from "../realtime/fanout.ts"
import { type Encoded, serializerV1, serializerV2 } from "../realtime/frame.ts"
import type { TopicFamily } from "../realtime/topic.ts"

export interface Probe {
  readonly family: TopicFamily
  /** To everyone on the topic, as the recorder's POST and GET caused it. */
  notify(topic: string): void
  notifyBinary(topic: string): void
}

const native = (version: "1" | "2", topic: string) => `probe ${version} ${topic}`

/** `heard`: the room's, once there is one; binary frames go there as they are, which no topic of the hub's needs. */
export function probe(
  heard: () => { readonly native: NativeTopics; publish(name: string, frame: Encoded): void },
): Probe {
  const toAll = (topic: string, event: string, payload: string): void => {
    heard().native.publish(native("2", topic), serializerV2.broadcast(topic, event, payload))
    heard().native.publish(native("1", topic), serializerV1.broadcast(topic, event, payload))
  }
  return {
    family: {
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
            if (payload instanceof Uint8Array)
              heard().publish(native("2", topic), serializerV2.broadcastBinary(topic, "shouted", payload))
            else toAll(topic, "shouted", JSON.stringify(payload))
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
    },
    notify: (topic) => toAll(topic, "resource_update", JSON.stringify({ businessId: "b", locationId: "1", n: 1 })),
    notifyBinary: (topic) =>
      heard().publish(native("2", topic), serializerV2.broadcastBinary(topic, "bin", Uint8Array.of(1, 2, 3))),
  }
}
