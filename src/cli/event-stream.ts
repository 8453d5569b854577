/**
 * One connection to a hub's topic `events`: opened, joined, kept alive, and ended for a reason in words. Who reads what
 * comes, and connects again, is events.ts.
 */
import { isJsonObject, type Json } from "../domain/json.ts"
import type { EventGlimpse } from "../pubsub/pubsub.ts"

export interface EventStream {
  /** Settles with why it is over. Never rejects. */
  readonly ended: Promise<string>
  close(): void
}

/** `refused`: the hub is there and does not let us in. */
export type Opened = { readonly stream: EventStream } | { readonly refused: string } | { readonly away: string }

export interface StreamOptions {
  /** `http://localhost:4000`, with a path where the hub is behind a prefix. */
  readonly baseUrl: string
  readonly token: string
  /** `more`: how many came beside those that are shown. */
  onEvents(events: readonly EventGlimpse[], more: number): void
}

const TOPIC = "events"
const OPEN_DEADLINE_MS = 10_000
/** A hub closes what says nothing for 90 s; a line that is dead is known after two of these. */
const HEARTBEAT_MS = 20_000

/** Resolves when the topic is joined, or is not to be. */
export function openEventStream({ baseUrl, token, onEvents }: StreamOptions): Promise<Opened> {
  const { promise, resolve } = Promise.withResolvers<Opened>()
  const over = Promise.withResolvers<string>()
  const socket = new WebSocket(`${baseUrl.replace(/^http/, "ws")}/socket/websocket?vsn=2.0.0`, [
    "phoenix",
    `base64url.bearer.phx.${Buffer.from(token).toString("base64url")}`,
  ])
  const send = (ref: string, topic: string, event: string): void =>
    socket.send(JSON.stringify([topic === TOPIC ? "1" : null, ref, topic, event, {}]))
  let answered = true
  let heartbeat: ReturnType<typeof setInterval> | undefined
  const end = (why: string): void => {
    clearTimeout(deadline)
    clearInterval(heartbeat)
    resolve({ away: why })
    over.resolve(why)
    socket.close()
  }
  const deadline = setTimeout(() => end("no answer in time"), OPEN_DEADLINE_MS)
  const joined = (): void => {
    clearTimeout(deadline)
    heartbeat = setInterval(() => {
      if (!answered) return end("the line is dead")
      answered = false
      send("h", "phoenix", "heartbeat")
    }, HEARTBEAT_MS)
    resolve({ stream: { ended: over.promise, close: () => end("closed") } })
  }
  socket.addEventListener("open", () => send("1", TOPIC, "phx_join"))
  socket.addEventListener("error", () => end("the connection failed"))
  socket.addEventListener("close", ({ code, reason }) =>
    end(`closed with ${code}${reason === "" ? "" : `, ${reason}`}`),
  )
  socket.addEventListener("message", ({ data }) => {
    answered = true
    const frame: Json = JSON.parse(String(data)) // the hub's own frames: [join_ref, ref, topic, event, payload]
    if (!Array.isArray(frame)) return
    const [, ref, topic, event, payload] = frame as readonly Json[] // a list, as was just seen
    if (topic !== TOPIC || !isJsonObject(payload)) return
    if (event === "phx_reply" && ref === "1") {
      if (payload["status"] === "ok") return joined()
      const { response } = payload
      const reason = isJsonObject(response) ? response["reason"] : null
      if (reason === "unavailable") return end("the hub cannot serve the topic just now")
      resolve({ refused: String(reason) })
      end("refused")
    } else if (event === "events") {
      const { events, more } = payload
      // The cast: `realtime/events-topic.ts` of the same hub writes them, and a line of the terminal is all that is made of them.
      if (Array.isArray(events)) onEvents(events as unknown as readonly EventGlimpse[], Number(more ?? 0))
    } else if (event === "phx_error" || event === "phx_close") end("the topic ended")
  })
  return promise
}
