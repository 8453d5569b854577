/** What development has instead of credentials: the message is kept for the outbox, and nothing leaves the machine. */
import type { SendingChannel } from "../domain/channel.ts"
import type { ChannelWorker } from "./channel.ts"

export const captureChannel = (channel: SendingChannel): ChannelWorker => ({
  channel,
  send: () => Promise.resolve({ kind: "captured" }),
})
