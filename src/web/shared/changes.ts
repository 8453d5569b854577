/**
 * The open line to the hub: the stock Phoenix client on the topic `deliveries`, which names those that have changed. It
 * reconnects and rejoins by itself; what was missed meanwhile is loaded again by whoever hears `joined`.
 */
import { Socket } from "phoenix"
import { each, fields, text, textOrNull } from "./fields.ts"

/** `closed`: this token may not watch. */
export type LineState = "connecting" | "live" | "lost" | "closed"

export interface ChangeListener {
  state(state: LineState): void
  /** The first time or again: what is shown may be old. */
  joined(): void
  changed(ids: readonly string[]): void
  /** The line broke, or was not let in: the token may be the reason. */
  broken(): void
}

/** What a page says of its line. */
export const LINE_WORDS: Readonly<Record<LineState, string>> = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Reconnecting…",
  closed: "Not live: that needs the role admin",
}

/** Connects, and closes when `signal` aborts. */
export function watchDeliveries(token: string, listener: ChangeListener, signal: AbortSignal): void {
  // `authToken` travels as a sub-protocol: a token in the URL would end up in the logs of every proxy on the way.
  const socket = new Socket(new URL("socket", document.baseURI).pathname, { authToken: token })
  const channel = socket.channel("deliveries")
  let everJoined = false
  let closed = false
  const lost = (): void => {
    if (!signal.aborted && !closed) listener.state(everJoined ? "lost" : "connecting")
  }
  socket.onClose(() => {
    lost()
    if (!signal.aborted && !closed) listener.broken()
  })
  channel.onError(lost)
  channel.on("deliveries", (payload: unknown) => {
    if (!signal.aborted) listener.changed(each(fields(payload)?.["ids"], textOrNull))
  })
  channel
    .join()
    .receive("ok", () => {
      if (signal.aborted) return
      everJoined = true
      listener.state("live")
      listener.joined()
    })
    .receive("error", (reply: unknown) => {
      if (signal.aborted) return
      if (text(fields(reply)?.["reason"]) !== "unauthorized") return lost()
      closed = true
      listener.state("closed")
      socket.disconnect()
    })
  signal.addEventListener("abort", () => socket.disconnect(), { once: true })
  listener.state("connecting")
  socket.connect()
}
