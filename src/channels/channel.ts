/**
 * The contract of a channel worker: one try, described. For example, of Telegram:
 *
 *   await telegram.send({ id, attempt: 1, message, signal })  // → { kind: "delivered", providerMessageId: "42" }
 *
 * A channel never decides about retries, never logs, and never throws for what a provider answered: a throw is a bug.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { MessageOf } from "../domain/message.ts"

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
