/**
 * The contract of a channel worker: one try, described. For example, of Telegram:
 *
 *   await telegram.send({ id, message, signal })  // → { kind: "delivered", providerMessageId: "42" }
 *
 * A channel never decides about retries, never logs, and never throws for what a provider answered: a throw is a bug.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Message, MessageOf } from "../domain/message.ts"

export interface SendRequest<C extends SendingChannel> {
  /** Goes to every provider that takes an idempotency key, unchanged on each try. */
  readonly id: DeliveryId
  readonly message: MessageOf<C>
  /** What the reader has of the same thing; absent and null: nothing. Only of messages that have a place. */
  readonly earlier?: Earlier | null
  /** Aborts at the attempt's deadline or at shutdown. */
  readonly signal: AbortSignal
}

/** A message of the same thing that stands already. */
export interface Earlier {
  /** What the channel called it in `reference`. */
  readonly reference: string
  /** `change`: its words become these, and where it is no more a new message comes; `answer`: these stand beneath it. */
  readonly how: "change" | "answer"
}

export interface ChannelWorker<C extends SendingChannel = SendingChannel> {
  readonly channel: C
  send(request: SendRequest<C>): Promise<Outcome>
}

const isFor = <C extends SendingChannel>(message: Message, channel: C): message is MessageOf<C> =>
  message.channel === channel

/**
 * A worker of one channel as a worker of any: being given another channel's message is the caller's bug, and throws
 * before anything is sent.
 */
export const forAnyMessage = <C extends SendingChannel>(worker: ChannelWorker<C>): ChannelWorker => ({
  channel: worker.channel,
  send: ({ message, ...request }) => {
    if (!isFor(message, worker.channel)) throw new Error(`${worker.channel} was given a message for ${message.channel}`)
    return worker.send({ ...request, message })
  },
})
