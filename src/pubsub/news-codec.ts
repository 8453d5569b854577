/** News as text between nodes: several in one message, each message below what the server takes. */
import { isJsonObject } from "../domain/json.ts"
import type { News } from "./pubsub.ts"

/** Messages of at most `limit` bytes that hold all news, in order; news that is too large by itself is left out. */
export function encodeNews(node: string, news: readonly News[], limit: number): readonly string[] {
  const messages: string[] = []
  let parts: string[] = []
  let bytes = 0
  const finish = (): void => {
    if (parts.length > 0) messages.push(`{"from":${JSON.stringify(node)},"news":[${parts.join(",")}]}`)
    parts = []
    bytes = 0
  }
  for (const item of news) {
    const text = JSON.stringify(item)
    const size = Buffer.byteLength(text) + 1
    if (size > limit) continue
    if (bytes + size > limit) finish()
    parts.push(text)
    bytes += size
  }
  finish()
  return messages
}

/** The news of another node; null for our own, and for what no node of ours would write. */
export function decodeNews(text: string, ownNode: string): readonly News[] | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  if (!isJsonObject(parsed) || parsed["from"] === ownNode || !Array.isArray(parsed["news"])) return null
  const news: unknown[] = parsed["news"]
  return news.filter(isNews)
}

function isNews(value: unknown): value is News {
  if (!isJsonObject(value)) return false
  switch (value["kind"]) {
    case "events_accepted":
      return typeof value["count"] === "number" && typeof value["toRoute"] === "number"
    case "events_passing":
      return Array.isArray(value["events"]) && Array.isArray(value["counts"])
    case "timers_set":
      return typeof value["at"] === "number"
    case "deliveries_changed":
      return Array.isArray(value["ids"])
    case "deliveries_due":
      return Array.isArray(value["channels"])
    case "stream_message": {
      const { stream, event, payload, position } = value
      const texts = typeof stream === "string" && typeof event === "string" && typeof payload === "string"
      return texts && (position === null || typeof position === "number")
    }
    case "counts_changed":
      return typeof value["recipient"] === "string"
    case "sockets_kicked": {
      const { recipient, businesses } = value
      return typeof recipient === "string" && (businesses === null || Array.isArray(businesses))
    }
    case "presence":
      return isJsonObject(value["message"])
    default:
      // A newer node's news, which this one does not know: left out.
      return false
  }
}
