/** The open line to the hub: the stock Phoenix client on the topic `dashboard`. It reconnects and rejoins by itself. */
import { Socket } from "phoenix"
import { fields, text } from "../shared/fields.ts"
import { type Picture, readPicture } from "./picture.ts"

export type LineState = "connecting" | "live" | "lost"

export interface Listener {
  state(state: LineState): void
  picture(picture: Picture): void
  /** The line broke, or was not let in: the token may be the reason. */
  broken(): void
  /** The hub does not show this to whoever is asking. */
  forbidden(): void
}

/** Connects, and closes when `signal` aborts. */
export function openLine(token: string, listener: Listener, signal: AbortSignal): void {
  // `authToken` travels as a sub-protocol: a token in the URL would end up in the logs of every proxy on the way.
  const socket = new Socket(new URL("socket", document.baseURI).pathname, { authToken: token })
  const channel = socket.channel("dashboard")
  let everJoined = false
  const lost = (): void => {
    if (!signal.aborted) listener.state(everJoined ? "lost" : "connecting")
  }
  const took = (payload: unknown): void => {
    const picture = signal.aborted ? null : readPicture(payload)
    if (picture !== null) listener.picture(picture)
  }
  socket.onClose(() => {
    lost()
    if (!signal.aborted) listener.broken()
  })
  channel.onError(lost)
  channel.on("actors", took)
  channel
    .join()
    .receive("ok", (reply: unknown) => {
      if (signal.aborted) return
      everJoined = true
      listener.state("live")
      took(fields(reply)?.["actors"])
    })
    .receive("error", (reply: unknown) => {
      if (signal.aborted) return
      if (text(fields(reply)?.["reason"]) === "unauthorized") listener.forbidden()
      else lost()
    })
  signal.addEventListener("abort", () => socket.disconnect(), { once: true })
  listener.state("connecting")
  socket.connect()
}
