/** Hands one message to a channel and waits, but not for ever: what it saw comes back, whatever happens inside it. */
import type { ChannelWorker } from "../channels/channel.ts"
import type { ClaimedDelivery, Outcome } from "../domain/delivery.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import { createDeadlines, type InTime } from "../runtime/deadlines.ts"

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

/** For the tries of one dispatcher: a timer for each of them costs more than a quick try does. */
export const attemptDeadlines = (clock: Clock): InTime => createDeadlines(clock, ATTEMPT_DEADLINE_MS)

/** Never rejects. */
export async function sendOnce(
  { id, message }: Pick<ClaimedDelivery, "id" | "message">,
  worker: ChannelWorker,
  { clock, cut, inTime }: { readonly clock: Clock; readonly cut: Cut; readonly inTime: InTime },
): Promise<Sent> {
  const startedAt = clock.now()
  let fallSilent: (outcome: Outcome) => void = () => {}
  // Made for whoever asks for its signal: what nothing leaves by does not.
  let aborter: AbortController | undefined
  let lastWords: Timer | undefined
  const giveUp = (): void => {
    aborter ??= new AbortController()
    aborter.abort()
    lastWords ??= clock.after(LAST_WORDS_MS, () =>
      fallSilent({ kind: "unknown", reason: "no_answer_of_channel", detail: "the channel did not end in time" }),
    )
  }
  const request = {
    id,
    message,
    get signal() {
      aborter ??= new AbortController()
      return aborter.signal
    },
  }
  cut.listen(giveUp)
  try {
    // Where it throws at once, that is a rejection too.
    const ending = new Promise<Outcome>((resolve, reject) => {
      fallSilent = resolve
      worker.send(request).then(resolve, reject)
    })
    let outcome = await inTime(ending)
    if (outcome === "late") {
      giveUp()
      outcome = await ending
    }
    return { outcome, bug: null, ms: clock.now() - startedAt }
  } catch (bug) {
    const outcome: Outcome = { kind: "unknown", reason: "channel_crashed", detail: "a bug in the channel; see the log" }
    return { outcome, bug, ms: clock.now() - startedAt }
  } finally {
    lastWords?.cancel()
    cut.listen(null)
  }
}
