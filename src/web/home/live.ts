/**
 * The open line to the hub: the stock Phoenix client on the person's own topic. It reconnects by itself; what was missed
 * meanwhile is loaded again over HTTP by whoever hears `joined`, which is right whatever the gap was.
 */
import { Socket } from "phoenix"
import type { Session } from "../shared/session.ts"
import { type Change, type Item, readChange, readItem, readUnread } from "./shapes.ts"

export type LineState = "connecting" | "live" | "reconnecting"

export interface Listener {
  state(state: LineState): void
  /** Joined, the first time or again: the list may have moved on. */
  joined(): void
  /** The line broke or was refused: the token may be the reason. */
  broken(): void
  arrived(item: Item): void
  changed(change: Change): void
  unread(count: number): void
}

/** Connects, and closes when `signal` aborts. */
export function openLine(session: Session, listener: Listener, signal: AbortSignal): void {
  // `authToken` travels as a sub-protocol: a token in the URL would end up in the logs of every proxy on the way.
  const socket = new Socket(new URL("socket", document.baseURI).pathname, { authToken: session.token })
  const channel = socket.channel(`notifications:${session.person}`)
  let everJoined = false
  const lost = (): void => {
    if (signal.aborted) return
    listener.state(everJoined ? "reconnecting" : "connecting")
    listener.broken()
  }

  socket.onClose(lost)
  channel.onError(() => {
    if (!signal.aborted) listener.state(everJoined ? "reconnecting" : "connecting")
  })
  channel.on("notification", (payload: unknown) => {
    const item = readItem(payload)
    if (item !== null) listener.arrived(item)
  })
  channel.on("notification_changed", (payload: unknown) => {
    const change = readChange(payload)
    if (change !== null) listener.changed(change)
  })
  channel.on("counts", (payload: unknown) => {
    const count = readUnread(payload)
    if (count !== null) listener.unread(count)
  })
  channel
    .join()
    .receive("ok", () => {
      everJoined = true
      listener.state("live")
      listener.joined()
    })
    .receive("error", lost)
  signal.addEventListener("abort", () => socket.disconnect(), { once: true })
  listener.state("connecting")
  socket.connect()
}
