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
  /** Aborts at the attempt's deadline or at shutdown. */
  readonly signal: AbortSignal
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
  send: ({ id, message, signal }) => {
    if (!isFor(message, worker.channel)) throw new Error(`${worker.channel} was given a message for ${message.channel}`)
    return worker.send({ id, message, signal })
  },
})
