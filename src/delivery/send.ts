/** Hands one message to a channel and waits, but not for ever: what it saw comes back, whatever happens inside it. */
import type { ChannelWorker } from "../channels/channel.ts"
import type { ClaimedDelivery, Outcome } from "../domain/delivery.ts"
import type { Clock } from "../runtime/clock.ts"

/** A throw of a channel is a bug: it is handed on to be reported, and the try counts as one of unknown end. */
export interface Sent {
  readonly outcome: Outcome
  readonly bug: unknown
  readonly ms: number
}

/** Ends a try early: its lease was lost, or the process must stop. Half the cost of an AbortController for each try. */
export class Cut {
  #made = false
  #listener: (() => void) | null = null

  get made(): boolean {
    return this.#made
  }

  make(): void {
    if (this.#made) return
    this.#made = true
    this.#listener?.()
  }

  /** One at a time is told, at once where it is made already. */
  listen(listener: (() => void) | null): void {
    this.#listener = listener
    if (this.#made) listener?.()
  }
}

/** Longer than the channel's own 15 s: this one is for a channel that does not keep its deadline. */
const ATTEMPT_DEADLINE_MS = 16_000
/** What an aborted channel gets to say what it saw. */
const LAST_WORDS_MS = 500

/** Never rejects. */
export async function sendOnce(
  claimed: ClaimedDelivery,
  worker: ChannelWorker,
  { clock, cut }: { readonly clock: Clock; readonly cut: Cut },
): Promise<Sent> {
  const startedAt = clock.now()
  const aborter = new AbortController()
  const { promise: overdue, resolve } = Promise.withResolvers<Outcome>()
  const giveUp = (): void => {
    aborter.abort()
    lastWords ??= clock.after(LAST_WORDS_MS, () =>
      resolve({ kind: "unknown", reason: "no_answer_of_channel", detail: "the channel did not end in time" }),
    )
  }
  let lastWords: ReturnType<Clock["after"]> | undefined
  const deadline = clock.after(ATTEMPT_DEADLINE_MS, giveUp)
  cut.listen(giveUp)
  try {
    const { id, message } = claimed
    // Inside an async function, so that a synchronous throw is caught too.
    const sending = (async () => worker.send({ id, message, signal: aborter.signal }))()
    return { outcome: await Promise.race([sending, overdue]), bug: null, ms: clock.now() - startedAt }
  } catch (bug) {
    const outcome: Outcome = { kind: "unknown", reason: "channel_crashed", detail: "a bug in the channel; see the log" }
    return { outcome, bug, ms: clock.now() - startedAt }
  } finally {
    deadline.cancel()
    lastWords?.cancel()
    cut.listen(null)
  }
}
